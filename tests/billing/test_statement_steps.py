"""The steps of a statement one by one: each test is a rule of docs/statements.md with the money in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.credits import CreditError
from billing.fx import FxRates, MissingRate, Rate
from billing.plans import Segment, TaxRate, whole
from billing.postings import BUILDER_FUNDING, BUILDER_PAYABLE, FX_DIFFERENCE, PLATFORM_FUNDING, total
from billing.statements import Refusal, StatementInput, Totals, statement
from tests.support.closings import Closings
from tests.support.plain_statements import GRANT, allowance, charges, covered, line, made, plan, shown
from tests.support.statement_strategies import NOVEMBER, OCTOBER

D = Decimal

# Usage.


def test_one_line_a_rule_whatever_providers_and_features() -> None:
    lines = line("r1", "2", "1"), line("r1", "3", "2", provider="lumen", feature="draft"), line("r2", "1", "4")
    found = made(*lines, of=plan())
    assert [each.refers_to for each in found.lines] == ["r1", "r2"]
    assert [shown(each.quantity, each.unit_price, each.charge) for each in found.lines] == ["5 0.6 3", "1 4 4"]


def test_what_customers_do_not_count_is_an_amount_without_a_number() -> None:
    found = made(line("r5", "7", "1"), of=plan())
    assert [shown(each.quantity, each.unit_price, each.amount) + each.unit for each in found.lines] == ["- - 1"]


def test_without_a_plan_a_rule_counts_by_its_own_meter_or_else_events() -> None:
    by_meter, by_events = made(line("r5", "7", "1", meter="blobs")), made(line("r5", "7", "1", events=3))
    assert [shown(found.lines[0].quantity) for found in (by_meter, by_events)] == ["7", "3"]
    assert by_meter.lines[0].unit == by_events.lines[0].unit == "blob"


def test_events_are_requests_where_the_plan_says_so() -> None:
    units = [{"meter": "requests", "one": "task", "many": "tasks"}]
    found = made(line("r1", "7", "1", events=3), of=plan(units=units))
    assert (shown(found.lines[0].quantity), found.lines[0].unit) == ("3", "tasks")


# Tiers.


def test_a_tier_replaces_the_charge_and_the_difference_is_the_builders() -> None:
    steps = [{"above": "0", "price": "0.1"}, {"above": "10", "price": "0.05"}]
    found = made(line("r1", "20", "2.6"), of=plan(tiers=[{"rule": "r1", "kind": "volume", "steps": steps}]))
    assert charges(found, "tier") == {"r1": "-1.6"}  # 20 x 0.05 instead of 2.6
    assert total(found.postings, BUILDER_PAYABLE, "USD") == D("-1.3") + D("1.6")


def test_a_rule_that_is_not_counted_keeps_its_charge() -> None:
    tiers = [{"rule": "r5", "kind": "volume", "steps": [{"above": "0", "price": "0.1"}]}]
    assert charges(made(line("r5", "20", "2"), of=plan(tiers=tiers)), "tier") == {}


# Allowances.


def test_an_allowance_covers_the_dearest_units_first_and_no_free_ones() -> None:
    lines = line("r1", "10", "1"), line("r2", "10", "3"), line("r3", "10", "0")
    found = made(*lines, of=plan(allowances=[allowance("15")]))
    assert covered(found) == {"r2": "10", "r1": "5"}
    assert [each.charge for each in found.lines if each.kind == "allowance"] == [D(-3), D("-0.5")]


def test_an_allowance_that_is_used_up_leaves_the_rest_to_the_next_one() -> None:
    found = made(
        line("r1", "10", "10"), line("r2", "10", "20"),
        of=plan(allowances=[allowance("5", id="first"), allowance("3", id="second")]),
    )  # fmt: skip
    assert charges(found, "allowance") == {"pro/first": "-10", "pro/second": "-6"}


def test_an_allowance_with_rules_covers_them_in_their_order_and_no_others() -> None:
    lines = line("r1", "10", "1"), line("r2", "10", "3"), line("r3", "10", "5")
    assert covered(made(*lines, of=plan(allowances=[allowance("15", rules=["r1", "r2"])]))) == {"r1": "10", "r2": "5"}


def test_units_are_taken_off_at_the_lines_average_price_half_even() -> None:
    found = made(
        line("r1", "3", "0.00000000001", reward=D(0), fee=D(0), earnings=D("0.00000000001")),
        of=plan(allowances=[allowance("2")]),
    )
    assert charges(found, "allowance") == {"pro/included": "-0.000000000007"}


def test_allowances_of_two_plans_in_a_month_are_parts_of_theirs() -> None:
    half = Segment(plan(id="a", allowances=[allowance("31")]), date(2026, 10, 1), date(2026, 10, 11))
    rest = Segment(plan(id="b", allowances=[allowance("62")]), date(2026, 10, 11), date(2026, 11, 1))
    found = made(line("r1", "100", "100"), segments=(half, rest))
    assert charges(found, "allowance") == {"a/included": "-10", "b/included": "-42"}


@pytest.mark.parametrize(("funding", "account"), [("builder", BUILDER_FUNDING), ("platform", PLATFORM_FUNDING)])
def test_who_funds_an_allowance_carries_it_on_an_account_of_its_own(funding: str, account: str) -> None:
    found = made(line("r1", "10", "1"), of=plan(allowances=[allowance("5", funding=funding)]))
    assert total(found.postings, account, "USD") == D("0.5")
    assert total(found.postings, BUILDER_PAYABLE, "USD") == D("-0.5")


def test_a_prepaid_allowance_reaches_as_far_as_the_balance() -> None:
    bought = replace(GRANT, kind="prepaid", quantity=D("0.25"), price_paid=D("0.25"))
    found = made(line("r1", "10", "1"), of=plan(allowances=[allowance("5", funding="prepaid")]), grants=(bought,))
    assert covered(found) == {"r1": "2.5"}
    assert charges(found, "allowance") == {"pro/included": "-0.25"}
    given = made(line("r1", "10", "1"), of=plan(allowances=[allowance("5", funding="prepaid")]), grants=(GRANT,))
    assert charges(given, "allowance") == {}  # a gift is not prepaid


def test_a_prepaid_allowance_spans_lines_up_to_its_units_and_money_about_other_rules_waits_for_them() -> None:
    bought = replace(GRANT, kind="prepaid", price_paid=D(5))
    of = plan(allowances=[allowance("12", funding="prepaid")])
    lines = line("r1", "10", "1"), line("r2", "10", "2")
    assert covered(made(*lines, of=of, grants=(bought,))) == {"r2": "10", "r1": "2"}
    assert covered(made(*lines, of=of, grants=(replace(bought, rules=("r1",)),))) == {"r1": "10"}


def test_what_rolls_over_is_bounded_by_what_stands_over_already() -> None:
    rolling = plan(allowances=[allowance("10", rollover=True, rollover_max="12", rules=["r1"])])
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "3", "3")])
    [first] = closings.close(OCTOBER, (whole(OCTOBER, rolling),)).carried_over
    assert (first.id, first.quantity, first.granted_at) == ("rollover/pro/included/2026-10", D(7), OCTOBER.end)
    assert (first.expires_at, first.rules, first.kind) == (None, ("r1",), "rollover")
    [second] = closings.close(NOVEMBER, (whole(NOVEMBER, rolling),)).carried_over
    assert second.quantity == 5  # 10 are unused, and 7 of 12 stand over


def test_what_stands_over_of_other_allowances_and_other_gifts_bounds_nothing() -> None:
    rolling = plan(allowances=[allowance("10", rollover=True, rollover_max="12")])
    other = replace(GRANT, id="other", kind="rollover", unit="pages", quantity=D(9), source="2026-09/pro/pages")
    gift = replace(GRANT, id="gift", unit="pages", quantity=D(9), source="2026-09/pro/included")
    found = made(line("r1", "3", "3"), of=rolling, grants=(other, gift))
    assert [(grant.tenant, grant.quantity) for grant in found.carried_over] == [("globex", D(7))]


def test_what_a_void_frees_and_what_is_unused_stand_over_together_within_the_bound() -> None:
    rolling = plan(allowances=[allowance("10", rollover=True, rollover_max="12")])
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "10", "10")])
    assert closings.close(OCTOBER, (whole(OCTOBER, rolling),)).carried_over == ()
    closings.change(OCTOBER, "void", [line("r1", "-4", "-4")])
    carried = closings.close(NOVEMBER, (whole(NOVEMBER, rolling),)).carried_over
    assert [(grant.id, grant.quantity) for grant in carried] == [
        ("rollover/pro/included/2026-10/2026-11", D(4)),
        ("rollover/pro/included/2026-11", D(8)),
    ]


# Minimum and cap.


def test_a_minimum_asks_for_what_usage_is_short_of_after_allowances_before_credits() -> None:
    found = made(line("r1", "10", "4"), of=plan(minimum="3", allowances=[allowance("5")]), grants=(GRANT,))
    assert charges(found, "minimum") == {"minimum": "1"}
    assert charges(found, "credit") == {"g1": "-3"}  # the gift pays for usage and for the minimum


def test_days_in_trial_and_days_without_the_plan_count_for_no_minimum() -> None:
    of = plan(minimum="31", fee="62")
    trial = Segment(of, date(2026, 10, 1), date(2026, 10, 21), trial_days=5)
    found = made(segments=(trial,))
    assert charges(found, "minimum") == {"minimum": "15"}
    assert charges(found, "subscription") == {"pro": "30"}
    assert found.lines[0].reason == "The fee of the plan for 15 of the 31 days of the month; 5 days of trial are free."


@pytest.mark.parametrize(
    ("then", "account", "over"),
    [("stop", PLATFORM_FUNDING, "-2"), ("builder", BUILDER_FUNDING, "-2"), ("continue", BUILDER_FUNDING, None)],
)
def test_past_the_cap_somebody_else_pays_or_nobody_stops(then: str, account: str, over: str | None) -> None:
    found = made(line("r1", "10", "4"), line("r2", "10", "6"), of=plan(cap={"amount": "8", "then": then}))
    assert charges(found, "cap") == ({"cap": over} if over else {})
    assert total(found.postings, account, "USD") == -D(over or 0)
    [cap] = [each for each in found.standings if each.kind == "cap"]
    assert shown(cap.used, cap.limit) == "10 8"


def test_a_cap_leaves_every_line_the_same_part_so_that_units_keep_their_proportion() -> None:
    units = replace(GRANT, unit="tasks", quantity=D(10))
    found = made(
        line("r1", "10", "4"), line("r2", "10", "6"), of=plan(cap={"amount": "5", "then": "stop"}), grants=(units,)
    )
    assert charges(found, "credit") == {"g1": "-3"}  # ten of the dearest, at half of 0.6


def test_a_plan_without_a_cap_for_a_part_of_the_month_is_no_cap() -> None:
    capped = Segment(plan(id="a", cap={"amount": "1", "then": "stop"}), date(2026, 10, 1), date(2026, 10, 11))
    free = Segment(plan(id="b"), date(2026, 10, 11), date(2026, 11, 1))
    assert charges(made(line("r1", "1", "9"), segments=(capped, free)), "cap") == {}


# Credits.


def test_the_smaller_priority_is_drawn_first_and_units_pay_at_the_average_price() -> None:
    units = replace(GRANT, id="units", unit="tasks", quantity=D(4), priority=0)
    found = made(line("r1", "10", "2"), grants=(GRANT, units), segments=(whole(OCTOBER, plan()),))
    assert charges(found, "credit") == {"units": "-0.8", "g1": "-1.2"}


def test_money_that_pays_a_part_of_a_line_leaves_its_price_per_unit() -> None:
    money = replace(GRANT, quantity=D(1), priority=0)
    units = replace(GRANT, id="units", unit="tasks", quantity=D(4))
    found = made(line("r1", "10", "2"), grants=(money, units), of=plan())
    assert charges(found, "credit") == {"g1": "-1", "units": "-0.8"}  # 5 tasks are left at 0.2, of which 4 are paid


def test_a_grant_with_rules_pays_for_nothing_else() -> None:
    found = made(
        line("r1", "1", "2"), line("r2", "1", "3"), of=plan(minimum="9"), grants=(replace(GRANT, rules=("r2",)),)
    )
    assert charges(found, "credit") == {"g1": "-3"}


def test_a_discount_is_its_funders_and_expiry_earns_what_was_paid() -> None:
    bought = replace(
        GRANT, kind="prepaid", price_paid=D(4), expires_at=datetime(2026, 10, 20, tzinfo=UTC), funding="platform"
    )
    found = made(line("r1", "1", "2"), grants=(bought,))
    assert [(draw.kind, draw.quantity, draw.earned) for draw in found.draws] == [
        ("drawn", D(2), D("1.6")), ("expired", D(3), D("2.4")), ("sold", D(0), D(0)),
    ]  # fmt: skip
    assert total(found.postings, PLATFORM_FUNDING, "USD") == D("0.4")
    earned = [each for each in found.postings if each.refers_to == "expired credit" and each.account == BUILDER_PAYABLE]
    assert [each.amount for each in earned] == [D("-2.4")]
    running = made(line("r1", "1", "2"), grants=(bought,), as_of=datetime(2026, 10, 19, tzinfo=UTC))
    assert [draw.kind for draw in running.draws] == ["drawn", "sold"]


def test_a_price_is_asked_for_once_and_not_again_by_the_next_statement() -> None:
    closings = Closings(grants=[replace(GRANT, kind="prepaid", price_paid=D(4))])
    assert charges(closings.close(OCTOBER), "top_up") == {"g1": "4"}
    assert charges(closings.close(NOVEMBER), "top_up") == {}


def test_totals_are_net_and_tax_and_what_was_paid_already_comes_off() -> None:
    bought = replace(GRANT, kind="top_up", unit="pages", quantity=D(9), price_paid=D(4), settled=True)
    tax = TaxRate.model_validate({"id": "es", "label": "IVA 21 %", "rate": "0.21"})
    found = made(line("r1", "3", "1.006"), of=plan(), grants=(bought,), tax=tax)
    assert found.totals == Totals(D("5.006"), D("5.01"), D("1.05"), D("6.06"), D("4.00"), D("2.06"))
    assert [(each.key, each.unit, each.quantity, each.amount, each.refers_to) for each in found.lines] == [
        ("usage/r1", "tasks", D(3), D("1.01"), "r1"),
        ("top_up/g1", "", None, D("4.00"), "g1"),
        ("tax/es", "", None, D("1.05"), "es"),
        ("payment/g1", "", None, D("-4.00"), "g1"),
    ]


def test_a_grant_in_another_currency_is_refused() -> None:
    with pytest.raises(CreditError, match="grant g1 is in EUR, and globex is charged in USD: grant it in USD"):
        made(grants=(replace(GRANT, currency="EUR"),))


# Currencies.


def test_usage_in_another_currency_than_the_plans_is_bridged_twice() -> None:
    rates = FxRates(
        [Rate(date(2026, 10, 31), *pair, D(rate)) for pair, rate in ((("EUR", "USD"), "1.1"), (("USD", "JPY"), "150"))]
    )
    lines = line("r1", "1", "10"), line("r1", "1", "10", currency="EUR")
    found = made(*lines, of=plan(), statement_currency="JPY", fx=rates)
    assert [shown(each.charge, each.exact, each.amount) for each in found.lines] == ["21 3150 3150"]
    assert [total(found.postings, FX_DIFFERENCE, currency) for currency in ("EUR", "USD", "JPY")] == [10, 10, -3150]
    assert total(found.postings, BUILDER_PAYABLE, "EUR") == -5


def test_every_missing_rate_is_named_at_once() -> None:
    given = StatementInput("acme", "globex", OCTOBER, "USD", "JPY", usage=(line("r1", "1", "1", currency="EUR"),))
    refused = statement(given)
    assert isinstance(refused, Refusal)
    day = date(2026, 10, 31)
    assert refused.missing == (MissingRate("EUR", "USD", day), MissingRate("USD", "JPY", day))
    assert refused.text == (
        "acme/globex 2026-10: no exchange rate from EUR to USD on 2026-10-31 or in the 7 days before; no exchange rate "
        "from USD to JPY on 2026-10-31 or in the 7 days before: publish it and close again"
    )


def test_a_statement_of_nothing_is_nothing() -> None:
    found = made()
    assert (found.lines, found.postings, found.draws) == ((), (), ())
    assert f"{found.totals.due:f}" == "0.00"

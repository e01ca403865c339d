"""Corrections of closed periods: the difference of two bills, each test with the money in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.credits import CreditError
from billing.fx import FxRates, Rate
from billing.periods import MONTHS
from billing.plans import Segment, whole
from billing.statements import statement
from tests.support.closings import Closings
from tests.support.plain_statements import GRANT, allowance, line, plan
from tests.support.statement_strategies import NOVEMBER, OCTOBER, taken_back

D = Decimal
DECEMBER = MONTHS.next(NOVEMBER)


def _adjusted(closings: Closings, segments: tuple[Segment, ...] = ()) -> dict[str, str]:
    found = closings.close(NOVEMBER, segments)
    prefix = "adjustment/2026-10/"
    return {
        each.key.removeprefix(prefix): f"{each.charge.normalize():f}"
        for each in found.lines
        if each.kind == "adjustment"
    }


def test_late_usage_falls_into_an_allowance_that_was_not_used_up() -> None:
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "6", "6")])
    closings.close(OCTOBER, (whole(OCTOBER, plan(allowances=[allowance("10")])),))
    closings.change(OCTOBER, "late", [line("r1", "6", "6")])
    assert _adjusted(closings) == {"late/r1": "6", "allowance/pro/included": "-4"}


def test_late_usage_that_crosses_a_tier_reprices_what_was_billed() -> None:
    steps = [{"above": "0", "price": "1"}, {"above": "10", "price": "0.5"}]
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "10", "10")])
    closings.close(OCTOBER, (whole(OCTOBER, plan(tiers=[{"rule": "r1", "kind": "volume", "steps": steps}])),))
    closings.change(OCTOBER, "late", [line("r1", "1", "1")])
    assert _adjusted(closings) == {"late/r1": "1", "tier/r1": "-5.5"}  # 11 x 0.5 instead of 10 x 1


def test_free_usage_that_comes_late_is_shown_with_its_number_and_what_cancels_out_is_not() -> None:
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "1", "1")])
    closings.close(OCTOBER, (whole(OCTOBER, plan()),))
    closings.change(OCTOBER, "late", [line("r1", "3", "0"), line("r2", "2", "2"), taken_back(line("r2", "2", "2"))])
    assert [(each.label, each.quantity, each.amount) for each in closings.close(NOVEMBER).lines] == [
        ("Line r1 (2026-10): late usage", D(3), D(0)),
    ]


def test_each_reason_is_a_line_of_its_own_and_three_in_the_sentence_of_what_follows() -> None:
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "10", "10")])
    closings.close(OCTOBER, (whole(OCTOBER, plan(minimum="30")),))
    closings.change(OCTOBER, "rerate", [line("r1", "0", "-1")])
    closings.change(OCTOBER, "void", [line("r1", "-2", "-2")])
    closings.change(OCTOBER, "late", [line("r1", "5", "5")])
    found = closings.close(NOVEMBER)
    assert [(each.label, each.charge) for each in found.lines] == [
        ("Line r1 (2026-10): late usage", D(5)),
        ("Line r1 (2026-10): usage taken back", D(-2)),
        ("Line r1 (2026-10): usage rated again", D(-1)),
        ("Minimum (2026-10)", D(-2)),
    ]
    assert found.lines[3].reason.startswith(
        "Late usage and usage taken back and usage rated again changed what was missing"
    )
    assert found.totals.exact == 0


def test_what_a_gift_paid_goes_back_to_the_gift_and_not_to_the_customer() -> None:
    closings = Closings(grants=[replace(GRANT, unit="tasks", quantity=D(8))])
    closings.usage(OCTOBER, [line("r1", "10", "1"), line("r2", "1", "1")])
    assert closings.close(OCTOBER, (whole(OCTOBER, plan()),)).totals.exact == D("0.3")
    closings.change(OCTOBER, "void", [line("r1", "-4", "-0.4")])
    found = closings.close(NOVEMBER)
    # Seven were drawn of r1, one of r2; six are used of r1 now, so one goes back and 0.3 of money.
    assert [(draw.line, draw.quantity, draw.amount) for draw in found.draws] == [("usage/r1", D(-1), D("-0.1"))]
    assert found.totals.exact == D("-0.3")
    [credit] = [each for each in found.lines if each.key == "adjustment/2026-10/credit/g1"]
    assert credit.reason == "1 task given back for 2026-10: usage taken back."


def test_a_gift_of_money_that_pays_for_more_says_how_much() -> None:
    closings = Closings(grants=[GRANT])
    closings.usage(OCTOBER, [line("r1", "1", "2")])
    closings.close(OCTOBER, (whole(OCTOBER, plan()),))
    closings.change(OCTOBER, "late", [line("r1", "1", "1.5")])
    closings.change(OCTOBER, "rerate", [line("r1", "0", "0.25")])
    [credit] = [each for each in closings.close(NOVEMBER).lines if each.key == "adjustment/2026-10/credit/g1"]
    assert (credit.charge, credit.reason) == (
        D("-1.75"), "1.75 USD used for 2026-10: late usage and usage rated again.",
    )  # fmt: skip


def test_an_allowance_that_covers_more_or_less_says_how_many_units() -> None:
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "6", "6")])
    closings.close(OCTOBER, (whole(OCTOBER, plan(allowances=[allowance("10")])),))
    closings.change(OCTOBER, "void", [line("r1", "-2", "-2")])
    lines = {each.key: each for each in closings.close(NOVEMBER).lines}
    changed = lines["adjustment/2026-10/allowance/pro/included"]
    assert (changed.quantity, changed.unit, changed.charge) == (D(2), "tasks", D(2))
    assert changed.reason == "Usage taken back changed what was included in 2026-10."


def test_units_of_a_repriced_line_stay_covered_whatever_they_cost() -> None:
    closings = Closings(grants=[replace(GRANT, unit="tasks", quantity=D(10))])
    closings.usage(OCTOBER, [line("r1", "10", "1")])
    closings.close(OCTOBER, (whole(OCTOBER, plan()),))
    closings.change(OCTOBER, "rerate", [line("r1", "0", "0.5")])
    found = closings.close(NOVEMBER)
    assert [(draw.quantity, draw.amount) for draw in found.draws] == [(D(0), D("0.5"))]
    assert found.totals.exact == 0


def test_a_period_that_was_corrected_once_is_corrected_from_there() -> None:
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "6", "6")])
    closings.close(OCTOBER, (whole(OCTOBER, plan(allowances=[allowance("10")])),))
    closings.change(OCTOBER, "late", [line("r1", "6", "6")])
    closings.close(NOVEMBER)
    closings.change(OCTOBER, "late", [line("r1", "1", "1")])
    december = closings.close(DECEMBER)
    assert [each.charge for each in december.lines] == [1]


def test_what_was_carried_over_pays_for_what_arrives_late_and_the_allowance_does_not() -> None:
    rolling = plan(allowances=[allowance("10", rollover=True)])
    closings = Closings()
    closings.usage(OCTOBER, [line("r1", "6", "6")])
    closings.close(OCTOBER, (whole(OCTOBER, rolling),))
    closings.change(OCTOBER, "late", [line("r1", "6", "6")])
    assert _adjusted(closings) == {"late/r1": "6", "credit/rollover/pro/included/2026-10": "-4"}


def test_a_correction_without_the_grant_that_was_drawn_is_refused() -> None:
    closings = Closings(grants=[GRANT])
    closings.usage(OCTOBER, [line("r1", "1", "2")])
    closings.close(OCTOBER)
    closings.change(OCTOBER, "void", [taken_back(line("r1", "1", "2"))])
    given = replace(closings.given(NOVEMBER), grants=())
    with pytest.raises(CreditError, match="grant g1 was drawn and is not among the grants"):
        statement(given)


def test_an_adjustment_is_converted_at_the_rate_of_the_period_that_it_adjusts() -> None:
    rates = FxRates(
        [Rate(date(2026, 10, 31), "USD", "EUR", D("0.9")), Rate(date(2026, 11, 30), "USD", "EUR", D("0.5"))]
    )
    closings = Closings(statement_currency="EUR", fx=rates)
    closings.usage(OCTOBER, [line("r1", "10", "10")])
    closings.close(OCTOBER)
    closings.change(OCTOBER, "void", [taken_back(line("r1", "10", "10"))])
    assert closings.close(NOVEMBER).totals.net == -9

"""A small ledger under other books, with every cent written out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.simulation import Amounts, Comparison, LeftOut, Line, Outcome, Simulation
from billing.standing import BILLED_COLUMNS
from billing.surcharges import RuleBook, RuleBooks
from billing.windows import TotalsOverflowError
from sinks.usage_columns import usage_rows
from tests.support import rows
from tests.support.rows import void_row
from tests.support.trial import CHAT, LEDGER, NEW_RULES, PRICES, UNPRICED, adjusted, event, rater, simulation
from topics.block import DIMENSION_COLUMNS


def table(lines: Iterable[Line]) -> list[str]:
    """key | events before and after | charge, reward, fee, earnings before | and after"""
    return [
        f"{'/'.join(line.key)} {line.currency} | {line.events_before} {line.events_after} | "
        f"{_four(line.before)} | {_four(line.after)}"
        for line in lines
    ]


def _four(amounts: Amounts) -> str:
    return (
        f"{amounts.customer_charge:.2f} = {amounts.provider_reward:.2f} + {amounts.platform_fee:.2f} + "
        f"{amounts.builder_earnings:.2f}"
    )


@pytest.mark.parametrize("by_tenant", [False, True])
def test_every_cent_of_a_small_ledger_is_where_it_was_worked_out_by_hand(by_tenant: bool) -> None:
    found = simulation(LEDGER, by_tenant=by_tenant)
    assert table(found.totals) == [" USD | 5 5 | 7.25 = 4.20 + 1.80 + 1.25 | 10.30 = 4.20 + 1.80 + 4.30"]
    assert table(found.tenants) == [
        "acme/north USD | 3 3 | 5.75 = 2.80 + 1.20 + 1.75 | 8.00 = 2.80 + 1.20 + 4.00",
        "acme/south USD | 2 2 | 1.50 = 1.40 + 0.60 + -0.50 | 2.30 = 1.40 + 0.60 + 0.30",
    ]
    assert table(found.features) == [
        "acme/chat USD | 3 3 | 4.25 = 2.10 + 0.90 + 1.25 | 6.00 = 2.10 + 0.90 + 3.00",
        "acme/report USD | 1 1 | 3.00 = 1.40 + 0.60 + 1.00 | 4.00 = 1.40 + 0.60 + 2.00",
        "acme/search USD | 1 1 | 0.00 = 0.70 + 0.30 + -1.00 | 0.30 = 0.70 + 0.30 + -0.70",
    ]
    assert table(found.models) == [
        "orange/large USD | 1 1 | 1.50 = 0.70 + 0.30 + 0.50 | 2.00 = 0.70 + 0.30 + 1.00",
        "orange/small USD | 4 4 | 5.75 = 3.50 + 1.50 + 0.75 | 8.30 = 3.50 + 1.50 + 3.30",
    ]
    assert table(found.rules) == [
        "double USD | 0 3 | 0.00 = 0.00 + 0.00 + 0.00 | 6.00 = 2.10 + 0.90 + 3.00",
        "free USD | 1 0 | 0.00 = 0.70 + 0.30 + -1.00 | 0.00 = 0.00 + 0.00 + 0.00",
        "half USD | 4 0 | 7.25 = 3.50 + 1.50 + 2.25 | 0.00 = 0.00 + 0.00 + 0.00",
        "reports USD | 0 1 | 0.00 = 0.00 + 0.00 + 0.00 | 4.00 = 1.40 + 0.60 + 2.00",
        "searches USD | 0 1 | 0.00 = 0.00 + 0.00 + 0.00 | 0.30 = 0.70 + 0.30 + -0.70",
    ]
    assert found.left_out == ()
    assert found.events == {**dict.fromkeys(Outcome, 0), Outcome.COMPARED: 5}


def test_a_change_is_after_minus_before_in_every_amount() -> None:
    [line] = simulation(LEDGER).totals
    assert line.change == Amounts(Decimal("3.05"), Decimal(0), Decimal(0), Decimal("3.05"))


def test_new_prices_change_rewards_and_fees_and_keep_them_apart() -> None:
    dearer = PRICES.replace('"0.01"', '"0.03"')
    [line] = simulation([CHAT], rater(dearer)).totals
    assert table([line]) == [" USD | 1 1 | 1.50 = 0.70 + 0.30 + 0.50 | 6.00 = 2.10 + 0.90 + 3.00"]


def test_rounding_is_that_of_single_events_and_not_of_their_sum() -> None:
    """Half a step each, rounded to even: 0 three times, where their sum would round up to 0.000000000002."""
    tiny = PRICES.replace('"0.01"', '"0.000000000001"')
    half = [event(at, 0, "0.00", usage={"input_tokens": Decimal("0.5"), "requests": Decimal(1)}) for at in range(3)]
    [line] = simulation(half, rater(tiny)).totals
    assert line.after == Amounts(*[Decimal(0)] * 4)


def test_floor_and_cap_apply_to_single_events() -> None:
    bounded = NEW_RULES.replace('percent = "100"', 'percent = "100"\nfloor = "1.80"\ncap = "2.50"')
    cheap, dear = event(1, 10, "0.10"), event(2, 1000, "10.00")
    [line] = simulation([cheap, dear], rater(rules=bounded)).totals
    assert line.after.customer_charge == Decimal("4.30")  # 1.80 and 2.50; without bounds 0.20 and 20.00


def test_voided_usage_is_on_neither_side_and_is_counted() -> None:
    taken_back = event(7, 100, "1.00")
    found = simulation([CHAT, taken_back, void_row(8, taken_back)])
    assert table(found.totals) == [" USD | 1 1 | 1.50 = 0.70 + 0.30 + 0.50 | 2.00 = 0.70 + 0.30 + 1.00"]
    assert found.events[Outcome.VOIDED] == 1
    [left] = found.left_out
    assert (left.outcome, left.events, left.before, left.after) == (Outcome.VOIDED, 1, Amounts(), Amounts())


def left_out(found: Comparison) -> LeftOut:
    """The only one; and nothing of it is among what is compared."""
    [left] = found.left_out
    assert table(found.totals) == []
    return left


def test_usage_that_would_have_no_price_is_no_loss_of_revenue() -> None:
    left = left_out(simulation([CHAT], rater(PRICES.replace('"small"', '"other"'))))
    assert (left.outcome, left.reason, left.model, left.events) == (Outcome.UNPRICED_AFTER, "no_price", "small", 1)
    assert (left.currency_before, left.before.customer_charge, left.after) == ("USD", Decimal("1.50"), Amounts())


def test_usage_that_no_rule_would_match_is_named_with_its_feature() -> None:
    only_reports = NEW_RULES.replace(
        'percent = "100"', 'percent = "100"\nmatch = { feature = "report", mode = "batch" }'
    )
    left = left_out(simulation([CHAT], rater(rules=only_reports)))
    assert (left.outcome, left.reason, left.builder, left.feature) == (
        Outcome.UNPRICED_AFTER, "no_rule", "acme", "chat",
    )  # fmt: skip


def test_usage_that_waits_for_a_price_and_would_have_one_is_no_gain() -> None:
    left = left_out(simulation([CHAT | UNPRICED]))
    assert (left.outcome, left.reason, left.events) == (Outcome.UNPRICED_BEFORE, "no_price", 1)
    assert (left.before, left.currency_after, left.after.customer_charge) == (Amounts(), "USD", Decimal("2.00"))


def test_usage_that_has_no_price_either_way_is_counted() -> None:
    found = simulation([CHAT | UNPRICED], rater(PRICES.replace('"small"', '"other"')))
    left = left_out(found)
    assert (left.outcome, left.reason, left.events) == (Outcome.UNPRICED, "no_price", 1)
    assert found.events[Outcome.UNPRICED] == 1


def test_two_currencies_are_never_one_number() -> None:
    euros = rater(PRICES.replace("USD", "EUR"))
    left = left_out(simulation([CHAT], euros))
    assert (left.outcome, left.currency_before, left.currency_after) == (Outcome.OTHER_CURRENCY, "USD", "EUR")
    assert (left.before.customer_charge, left.after.customer_charge) == (Decimal("1.50"), Decimal("2.00"))
    already = simulation([CHAT, event(2, 100, "1.00", currency="EUR")], euros)
    assert table(already.totals) == [" EUR | 1 1 | 1.50 = 0.70 + 0.30 + 0.50 | 2.00 = 0.70 + 0.30 + 1.00"]


def test_what_is_left_out_and_what_is_compared_are_together_all_that_there_was() -> None:
    taken_back = event(10, 100, "1.00")
    ledger = [*LEDGER, event(11, 100, "1.00", model="gone"), taken_back, void_row(12, taken_back)]
    found = simulation(ledger)
    charged = sum((line.before.customer_charge for line in found.totals), Decimal(0))
    charged += sum((left.before.customer_charge for left in found.left_out), Decimal(0))
    assert charged == sum((row["customer_charge"] for row in ledger), Decimal(0))
    assert sum(found.events.values()) == sum(row["kind"] == "usage" for row in ledger)


def test_nothing_added_is_an_empty_comparison() -> None:
    found = Simulation(rater()).comparison()
    assert (found.totals, found.tenants, found.rules, found.left_out) == ((), (), (), ())
    assert set(found.events.values()) == {0}


def test_amounts_that_could_leave_the_column_are_refused() -> None:
    huge = Decimal(10) ** 25
    with pytest.raises(TotalsOverflowError, match=r"before\.customer_charge"):
        simulation([CHAT | {"customer_charge": huge}])


def test_lines_of_one_key_add_up_and_keep_the_key() -> None:
    [line] = simulation([CHAT]).tenants
    both = line.plus(replace(line, key=("other",)))
    assert (both.key, both.events_after, both.after.customer_charge) == (("acme", "north"), 2, Decimal("4.00"))


def test_the_time_of_each_event_decides_between_published_versions() -> None:
    later = PRICES.replace('"p"', '"p2"').replace("2020-01-01", "2026-01-15").replace('"0.01"', '"0.05"')
    books = PriceBooks([parse_version(text, ".toml", "prices", PriceBook) for text in (PRICES, later)])
    rules = RuleBooks([parse_version(NEW_RULES, ".toml", "rules", RuleBook)])
    early = CHAT | {"event_time": datetime(2026, 1, 14, 23, 59, tzinfo=UTC)}
    late = event(2, 100, "1.00", event_time=datetime(2026, 1, 15, tzinfo=UTC))
    [line] = simulation([early, late], Rater(books, rules)).totals
    assert line.after.customer_charge == Decimal("12.00")  # 2 x 1.00 and 2 x 5.00


def test_dimensions_that_no_row_names_do_not_matter() -> None:
    found = Simulation(rater())
    answer = usage_rows(rows.ledger([CHAT]).to_batches(), DIMENSION_COLUMNS, BILLED_COLUMNS)
    found.add(answer.rows, pl.concat([answer.dimensions, answer.dimensions.with_columns(tenant=pl.lit("x"))]))
    assert [line.key for line in found.comparison().tenants] == [("acme", "north")]


def test_what_was_rated_again_is_rated_as_it_was_then_and_all_else_as_published() -> None:
    """A price halved afterwards: at twice the cost, 1.00 instead of 2.00 for 100 tokens of `small`."""
    half = rater(prices=PRICES.replace('"0.01"', '"0.005"'))
    again = {"pricing": "rerated", "price_version": "half", "rule_version": "new"}
    ledger = [*LEDGER, {**adjusted(30, CHAT, "-0.50"), **again}]
    plain = simulation(ledger)
    asked: list[tuple[str, str]] = []

    def of_versions(prices: str, rules: str) -> Rater | None:
        asked.append((prices, rules))
        return half if prices == "half" else None

    found = simulation(ledger, of_versions=of_versions)
    assert asked == [("half", "new")]
    assert found.events == plain.events
    [total], [before] = found.totals, plain.totals
    assert total.before == before.before
    assert before.after.customer_charge - total.after.customer_charge == Decimal("1.00")
    assert before.after.provider_reward - total.after.provider_reward == Decimal("0.35")
    assert simulation(ledger, of_versions=lambda prices, rules: None) == plain

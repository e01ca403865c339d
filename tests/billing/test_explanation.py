"""What an explanation is made of, beside the golden pages: every kind, every lookup, corrections and their usage."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing.errors import BillingError
from billing.explanation import amounts_of, compare, corrections_of, explain_usage, target_of
from billing.explanation.arithmetic import plain, quotient, total
from billing.explanation.charge import charge_of, explained_kinds
from billing.surcharges import Rule
from billing.surcharges.kinds import KINDS
from tests.golden.explanation.pages import CATALOGUE, NOON, PRICE_BOOKS, RULE_BOOKS, adjustment, billed, void
from tests.support.rating import DEFAULTS
from topics.block import DIMENSION_COLUMNS
from topics.times import microseconds

TAGS = dict.fromkeys(DIMENSION_COLUMNS, "") | DEFAULTS | {"builder": "acme", "provider": "northwind"}


def test_every_kind_of_surcharge_is_explained() -> None:
    assert explained_kinds() == set(KINDS)


def test_a_kind_that_nobody_explains_is_named() -> None:
    rule = Rule(id="r", kind="included", label="l", unit="u", reason="why").model_copy(update={"kind": "barter"})
    with pytest.raises(BillingError, match="rule r: how a rule of kind barter charges is not explained"):
        charge_of(rule, Decimal(1), {}, "USD")


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.0045", "0.0045"), ("1E-12", "0.000000000001"), ("100", "100"), ("2.50", "2.5"), ("0E-12", "0"), ("-0", "0")],
)
def test_a_number_has_no_exponent_and_no_zeros_at_its_end(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_a_long_quotient_that_ends_shows_all_its_digits() -> None:
    step = quotient("x", Decimal("0.000000000001"), Decimal("0.00128"))
    assert (step.exact, step.endless, step.amount) == (Decimal("7.8125E-10"), False, Decimal("0.000000000781"))
    assert step.residue == Decimal("-0.00000000000025")


def test_a_sum_is_not_cut_at_twenty_eight_digits() -> None:
    parts = [Decimal(10) ** 20, Decimal("0.000000000001")]
    assert total("x", parts).exact == Decimal("100000000000000000000.000000000001")


def test_an_entry_that_lacks_a_meter_is_told_apart_from_no_entry() -> None:
    book, rules = PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0]
    moment = microseconds(NOON)
    batch = TAGS | {"model": "nw-large", "mode": "batch"}
    lacking = explain_usage(batch, {"cached_input_tokens": Decimal(1)}, moment, book, rules, CATALOGUE)
    assert (lacking.unpriced_reason, lacking.quote is not None) == ("no_price", True)
    assert [each.missing for each in lacking.meters] == [True]
    flex = TAGS | {"model": "nw-large", "mode": "flex"}
    absent = explain_usage(flex, {"input_tokens": Decimal(1)}, moment, book, rules, CATALOGUE)
    assert (absent.unpriced_reason, absent.quote) == ("no_price", None)
    assert absent.lookup.others == ("northwind / nw-large / standard", "northwind / nw-large / batch")


def test_a_quantity_of_zero_needs_no_price() -> None:
    told = explain_usage(
        TAGS | {"model": "nw-large", "mode": "batch"}, {"cached_input_tokens": Decimal(0)}, microseconds(NOON),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    assert (told.unpriced_reason, told.amounts is not None) == ("", True)
    assert [each.cost for each in told.meters] == [None]


def _no_rerating(row: Any) -> None:
    return None


def test_a_correction_is_about_the_latest_usage_before_it_of_the_same_tenant() -> None:
    # The same identity three times: accepted again once the first was out of reach, and for another tenant.
    first = billed(1, {"input_tokens": "1000"})
    other = billed(5, {"input_tokens": "1000"}, tenant="initech") | {"id": "call-1", "source_partition": 3}
    second = billed(9, {"input_tokens": "3000"}) | {"id": "call-1"}
    same = {"identity_high": first["identity_high"], "identity_low": first["identity_low"]}
    other, second = other | same, second | same
    early = adjustment(4, first, {"reward": "0", "fee": "0", "earnings": "-0.001"}, "goodwill")
    late = void(12, second) | {"target_high": first["identity_high"], "target_low": first["identity_low"]}
    rows = [first, other, second, early, late]
    assert target_of(early, rows) is first
    assert target_of(late, rows) is second
    found = {row["source_offset"]: corrections_of(row, rows, _no_rerating) for row in (first, other, second)}
    assert {offset: [each.row["source_offset"] for each in each_found] for offset, each_found in found.items()} == {
        1: [4], 5: [], 9: [12],
    }  # fmt: skip
    [taken] = found[9]
    assert (taken.differences, taken.standing is not None and taken.standing.customer_charge) == ((), Decimal(0))
    assert target_of(late | {"tenant": "nobody"}, rows) is None


def test_a_void_of_usage_without_a_price_takes_back_nothing() -> None:
    waiting = billed(1, {"input_tokens": "1000"}, model="nw-new")
    [taken] = corrections_of(waiting, [waiting, void(2, waiting)], _no_rerating)
    assert (taken.amounts, taken.before, taken.standing, taken.differences) == (None, None, None, ())


def test_a_correction_by_hand_that_does_not_balance_is_named() -> None:
    first = billed(1, {"input_tokens": "1000"})
    crooked = adjustment(2, first, {"reward": "0", "fee": "0", "earnings": "1"}, "?", customer_charge=Decimal(2))
    [found] = corrections_of(first, [first, crooked], _no_rerating)
    assert [each.name for each in found.differences] == ["balance"]


@pytest.mark.parametrize("column", ["base_cost", "provider_reward", "platform_fee", "builder_earnings"])
def test_each_amount_is_compared_to_the_last_digit(column: str) -> None:
    row = billed(1, {"input_tokens": "1000"})
    told = explain_usage(
        {name: row[name] for name in DIMENSION_COLUMNS}, row["usage"], microseconds(row["event_time"]),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    assert compare(told, row) == ()
    [difference] = compare(told, row | {column: row[column] + Decimal("1E-12")})
    assert difference.name == column
    assert amounts_of(row | {column: None}) is None
    assert len(compare(told, row | {column: None})) == 5


@pytest.mark.parametrize("column", ["unpriced_reason", "rule_id", "currency"])
def test_reason_rule_and_currency_are_compared_too(column: str) -> None:
    row = billed(1, {"input_tokens": "1000"})
    told = explain_usage(
        {name: row[name] for name in DIMENSION_COLUMNS}, row["usage"], microseconds(row["event_time"]),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    [difference] = compare(told, row | {column: "other"})
    assert (difference.name, difference.ledger) == (column, "other")

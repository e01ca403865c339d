"""What usage stands at: the row, what was added since, and whether it was taken back. Money in the scenarios."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from billing.standing import BILLED_COLUMNS, CORRECTION_COLUMNS, StandingError, standing
from billing.windows import AMOUNT_COLUMNS
from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, Kind

MONEY = pl.Decimal(38, 12)
SCHEMA: dict[str, pl.DataType] = {
    "kind": pl.UInt8(),
    "dimension": pl.UInt32(),
    **dict.fromkeys(("pricing", "unpriced_reason", "rule_id", "currency"), pl.String()),
    **dict.fromkeys(AMOUNT_COLUMNS, MONEY),
    **dict.fromkeys(("identity_high", "identity_low", "target_high", "target_low"), pl.UInt64()),
    "topic_epoch": pl.UInt16(),
    "source_partition": pl.UInt16(),
    "source_offset": pl.Int64(),
    "batch_index": pl.UInt32(),
    **dict.fromkeys(("price_version", "rule_version"), pl.String()),
}
NORTH, SOUTH = 0, 1
UNPRICED: dict[str, Any] = {"pricing": "unpriced", "unpriced_reason": "no_price", "rule_id": "", "currency": ""}


def row(offset: int, name: int = 1, charge: str | None = "1.00", **given: Any) -> dict[str, Any]:
    """Usage `name` of north: a charge of 1.00 = 0.50 + 0.20 + 0.30."""
    amount = None if charge is None else Decimal(charge)
    parts = {"provider_reward": "0.5", "platform_fee": "0.2", "builder_earnings": "0.3"}
    return {
        "kind": int(Kind.USAGE),
        "dimension": NORTH,
        "pricing": "rated",
        "unpriced_reason": "",
        "rule_id": "up",
        "currency": "USD",
        "customer_charge": amount,
        **{part: None if amount is None else amount * Decimal(share) for part, share in parts.items()},
        "identity_high": 0,
        "identity_low": name,
        "target_high": 0,
        "target_low": 0,
        "topic_epoch": 1,
        "source_partition": 0,
        "source_offset": offset,
        "batch_index": 0,
        "price_version": "p1",
        "rule_version": "r1",
        **given,
    }


def correction(offset: int, of: int = 1, charge: str = "0.10", kind: Kind = Kind.ADJUSTMENT, **given: Any) -> Any:
    return row(offset, 1000 + offset, charge, **({"kind": int(kind), "target_low": of} | given))


def void(offset: int, of: int = 1, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = correction(offset, of, "-1.00", Kind.VOID, **given)
    return found


def stands(*rows: dict[str, Any]) -> list[tuple[str | None, bool]]:
    """(charge, voided) of each usage row, in order of the log."""
    found = standing(pl.DataFrame(list(rows), schema=SCHEMA), dimensions()).sort("source_offset", "batch_index")
    return [
        (None if charge is None else f"{charge:.2f}", voided)
        for charge, voided in found.select("customer_charge", "voided").iter_rows()
    ]


def dimensions() -> pl.DataFrame:
    sets = [{**dict.fromkeys(DIMENSION_COLUMNS, ""), "builder": "acme", "tenant": name} for name in ("north", "south")]
    return pl.DataFrame(sets, schema=DIMENSION_SCHEMA)


def test_usage_without_corrections_stands_as_it_is() -> None:
    assert stands(row(1), row(2, 2, "3.50")) == [("1.00", False), ("3.50", False)]


def test_adjustments_add_up_and_touch_no_other_event() -> None:
    rows = [row(1), row(2, 2), correction(5, charge="0.10"), correction(7, charge="-0.30")]
    assert stands(*rows) == [("0.80", False), ("1.00", False)]


def test_every_amount_is_corrected_and_the_split_stays_one() -> None:
    found = standing(pl.DataFrame([row(1), correction(2, charge="0.10")], schema=SCHEMA), dimensions())
    assert found.select(AMOUNT_COLUMNS).row(0) == tuple(map(Decimal, ("1.10", "0.55", "0.22", "0.33")))


def test_a_void_takes_back_adjusted_usage_too() -> None:
    assert stands(row(1), correction(2), void(3), row(4, 2)) == [("1.10", True), ("1.00", False)]


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [void(9), row(1), correction(2, 2), row(4, 2)]
    expected = [("1.00", True), ("1.00", False)]  # the adjustment came before e2 did
    assert stands(*rows) == stands(*reversed(rows)) == expected


def test_a_correction_of_another_tenants_event_of_the_same_name_is_not_ours() -> None:
    for first, second, expected in ((NORTH, SOUTH, [False, True]), (SOUTH, NORTH, [True, False])):
        found = stands(row(1, dimension=first), row(2, dimension=second), void(3, dimension=SOUTH))
        assert [voided for _, voided in found] == expected


def test_of_two_events_of_one_identity_the_latest_before_the_correction_is_meant() -> None:
    first, second = row(1), row(5)
    assert stands(first, second, void(4)) == [("1.00", True), ("1.00", False)]
    assert stands(first, second, void(6)) == [("1.00", False), ("1.00", True)]


def test_inside_a_batch_the_index_says_what_came_first() -> None:
    first, second = row(1, batch_index=0), row(1, batch_index=2)
    assert stands(first, second, void(1, batch_index=1)) == [("1.00", True), ("1.00", False)]


def test_an_event_of_an_earlier_epoch_is_found_in_whatever_partition_it_stood() -> None:
    old = row(100, source_partition=3)
    assert stands(old, void(1, topic_epoch=2)) == [("1.00", True)]
    assert stands(old, void(101)) == [("1.00", False)]  # of the same epoch, another partition is another log


def test_usage_rated_late_has_the_amounts_rule_and_currency_of_its_adjustment() -> None:
    rows = [row(1, charge=None, **UNPRICED), correction(3, charge="0.40", rule_id="late", currency="EUR")]
    found = standing(pl.DataFrame(rows, schema=SCHEMA), dimensions())
    assert found.select("pricing", "unpriced_reason", "rule_id", "currency").row(0) == ("rated", "", "late", "EUR")
    assert found["customer_charge"].to_list() == [Decimal("0.40")]


def test_the_versions_of_the_latest_re_rating_are_told_and_of_no_other_correction() -> None:
    def again(offset: int, of: int, version: int, pricing: str = "rerated") -> Any:
        named: dict[str, Any] = {"price_version": f"p{version}", "rule_version": f"r{version}"}
        return correction(offset, of, pricing=pricing, **named)

    rows = [
        row(1, 1), row(2, 2), row(3, 3, charge=None, **UNPRICED), row(4, 4), row(5, 5),
        again(6, 1, 2), again(7, 1, 3), correction(8, 1), correction(9, 2), again(10, 3, 4, "rated_later"), void(11, 4),
    ]  # fmt: skip
    found = standing(pl.DataFrame(rows, schema=SCHEMA), dimensions()).sort("source_offset")
    versions = [("p3", "r3"), ("", ""), ("p4", "r4"), ("", ""), ("", "")]
    assert found.select("rerated_prices", "rerated_rules").rows() == versions
    alone = standing(pl.DataFrame(rows[:1], schema=SCHEMA), dimensions())
    assert alone.select("rerated_prices", "rerated_rules").rows() == [("", "")]


def test_usage_billed_before_stays_under_its_rule() -> None:
    found = standing(pl.DataFrame([row(1), correction(3, rule_id="late")], schema=SCHEMA), dimensions())
    assert found["rule_id"].to_list() == ["up"]


def test_a_void_of_unpriced_usage_does_not_price_it() -> None:
    nothing: dict[str, Any] = dict.fromkeys(AMOUNT_COLUMNS)
    assert stands(row(1, charge=None, **UNPRICED), void(2, **nothing, **UNPRICED)) == [(None, True)]


def test_an_adjustment_in_another_currency_is_refused() -> None:
    with pytest.raises(StandingError, match="another currency"):
        stands(row(1), correction(2, currency="EUR"))
    with pytest.raises(StandingError, match="another currency"):
        stands(row(1, charge=None, **UNPRICED), correction(2, currency="EUR"), correction(3, currency="USD"))


def test_corrections_whose_event_is_not_among_the_rows_change_nothing() -> None:
    assert stands(row(1), void(2, of=77)) == [("1.00", False)]


def test_without_the_columns_of_corrections_usage_stands_alone() -> None:
    frame = pl.DataFrame([row(1), void(2)], schema=SCHEMA).drop(CORRECTION_COLUMNS)
    found = standing(frame, dimensions())
    assert (found.height, found["voided"].to_list()) == (1, [False])
    assert set(BILLED_COLUMNS) < set(found.columns)

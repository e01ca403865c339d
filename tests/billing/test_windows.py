"""Window totals: where a time belongs, what the guard of each row lets in, and sums that are never wrapped."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest

from billing import windows
from billing.windows import (
    AMOUNT_COLUMNS,
    COUNT_COLUMNS,
    SUM_MAX,
    SeriesRegistry,
    TotalsOverflowError,
    WindowTotals,
    window_start,
)

MONEY = pl.Decimal(38, 12)
HOUR = 3600
STEP = Decimal("0.000000000001")


@pytest.mark.parametrize(
    ("microseconds", "seconds", "expected"),
    [
        (0, HOUR, 0),
        (HOUR * 10**6 - 1, HOUR, 0),
        (HOUR * 10**6, HOUR, HOUR),
        (HOUR * 10**6 + 1, HOUR, HOUR),
        (-1, HOUR, -HOUR),
        (-HOUR * 10**6, HOUR, -HOUR),
        (-HOUR * 10**6 - 1, HOUR, -2 * HOUR),
        (1_767_225_599_999_999, 86_400, 1_767_139_200),  # the last microsecond of 2025, UTC
        (1_767_225_600_000_000, 86_400, 1_767_225_600),
        (90_061_000_001, 900, 90_000),
        (-62_135_596_800_000_000, HOUR, -62_135_596_800),  # year 1
    ],
)
def test_a_window_holds_its_start_and_not_its_end_before_1970_too(
    microseconds: int, seconds: int, expected: int
) -> None:
    assert window_start(np.array([microseconds]), seconds).tolist() == [expected]


def rows(*given: tuple[int, str] | tuple[int, str, dict[str, Any]], stored: bool = False) -> pl.DataFrame:
    """(offset, charge, other columns) in partition 0, window 0, series 0; `stored` as they come from the store."""
    records = []
    for offset, charge, *more in given:
        record: dict[str, Any] = {"partition": 0, "window_start": 0, "series": 0, "last_offset": offset}
        record |= dict.fromkeys(COUNT_COLUMNS, 1) | dict.fromkeys(AMOUNT_COLUMNS, Decimal(0))
        records.append(record | {"customer_charge": Decimal(charge)} | (more[0] if more else {}))
    meters = sorted({name for record in records for name in record if name.startswith("usage.")})
    schema = windows.ROW_SCHEMA | dict.fromkeys(meters, pl.Int128() if stored else pl.Int64())
    frame = pl.DataFrame([{name: record.get(name) for name in schema} for record in records], schema=schema)
    return frame if stored else frame.rename({"last_offset": "offset"})


def loaded(*stored: tuple[int, str] | tuple[int, str, dict[str, Any]], starts: tuple[int, ...] = (0,)) -> WindowTotals:
    totals = WindowTotals()
    totals.load({0: starts, 1: starts}, rows(*stored, stored=True))
    return totals


def state(changed: pl.DataFrame) -> list[tuple[Any, ...]]:
    picked = changed.sort("partition", "window_start", "series")
    return list(picked.select("window_start", "series", "last_offset", "ledger_rows", "customer_charge").iter_rows())


def test_a_total_is_the_sum_of_its_rows_with_the_last_offset_as_its_version() -> None:
    totals = loaded()
    assert state(totals.add(rows((4, "1.5"), (5, "0.000000000001"), (7, "-1")))) == [
        (0, 0, 7, 3, Decimal("0.5") + STEP)
    ]
    assert state(totals.add(rows((9, "2")))) == [(0, 0, 9, 4, Decimal("2.5") + STEP)]


def test_a_row_at_or_below_the_version_of_its_total_changes_nothing() -> None:
    totals = loaded((10, "100"))
    assert totals.add(rows((9, "1"), (10, "1"))).height == 0
    assert state(totals.add(rows((9, "1"), (10, "1"), (11, "1")))) == [(0, 0, 11, 2, Decimal(101))]


def test_every_total_has_a_guard_of_its_own() -> None:
    """A flush was cut off: one total was stored up to offset 10, its neighbours by each part of the key were not."""
    other = ({"series": 1}, {"window_start": HOUR}, {"partition": 1})
    totals = loaded((10, "100"), *((4, "40", place) for place in other), starts=(0, HOUR))
    replay = rows(*((offset, "1", place) for offset in (3, 4, 5, 10) for place in ({}, *other)))
    changed = totals.add(replay)
    assert state(changed) == [(0, 1, 10, 3, Decimal(42)), (HOUR, 0, 10, 3, Decimal(42)), (0, 0, 10, 3, Decimal(42))]
    assert totals.add(replay).height == 0


def test_a_partition_that_is_read_again_is_guarded_beside_one_that_is_not() -> None:
    totals = loaded((10, "100"), (10, "100", {"partition": 1}))
    changed = totals.add(rows((11, "1"), (10, "1", {"partition": 1}), (9, "1", {"partition": 1})))
    assert changed.select("partition", "customer_charge").rows() == [(0, Decimal(101))]


def test_a_total_that_was_never_stored_takes_everything() -> None:
    totals = loaded((10, "100"))
    assert state(totals.add(rows((0, "1", {"series": 5}), (2, "1", {"series": 5})))) == [(0, 5, 2, 2, Decimal(2))]


def test_events_of_one_record_go_in_together() -> None:
    """They share an offset, so all of them are beyond the version or none is."""
    totals = loaded()
    assert state(totals.add(rows((3, "1"), (3, "1"), (3, "1")))) == [(0, 0, 3, 3, Decimal(3))]
    assert totals.add(rows((3, "1"), (3, "1"), (3, "1"))).height == 0


def test_only_what_changed_is_answered_and_it_is_answered_whole() -> None:
    totals = loaded((1, "1", {"usage.a": 7}), (1, "5", {"series": 1}))
    changed = totals.add(rows((2, "2", {"usage.b": 3})))
    assert state(changed) == [(0, 0, 2, 2, Decimal(3))]
    assert changed.select("usage.a", "usage.b").row(0) == (7, 3)


def test_quantities_add_up_beyond_64_bits() -> None:
    most = 2**63 - 1
    totals = loaded()
    changed = totals.add(rows(*((offset, "0", {"usage.a": most}) for offset in range(3))))
    assert changed["usage.a"].to_list() == [3 * most]
    assert totals.add(rows((3, "0", {"usage.a": most})))["usage.a"].to_list() == [4 * most]


@pytest.mark.parametrize("sign", [1, -1])
def test_a_sum_that_could_leave_its_column_is_refused_before_it_is_made(sign: int) -> None:
    totals = loaded((0, str(sign * (SUM_MAX - 1))))
    half = sign * Decimal("0.5")
    assert totals.add(rows((1, str(half))))["customer_charge"].to_list() == [sign * SUM_MAX - half]
    with pytest.raises(TotalsOverflowError, match=r"customer_charge: 1 rows .* nothing was stored"):
        totals.add(rows((2, str(half))))


@pytest.mark.parametrize("name", AMOUNT_COLUMNS)
def test_the_rows_of_a_block_may_not_overflow_among_themselves_either(name: str) -> None:
    half = {name: SUM_MAX / 2}
    with pytest.raises(TotalsOverflowError, match=f"{name}: 2 rows"):
        loaded().add(rows((1, "0", half), (2, "0", half)))
    assert loaded().add(rows((1, "0", half))).height == 1


def test_a_refused_block_leaves_the_totals_as_they_were() -> None:
    totals = loaded((0, str(SUM_MAX - 1)))
    with pytest.raises(TotalsOverflowError):
        totals.add(rows((1, "1")))
    assert totals.add(rows((1, "0.5")))["customer_charge"].to_list() == [SUM_MAX - Decimal("0.5")]


def test_what_is_not_loaded_is_asked_for_once() -> None:
    totals = loaded(starts=(0, HOUR))
    assert totals.missing([(0, 0), (0, HOUR), (1, 0)]) == {}
    assert totals.missing([(0, 2 * HOUR), (2, 0), (0, -HOUR), (0, 2 * HOUR)]) == {0: [-HOUR, 2 * HOUR], 2: [0]}
    totals.load({2: [0]}, rows(stored=True))
    assert totals.missing([(2, 0)]) == {}, "a window without totals is known, too"


def test_a_forgotten_partition_has_to_be_loaded_again_and_the_others_have_not() -> None:
    totals = loaded((10, "100"), (10, "100", {"partition": 1}))
    totals.forget([0])
    assert totals.missing([(0, 0), (1, 0)]) == {0: [0]}
    totals.load({0: [0]}, rows((20, "7"), stored=True))
    changed = totals.add(rows((21, "1"), (21, "1", {"partition": 1})))
    assert state(changed) == [(0, 0, 21, 2, Decimal(8)), (0, 0, 21, 2, Decimal(101))]


@pytest.mark.parametrize("full", ["rows", "series"])
def test_once_there_is_too_much_everything_is_forgotten_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    monkeypatch.setattr(windows, "RESIDENT_ROWS_MAX", 2)
    totals = loaded(*((1, "1", {"series": number}) for number in range(3 if full == "rows" else 1)))
    totals.series.numbers((str(number),) for number in range(3 if full == "series" else 1))
    totals.make_room()
    assert totals.missing([(0, 0)]) == {0: [0]}
    assert len(totals.series) == 0


def test_what_fits_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "RESIDENT_ROWS_MAX", 2)
    totals = loaded((1, "1"), (1, "1", {"series": 1}))
    totals.series.number(("a",))
    totals.make_room()
    assert totals.missing([(0, 0)]) == {}
    assert len(totals.series) == 1


def test_a_series_has_one_number_for_as_long_as_it_is_remembered() -> None:
    series = SeriesRegistry()
    assert series.numbers([("a", "b"), ("ab", ""), ("a", "b")]).tolist() == [0, 1, 0]
    assert series.number(("ab", "")) == 1
    assert series.tuples([1, 0, 1]) == [("ab", ""), ("a", "b"), ("ab", "")]

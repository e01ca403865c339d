"""Totals as rows of the store, and back: no digit is lost on the way."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from agents.rows import dead_letters_table, stored_totals, totals_table
from billing.windows import AMOUNT_COLUMNS, COUNT_COLUMNS, ROW_SCHEMA, WindowTotals
from sinks import tables
from sinks.memory import MemorySink
from topics.block import Rejection
from topics.reasons import Reason

SERIES = ("b", "t", "", "f", "p", "m", "standard", "r", "USD")
WIDEST = 10**38 - 1  # millionths: every digit that Decimal(38, 6) has


def changed(totals: WindowTotals, usage: dict[str, int]) -> pl.DataFrame:
    row: dict[str, Any] = {
        "partition": 3,
        "window_start": 7200,
        "series": totals.series.number(SERIES),
        "last_offset": 41,
        **dict.fromkeys(COUNT_COLUMNS, 2),
        **dict.fromkeys(AMOUNT_COLUMNS, Decimal("-0.000000000001")),
        **{f"usage.{meter}": millionths for meter, millionths in usage.items()},
    }
    return pl.DataFrame([row], schema=ROW_SCHEMA | {f"usage.{meter}": pl.Int128() for meter in usage})


def test_totals_without_any_quantity_are_rows_too() -> None:
    """A worker's first block may hold nothing but an adjustment: no meter is known to it yet."""
    totals = WindowTotals()
    table = totals_table(changed(totals, {}), totals, topic_epoch=1)
    assert table.schema == tables.TOTALS
    assert table["usage"].to_pylist() == [[]]


def test_a_sum_of_zero_is_left_out() -> None:
    totals = WindowTotals()
    table = totals_table(changed(totals, {"input_tokens": 0, "requests": 1_000_000}), totals, topic_epoch=1)
    assert table["usage"].to_pylist() == [[("requests", Decimal("1.000000"))]]


@pytest.mark.parametrize("millionths", [1, -1, WIDEST, -WIDEST])
async def test_what_was_stored_is_what_is_loaded(millionths: int) -> None:
    totals, sink = WindowTotals(), MemorySink()
    before = changed(totals, {"input_tokens": millionths})
    await sink.write_totals(totals_table(before, totals, topic_epoch=1))
    stored = await sink.read_totals(1, {3: [datetime.fromtimestamp(7200, UTC)]})
    after = stored_totals(stored, totals)
    assert after.to_dicts() == before.select(after.columns).to_dicts()


def test_a_header_without_a_value_is_kept_as_one() -> None:
    """Kafka has headers of null; one of them must not stop the stream."""
    headers = (("x", None), ("x", b""), ("y", b"\xff"))
    rejection = Rejection(3, 41, 0, 0, Reason.NULL_VALUE, "no value", None, None, headers)
    table = dead_letters_table([rejection], topic_epoch=1)
    assert table["record_headers"].to_pylist() == ['[["x", null], ["x", ""], ["y", "/w=="]]']

"""Past usage read again: every row of the range once, in portions that need no other, the same from either store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from sinks import tables
from sinks.clickhouse import ClickHouseSink
from sinks.contract import Sink
from sinks.memory import MemorySink
from sinks.memory_usage import MemoryUsage
from sinks.usage import PORTION_ROWS, Counted, UsageLedger, UsagePortion, UsageRange, cut
from tests.support import rows
from tests.support.rows import WINDOW, Row, ledger_row, void_row
from topics.block import DIMENSION_COLUMNS, Kind

HOUR = timedelta(hours=1)
DAY = UsageRange(datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 16, tzinfo=UTC))
COLUMNS = ("id", "pricing", "rule_id", "currency", "customer_charge", "window_start", "identity_low", "target_low")
# Values that only survive when nothing is ever written into a statement as text.
ODD = ("a'b", 'a"b', "a\\b", "a\tb", "a\nb", "{x:String}", "Zürich \U0001f4a7", "~")


def ledger_of(sink: Sink) -> UsageLedger:
    """The question's addressee."""
    if isinstance(sink, MemorySink):
        return MemoryUsage(sink.ledger)
    assert isinstance(sink, ClickHouseSink)
    return sink


def usage_at(offset: int, hour: int = 0, **given: Any) -> Row:
    window = WINDOW + hour * HOUR
    return ledger_row(offset, **({"window_start": window, "event_time": window + timedelta(minutes=5)} | given))


async def read(
    sink: Sink,
    usage: UsageRange = DAY,
    portion_rows: int = PORTION_ROWS,
    tags: Collection[str] = DIMENSION_COLUMNS,
) -> list[list[dict[str, Any]]]:
    """The rows of each portion, with their tags; in order of their ids."""
    ledger = ledger_of(sink)
    found = []
    for portion in await ledger.plan_usage(usage, portion_rows):
        answer = await ledger.read_usage(portion, tags, COLUMNS)
        tagged = answer.rows.hstack(answer.dimensions[answer.rows["dimension"].to_list()])
        found.append(tagged.drop("dimension").sort("id").to_dicts())
    return found


def ids(portions: list[list[dict[str, Any]]]) -> list[list[str]]:
    return [[row["id"] for row in portion] for portion in portions]


async def test_only_what_came_without_a_price_is_read_where_nothing_else_is_asked_for_and_every_correction(
    sink: Sink,
) -> None:
    nothing: dict[str, Any] = rows.NULL_AMOUNTS
    waiting = usage_at(1, pricing="unpriced", unpriced_reason="no_price", **nothing)
    await sink.write_ledger(rows.ledger([usage_at(0), waiting, void_row(2, usage_at(0)), void_row(3, waiting)]))
    unpriced = UsageRange(DAY.start, DAY.end, unpriced=True)
    assert ids(await read(sink, unpriced)) == [["e1", "v2", "v3"]]
    assert [portion.rows for portion in await ledger_of(sink).plan_usage(unpriced)] == [3]


async def test_a_row_comes_back_as_the_rater_takes_it(sink: Sink) -> None:
    event = usage_at(3, usage={"input_tokens": Decimal("1000000000000.000001"), "requests": Decimal(0)}, region="eu")
    await sink.write_ledger(rows.ledger([event, void_row(4, event)]))
    [[found, taken_back]] = await read(sink)
    assert found == {
        **{name: event[name] for name in (*DIMENSION_COLUMNS, *COLUMNS) if name != "window_start"},
        "kind": int(Kind.USAGE),
        "event_time": int(event["event_time"].timestamp()) * 1_000_000,
        "window_start": int(event["window_start"].timestamp()) * 1_000_000,
        "usage.input_tokens": 1_000_000_000_000_000_001,
        "usage.requests": 0,
    }
    assert taken_back["kind"] == int(Kind.VOID)
    assert taken_back["usage.input_tokens"] == -1_000_000_000_000_000_001
    assert taken_back["target_low"] == event["identity_low"]


async def test_a_meter_that_an_event_lacks_is_null_and_not_zero(sink: Sink) -> None:
    await sink.write_ledger(
        rows.ledger([usage_at(1, usage={"requests": Decimal(1)}), usage_at(2, usage={"documents": Decimal("0.5")})])
    )
    [[first, second]] = await read(sink)
    assert (first["usage.requests"], first["usage.documents"]) == (1_000_000, None)
    assert (second["usage.requests"], second["usage.documents"]) == (None, 500_000)


async def test_usage_without_any_meter_has_a_row_and_no_columns(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([usage_at(1, usage={})]))
    [[found]] = await read(sink)
    assert [name for name in found if name.startswith("usage.")] == []


async def test_a_row_written_twice_is_read_once(sink: Sink) -> None:
    for _ in range(2):
        await sink.write_ledger(rows.ledger([usage_at(1), usage_at(2)]))
    assert ids(await read(sink)) == [["e1", "e2"]]


async def test_the_range_is_half_open_in_event_time_and_corrections_come_with_their_window(sink: Sink) -> None:
    inside = usage_at(1, event_time=WINDOW + timedelta(minutes=30))
    late = void_row(9, inside, event_time=WINDOW + timedelta(days=40))
    others = [usage_at(number, event_time=WINDOW + timedelta(minutes=number)) for number in (29, 45)]
    before, after = usage_at(50, hour=-1), usage_at(51, hour=1)
    await sink.write_ledger(rows.ledger([inside, late, *others, before, after]))
    half_hour = UsageRange(WINDOW + timedelta(minutes=30), WINDOW + timedelta(minutes=45))
    assert ids(await read(sink, half_hour)) == [["e1", "v9"]]


async def test_an_end_inside_a_second_does_not_lose_the_window_that_starts_with_it(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([usage_at(1, event_time=WINDOW)]))
    instant = UsageRange(WINDOW, WINDOW + timedelta(microseconds=1))
    assert ids(await read(sink, instant)) == [["e1"]]


async def test_one_builder_can_be_asked_for(sink: Sink) -> None:
    await sink.write_ledger(
        rows.ledger([usage_at(number, builder=name) for number, name in enumerate(("a", "a'", "b"))])
    )
    for number, name in enumerate(("a", "a'", "b")):
        assert ids(await read(sink, UsageRange(DAY.start, DAY.end, name))) == [[f"e{number}"]]


@pytest.mark.parametrize("portion_rows", [1, 2, 3, 5, 1000])
async def test_portions_hold_every_row_once_whatever_their_size(sink: Sink, portion_rows: int) -> None:
    written = [
        usage_at(number, hour=number % 3, builder=builder, tenant=tenant)
        for number, (builder, tenant) in enumerate((b, t) for b in ("a", "b", *ODD) for t in ("x", *ODD))
    ]
    written += [usage_at(1000 + number, hour=number % 4, builder="b", tenant="large") for number in range(12)]
    await sink.write_ledger(rows.ledger(written))
    portions = ids(await read(sink, portion_rows=portion_rows))
    assert sorted(name for portion in portions for name in portion) == sorted(row["id"] for row in written)
    assert max(map(len, portions)) <= max(portion_rows, 3)


async def test_corrections_stand_in_the_portion_of_their_event_even_in_shards(sink: Sink) -> None:
    events = [usage_at(number) for number in range(40)]
    await sink.write_ledger(rows.ledger([*events, *(void_row(100 + at, each) for at, each in enumerate(events))]))
    portions = ids(await read(sink, portion_rows=10))
    assert len(portions) == 8
    for portion in portions:
        assert {int(name[1:]) for name in portion if name[0] == "e"} == {
            int(name[1:]) - 100 for name in portion if name[0] == "v"
        }


async def test_tags_that_nobody_asked_for_do_not_tell_sets_apart(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([usage_at(number, workspace=f"w{number}") for number in range(5)]))
    ledger = ledger_of(sink)
    [portion] = await ledger.plan_usage(DAY)
    answer = await ledger.read_usage(portion, ("tenant", "model"), ())
    assert answer.dimensions.select("tenant", "model", "workspace").rows() == [("north", "gpt-a", "")]
    assert answer.rows.height == 5


async def test_sets_of_tags_too_many_for_a_table_are_told_apart_all_the_same(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sink.write_ledger(
        rows.ledger([usage_at(at, tenant=f"t{at % 3}", feature=f"f{at % 4}", model=f"m{at % 2}") for at in range(24)])
    )
    [plenty] = await read(sink)
    monkeypatch.setattr("sinks.usage_columns._TABLE_MAX", 2)
    assert await read(sink) == [plenty]


async def test_an_empty_range_has_no_portions(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([usage_at(1)]))
    assert await ledger_of(sink).plan_usage(UsageRange(DAY.end, DAY.end + HOUR)) == []


async def test_a_portion_whose_rows_are_gone_is_read_as_none_with_all_columns(sink: Sink) -> None:
    portion = UsagePortion(DAY, ("a", "a"), ("z", "z"), DAY.windows, 5, 0)
    answer = await ledger_of(sink).read_usage(portion, DIMENSION_COLUMNS, tables.LEDGER.names[:3])
    assert answer.rows.height == answer.dimensions.height == 0
    assert answer.rows.schema["event_time"] == pl.Int64
    assert answer.dimensions.columns == list(DIMENSION_COLUMNS)


def test_neighbours_are_put_together_and_a_large_tenant_is_cut_by_window() -> None:
    windows = [(WINDOW + number * HOUR, Counted(4, number)) for number in range(3)]
    tenants = [(("a", name), Counted(rows, 0)) for name, rows in (("1", 3), ("2", 2), ("3", 5), ("4", 12), ("5", 1))]
    portions = cut(DAY, tenants, lambda tenant: windows, 5)
    midnight, end = DAY.windows
    assert [(each.first[1], each.last[1], each.rows, each.windows) for each in portions] == [
        ("1", "2", 5, DAY.windows),
        ("3", "3", 5, DAY.windows),
        ("4", "4", 4, (midnight, WINDOW + HOUR)),
        ("4", "4", 4, (WINDOW + HOUR, WINDOW + 2 * HOUR)),
        ("4", "4", 4, (WINDOW + 2 * HOUR, end)),
        ("5", "5", 1, DAY.windows),
    ]

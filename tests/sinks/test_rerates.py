"""Re-ratings on record, and usage that waits for a price: one contract for both stores."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sinks.clickhouse import ClickHouseSink
from sinks.contract import Sink
from sinks.memory import MemorySink
from sinks.memory_rerates import MemoryRerates
from sinks.reconciliation import total_residual
from sinks.rerates import PLANNED, PUBLISHED, Rerate, RerateStore, from_row, in_order, replace, to_row
from tests.support import rows
from tests.support.rows import NULL_AMOUNTS, WINDOW, Row, checkpoint_row, ledger_row, void_row

PLAN = Rerate(
    rerate_id="r-1",
    state=PLANNED,
    by="ada",
    reason="price list of January corrected",
    topic_epoch=1,
    event_time_from=datetime(2026, 1, 1, tzinfo=UTC),
    event_time_to=datetime(2026, 2, 1, tzinfo=UTC),
    builder="acme",
    tenant="",
    unpriced=False,
    prices="2026-01-corrected",
    rules="",
    timeline=False,
    by_hand="leave",
    books={"prices 2026-01": "ab", "rules 2026-01": "cd"},
    cut={(1, 0): 7, (1, 10): 2**40},
    ends={},
    events=3,
    differences={"USD": {"customer_charge": Decimal("-0.000000000001")}, "EUR": {"customer_charge": Decimal(5)}},
    sequence=1,
)


def store_of(sink: Sink) -> RerateStore:
    if isinstance(sink, MemorySink):
        return MemoryRerates(sink)
    assert isinstance(sink, ClickHouseSink)
    return sink


def waiting_row(offset: int, **given: Any) -> Row:
    return ledger_row(offset, **({"pricing": "unpriced", "unpriced_reason": "no_price"} | NULL_AMOUNTS | given))


def correction_row(offset: int, target: str, pricing: str, **given: Any) -> Row:
    return ledger_row(offset, kind="adjustment", id=f"a{offset}", target=target, usage={}, pricing=pricing, **given)


def test_an_entry_is_read_as_it_was_recorded() -> None:
    assert from_row({**to_row(PLAN), "recorded_at": WINDOW}) == replace(PLAN, recorded_at=WINDOW)


async def test_entries_come_back_in_order_with_the_stores_time(sink: Sink) -> None:
    store = store_of(sink)
    assert (await store.read_rerates()).entries == ()
    await store.record_rerate(PLAN)
    await store.record_rerate(replace(PLAN, sequence=2, state=PUBLISHED, ends={0: 9, 3: 1}))
    read = await store.read_rerates()
    assert [replace(entry, recorded_at=PLAN.recorded_at) for entry in read.entries] == [
        PLAN,
        replace(PLAN, sequence=2, state=PUBLISHED, ends={0: 9, 3: 1}),
    ]
    assert all(abs(read.now - entry.recorded_at) < timedelta(seconds=60) for entry in read.entries)
    assert read.entries[0].recorded_at <= read.entries[1].recorded_at <= read.now + timedelta(seconds=1)
    assert read.next_place == 3
    assert [(plan.state, newest.state) for plan, newest in read.latest()] == [(PLANNED, PUBLISHED)]


async def test_of_two_entries_for_one_place_the_first_has_it(sink: Sink) -> None:
    store = store_of(sink)
    await store.record_rerate(PLAN)
    await store.record_rerate(replace(PLAN, rerate_id="r-2"))
    assert [entry.rerate_id for entry in (await store.read_rerates()).entries] == ["r-1"]


async def test_many_at_once_for_one_place_leave_one(sink: Sink) -> None:
    store = store_of(sink)
    for place in range(1, 4):
        await asyncio.gather(
            *(store.record_rerate(replace(PLAN, sequence=place, rerate_id=f"{place}-{one}")) for one in range(8))
        )
        read = await store.read_rerates()
        assert [entry.sequence for entry in read.entries] == list(range(1, place + 1))
        assert read.entries[-1].rerate_id.startswith(f"{place}-")
    if isinstance(sink, ClickHouseSink):  # it is the token that decides, not the reader
        sql = f"SELECT count() AS stored FROM {sink._client.configuration.database}.rerates"
        assert sink._client.query_rows(sql, doing="counting") == [{"stored": 3}]


def test_where_tokens_are_forgotten_the_first_recorded_has_the_place() -> None:
    late, early = (replace(PLAN, rerate_id=name, recorded_at=WINDOW + timedelta(hours=hour)) for name, hour in
                   (("late", 2), ("early", 1)))  # fmt: skip
    assert [entry.rerate_id for entry in in_order([late, early])] == ["early"]


async def test_usage_waits_until_it_is_taken_back_or_rated(sink: Sink) -> None:
    waiting = [
        waiting_row(0, id="still", model="m", event_time=WINDOW + timedelta(minutes=1)),
        waiting_row(1, id="voided", model="m"),
        void_row(2, waiting_row(1, id="voided", model="m")),
        waiting_row(3, id="rated", model="m"),
        correction_row(4, "rated", "rated_later", model="m"),
        waiting_row(5, id="by-hand", model="m", tenant="south", event_time=WINDOW + timedelta(minutes=9)),
        correction_row(6, "by-hand", "rated", model="m", tenant="south"),
        # The identity of what was rated, used again once the horizon had passed, by the same tenant and by another.
        waiting_row(7, id="rated", model="m", window_start=WINDOW + timedelta(hours=1)),
        waiting_row(8, id="rated", model="m", tenant="west", builder="brio"),
        waiting_row(9, id="other", unpriced_reason="no_rule"),
        ledger_row(10, id="plain"),
        correction_row(11, "plain", "rerated"),
    ]
    await sink.write_ledger(rows.ledger(waiting))
    await sink.write_ledger(rows.ledger(waiting[:5]))  # a replay
    store = store_of(sink)
    found = await store.read_waiting()
    assert {(each.unpriced_reason, each.model, each.builder): each.events for each in found} == {
        ("no_price", "m", ""): 4,
        ("no_rule", "gpt-a", ""): 1,
    }
    [model] = [each for each in found if each.model == "m"]
    assert model.tenants == ("acme/north", "acme/south", "brio/west")
    assert model.usage == {"input_tokens": Decimal(400), "requests": Decimal(4)}
    assert (model.first_event_time, model.last_event_time) == (
        WINDOW + timedelta(minutes=1),
        WINDOW + timedelta(minutes=9),
    )
    by_builder = await store.read_waiting(by_builder=True)
    assert {(each.model, each.builder): each.events for each in by_builder} == {
        ("m", "acme"): 3, ("m", "brio"): 1, ("gpt-a", "acme"): 1,
    }  # fmt: skip
    assert [each.events for each in await store.read_waiting(builder="brio")] == [1]
    assert await store.read_waiting(builder="bri'o\\") == []


async def test_ledger_and_totals_agree_about_usage_that_was_rated_later(sink: Sink) -> None:
    rated = {"rule_id": "later", "currency": "USD"}
    ledger = [
        waiting_row(0, id="e0", rule_id="", currency=""),
        correction_row(1, "e0", "rated_later", **rated),
        void_row(2, ledger_row(0, id="e0", **rated)),
        waiting_row(3, id="e3"),
        correction_row(4, "e3", "rated_later"),
    ]
    totals = rows.totals_of(ledger)
    assert sum(total["unpriced_events"] for total in totals) == 0
    await sink.write_ledger(rows.ledger(ledger))
    await sink.write_totals(rows.totals(totals))
    await sink.write_checkpoints(rows.checkpoints([checkpoint_row(5, accepted=5)]))
    accounts = await sink.read_accounts()
    assert total_residual(accounts.partitions) == 0
    lines = {line.name: line for line in accounts.partitions[0].residual.lines if line.name == "unpriced_events"}
    assert lines["unpriced_events"].ledger == lines["unpriced_events"].difference == 0


async def test_later_uses_of_an_identity_are_found_and_earlier_records_are_not(sink: Sink) -> None:
    first = ledger_row(0, id="e1", record_time=WINDOW)
    later = ledger_row(5, id="e1", record_time=WINDOW + timedelta(days=40), tenant="south")
    adjusted = correction_row(6, "e1", "rerated", record_time=WINDOW + timedelta(days=40))
    await sink.write_ledger(rows.ledger([first, later, adjusted]))
    store = store_of(sink)
    found = await store.find_usage(rows.identities("e1", "e2"), WINDOW + timedelta(days=35))
    assert [(row["tenant"], row["source_offset"]) for row in found.to_dicts()] == [("south", 5)]
    assert (await store.find_usage(rows.identities("e2"), WINDOW)).height == 0


async def test_stored_adjustments_of_one_re_rating_are_counted(sink: Sink) -> None:
    source = {"source": "tollstream/rerate"}
    mine = [correction_row(offset, "e0", "rerated", **source) | {"id": f"r-1/{offset}"} for offset in range(3)]
    others = [correction_row(7, "e0", "rerated", **source) | {"id": "r-11/7"}, correction_row(8, "e0", "rerated")]
    await sink.write_ledger(rows.ledger(mine + others))
    await sink.write_ledger(rows.ledger(mine[:1]))
    assert await store_of(sink).count_rerated("r-1") == 3


@pytest.mark.parametrize(
    ("change", "overlap"),
    [
        ({}, True),
        ({"event_time_to": PLAN.event_time_from}, False),
        ({"event_time_from": PLAN.event_time_to, "event_time_to": datetime(2026, 3, 1, tzinfo=UTC)}, False),
        ({"builder": "brio"}, False),
        ({"builder": ""}, True),
        ({"builder": "", "tenant": "north"}, True),
    ],
)
def test_re_ratings_overlap_where_one_event_can_be_in_both(change: dict[str, Any], overlap: bool) -> None:
    other = replace(PLAN, **change)
    assert PLAN.overlaps(other) is overlap
    assert other.overlaps(PLAN) is overlap

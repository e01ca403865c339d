"""The life of a block: what is reported, what is remembered, and what is forgotten after a failure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from agents.meter import Meter
from agents.progress import ResumeError
from sinks.errors import SinkTerminalError
from sinks.memory import MemorySink
from tests.support.desk import (
    EPOCH,
    NOW,
    Desk,
    adjustment,
    committed,
    epoch_of,
    meter_of,
    process,
    record_of,
    usage,
    void,
)
from tests.support.raw import Record
from topics.events import AnyEvent
from topics.partitioner import partition_for
from topics.reasons import Reason

HOUR = timedelta(hours=1)


class Store(MemorySink):
    """Refuses the named write, and notes every read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = ""
        self.seen: list[str] = []

    def _note(self, what: str) -> None:
        self.seen.append(what)
        if what == self.refuses:
            raise SinkTerminalError(f"no {what}")

    async def write_ledger(self, rows: pa.Table) -> None:
        self._note("ledger")
        await super().write_ledger(rows)

    async def write_totals(self, rows: pa.Table) -> None:
        self._note("totals")
        await super().write_totals(rows)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        self._note("checkpoints")
        await super().write_checkpoints(rows)

    async def read_totals(self, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
        self._note(f"read {sum(map(len, windows.values()))} windows")
        return await super().read_totals(topic_epoch, windows)


def subjects(partitions: int) -> dict[int, str]:
    """A tenant of each partition."""
    found = {partition_for(f"acme/t{number}".encode(), partitions): f"t{number}" for number in range(40)}
    return dict(sorted(found.items()))


def record(partition: int, offset: int, partitions: int, event_id: str) -> Record:
    """A usage event where Kafka would have put it."""
    event = usage(event_id, tenant=subjects(partitions)[partition])
    return replace(record_of(offset, event), partition=partition)


async def started(sink: MemorySink, partitions: int = 1) -> Meter:
    meter = meter_of(sink, epoch_of(partitions))
    await meter.assign(dict.fromkeys(range(partitions)))
    return meter


async def test_a_report_says_what_became_of_every_event() -> None:
    desk = Desk()
    await desk.take(usage("e0"))
    desk.log += [
        record_of(1, usage("e1")),
        record_of(2, usage("e1")),
        record_of(3, [usage("e2", model="unheard-of"), usage("e0", feature="x"), usage("e3", feature="free")]),
        record_of(4, void("e0")),
        record_of(5, void("e0", "v2")),
        record_of(6, adjustment("e1", earnings="-1")),
        record_of(7, b"not json", NOW + HOUR),
    ]
    assert desk.meter is not None
    report = await process(desk.meter, desk.log[1:])
    assert (report.records, report.accepted, report.duplicates) == (7, 5, 1)
    assert report.dead_lettered == {
        Reason.CONFLICTING_DUPLICATE: 1,
        Reason.TARGET_ALREADY_VOIDED: 1,
        Reason.NOT_JSON: 1,
    }
    assert (report.voids, report.adjustments, report.unpriced) == (1, 1, 1)
    assert report.negative_earnings == 1  # what is included for nothing; a correction is somebody's decision
    assert (report.next_offsets, report.owned) == ({0: 8}, True)
    assert report.max_record_time == (NOW + HOUR - EPOCH) // timedelta(microseconds=1)
    assert list(report.stage_seconds) == [
        "decode", "rate", "admit", "window", "encode", "ledger", "dead_letters", "totals", "checkpoint", "commit",
    ]  # fmt: skip


async def test_progress_is_what_is_stored_and_nothing_else() -> None:
    sink = Store()
    meter = await started(sink)
    await process(meter, [record_of(0, usage("e0"))])
    assert meter.progress[0].next_offset == 1
    seen: list[int] = []

    async def look(_: dict[int, int]) -> bool:
        seen.append(meter.progress[0].next_offset)
        return True

    await meter.process(await meter.prepare([record_of(1, usage("e1"))]), look)
    assert seen == [1], "until Kafka has answered, the block may yet be another worker's"
    assert meter.progress[0].next_offset == 2


@pytest.mark.parametrize("refused", ["ledger", "totals", "checkpoints", "offsets"])
async def test_after_a_failure_nothing_is_owned_and_the_next_assignment_repeats_the_block_exactly(refused: str) -> None:
    sink, straight = Store(), Desk()
    events: list[AnyEvent | bytes] = [usage("e0"), usage("e0"), void("e0"), usage("e1"), b"not json"]
    meter = await started(sink)
    await process(meter, [record_of(0, usage("before"))])
    sink.refuses = refused

    async def commit(_: dict[int, int]) -> bool:
        if refused == "offsets":
            raise SinkTerminalError("no offsets")
        return True

    block = [record_of(1 + number, event) for number, event in enumerate(events)]
    with pytest.raises(SinkTerminalError, match=f"no {refused}"):
        await meter.process(await meter.prepare(block), commit)
    assert meter.progress == {}

    sink.refuses = ""
    await meter.assign({0: 1})
    await process(meter, block)
    await straight.take(usage("before"), *events)
    for name in ("ledger", "totals", "dead_letters", "checkpoints"):
        assert getattr(sink, name).equals(getattr(straight.sink, name)), name


async def test_a_block_that_another_worker_owns_by_now_leaves_nothing_in_memory() -> None:
    meter = await started(MemorySink())

    async def fenced(_: dict[int, int]) -> bool:
        return False

    report = await meter.process(await meter.prepare([record_of(0, usage())]), fenced)
    assert not report.owned
    assert meter.progress == {}


async def test_an_assignment_is_the_whole_truth_about_what_is_owned() -> None:
    sink = MemorySink()
    meter = await started(sink, partitions=2)
    await process(meter, [record(0, 0, 2, "e0"), record(1, 0, 2, "e1"), record(1, 1, 2, "e2")])
    await meter.assign({1: 1})
    assert {partition: state.next_offset for partition, state in meter.progress.items()} == {1: 2}
    await meter.assign({0: None, 1: 2})
    assert {partition: state.next_offset for partition, state in meter.progress.items()} == {0: 1, 1: 2}


async def test_what_another_worker_stored_meanwhile_is_seen_after_an_assignment() -> None:
    """Nothing that this one remembers of the same partition may be added to."""
    sink = MemorySink()
    here, elsewhere = await started(sink), await started(sink)
    await process(here, [record_of(0, usage("e0"))])
    await elsewhere.assign({0: 1})
    await process(elsewhere, [record_of(1, usage("e1"))])
    await here.assign({0: 2})
    assert (await process(here, [record_of(2, usage("e1")), record_of(3, usage("e2"))])).duplicates == 1
    assert sink.totals["customer_charge"].to_list() == [3 * Decimal("0.005625")]


async def test_revoked_partitions_are_forgotten_and_the_others_go_on() -> None:
    sink = Store()
    meter = await started(sink, partitions=2)
    await process(meter, [record(0, 0, 2, "e0"), record(1, 0, 2, "e1")])
    meter.revoke([0])
    assert list(meter.progress) == [1]
    sink.seen.clear()
    await process(meter, [record(1, 1, 2, "e2")])
    assert sink.seen == ["ledger", "totals", "checkpoints"], "its window is still in memory"


@pytest.mark.parametrize(("offset", "starts"), [(None, True), (0, True), (1, True), (2, True), (3, False)])
async def test_an_offset_beyond_the_checkpoint_is_never_started_from(offset: int | None, starts: bool) -> None:
    sink = MemorySink()
    await process(await started(sink), [record_of(0, usage("e0")), record_of(1, usage("e1"))])
    meter = meter_of(sink, epoch_of())
    if starts:
        await meter.assign({0: offset})
        assert meter.progress[0].next_offset == 2
        return
    with pytest.raises(ResumeError, match="committed offset 3 is beyond the checkpoint 2"):
        await meter.assign({0: offset})
    assert meter.progress == {}


async def test_a_committed_offset_without_any_checkpoint_is_refused() -> None:
    with pytest.raises(ResumeError, match="5 records would be skipped"):
        await meter_of(MemorySink(), epoch_of()).assign({0: 5})


async def test_totals_are_read_once_for_each_window_and_then_kept() -> None:
    sink = Store()
    meter = await started(sink)
    await process(meter, [record_of(0, usage("e0")), record_of(1, usage("e1", time=NOW - 3 * HOUR))])
    await process(meter, [record_of(2, usage("e2")), record_of(3, usage("e3", time=NOW - 5 * HOUR))])
    await process(meter, [record_of(4, usage("e4"))])
    assert [what for what in sink.seen if what.startswith("read")] == ["read 2 windows", "read 1 windows"]
    assert sink.totals["customer_charge"].sum() == 5 * Decimal("0.005625")


async def test_a_checkpoint_is_written_only_when_it_moves() -> None:
    sink = Store()
    meter = await started(sink)
    block = [record_of(0, usage("e0")), record_of(1, usage("e1"))]
    await process(meter, block)
    sink.seen.clear()
    await process(meter, block)
    assert sink.seen == ["ledger"], "the rows replace themselves, and nothing else is new"


async def test_while_the_store_is_waited_for_the_next_block_may_be_prepared() -> None:
    sink = Store()
    meter = await started(sink)
    told: list[list[str]] = []
    prepared = await meter.prepare([record_of(0, usage())])
    await meter.process(prepared, committed, flushing=lambda: told.append(list(sink.seen)))
    assert told == [["read 1 windows"]], "once, before the first write"


async def test_a_block_prepared_before_the_one_ahead_of_it_was_stored_is_judged_after_it() -> None:
    sink = MemorySink()
    meter = await started(sink)
    first, second = [await meter.prepare([record_of(offset, usage())]) for offset in (0, 1)]
    assert (await meter.process(first, committed)).accepted == 1
    assert (await meter.process(second, committed)).duplicates == 1

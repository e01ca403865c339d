"""The pump on chunks made by hand and a meter that only remembers: what is moved, what is dropped, what stops it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from agents.pump import Limits, PositionError, Pump
from agents.transport import Chunk, FetchedRecord
from sinks.errors import StoreBusyError


def chunk(partition: int, start: int, end: int, size: int = 1) -> Chunk:
    records: list[Any] = [FetchedRecord(partition, offset, 0, b"k", b"v", ()) for offset in range(start, end)]
    return Chunk(partition, start, end, records, size, seek=0)


@dataclass
class At:
    next_offset: int


@dataclass
class FakeMeter:
    """Stores offsets, nothing else; `gates` hold a block in flight, `error` breaks the next one."""

    stored: dict[int, int] = field(default_factory=dict)
    progress: dict[int, At] = field(default_factory=dict)
    blocks: list[list[tuple[int, int]]] = field(default_factory=list)
    prepared: int = 0
    gate: asyncio.Event | None = None
    admission_gate: asyncio.Event | None = None
    error: Exception | None = None
    failing_loads: int = 0

    async def assign(self, committed: Mapping[int, int | None]) -> None:
        await asyncio.sleep(0)
        if self.failing_loads:
            self.failing_loads -= 1
            raise StoreBusyError(doing="loading", code=None, detail="busy")
        self.progress = {partition: At(self.stored.get(partition, 0)) for partition in committed}

    def revoke(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.progress.pop(partition, None)

    async def prepare(self, records: Sequence[Any]) -> Any:
        self.prepared += 1
        return [(record.partition, record.offset) for record in records]

    async def process(self, prepared: Any, commit: Any, flushing: Callable[[], None]) -> Any:
        if self.admission_gate is not None:
            await self.admission_gate.wait()
        flushing()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        following: dict[int, int] = {}
        for partition, offset in prepared:
            following[partition] = offset + 1
        owned = await commit(following)
        if owned:
            self.blocks.append(prepared)
            self.stored.update(following)
            for partition, offset in following.items():
                self.progress[partition].next_offset = offset
        return SimpleNamespace(owned=owned)


@dataclass
class Harness:
    meter: FakeMeter
    pump: Pump
    commits: list[dict[int, int]]
    answer: list[bool]

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return [place for block in self.meter.blocks for place in block]

    async def until(self, blocks: int) -> None:
        async with asyncio.timeout(60):
            while len(self.meter.blocks) < blocks:
                await asyncio.sleep(0.001)


@asynccontextmanager
async def running(**limits: Any) -> AsyncIterator[Harness]:
    meter, commits, answer = FakeMeter(), list[dict[int, int]](), [True]

    async def commit(offsets: dict[int, int]) -> bool:
        commits.append(offsets)
        return answer[0]

    pump = Pump(meter, commit, Limits(**({"block_seconds": 0.01} | limits)))
    pump.start()
    try:
        yield Harness(meter, pump, commits, answer)
    finally:
        await pump.drain(0.1)
        with suppress(BaseException):
            if pump.failure.done():
                pump.failure.exception()


async def test_chunks_become_blocks_in_order_and_are_committed_at_their_next_offsets() -> None:
    async with running(block_records=10) as it:
        await it.pump.assign({0: None, 1: None})
        for start in range(0, 40, 5):
            await it.pump.offer(chunk(0, start, start + 5))
            await it.pump.offer(chunk(1, start, start + 5))
        assert await it.pump.drain(5)
    assert sorted(it.offsets) == [(partition, offset) for partition in (0, 1) for offset in range(40)]
    assert all(len(block) <= 10 for block in it.meter.blocks)
    assert it.commits[-1].items() <= {0: 40, 1: 40}.items()
    assert it.meter.stored == {0: 40, 1: 40}


async def test_a_block_that_does_not_fill_goes_on_after_the_linger() -> None:
    async with running(block_records=1000, block_seconds=0.02) as it:
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 3))
        await it.until(1)
        assert it.commits == [{0: 3}]


async def test_the_next_block_is_prepared_while_one_is_in_flight_and_no_third_one() -> None:
    async with running(block_records=5) as it:
        it.meter.gate = asyncio.Event()
        await it.pump.assign({0: None})
        blocked: list[asyncio.Task[None]] = []
        for start in range(0, 50, 5):
            blocked.append(asyncio.create_task(it.pump.offer(chunk(0, start, start + 5))))
            await asyncio.sleep(0.005)
        assert it.meter.prepared == 2
        assert sum(task.done() for task in blocked) == 3  # in flight, prepared, waiting; the fetcher has to wait
        it.meter.gate.set()
        await it.until(10)
        assert it.meter.stored == {0: 50}


async def test_bytes_fill_a_block_as_records_do() -> None:
    async with running(block_bytes=100, block_seconds=30) as it:
        await it.pump.assign({0: None})
        for start in range(4):
            await it.pump.offer(chunk(0, start, start + 1, size=60))
        await it.until(3)
        assert [len(block) for block in it.meter.blocks] == [1, 1, 1]


@pytest.mark.parametrize("start", [8, 12])
async def test_a_chunk_that_does_not_follow_the_one_before_stops_the_worker(start: int) -> None:
    async with running() as it:
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 10))
        await it.pump.offer(chunk(0, start, 20))
        with pytest.raises(PositionError, match="partition 0: offset 10 was to follow"):
            await it.pump.failure
    assert (0, 19) not in it.offsets


async def test_the_first_chunk_may_lie_before_the_checkpoint_but_not_beyond_it() -> None:
    async with running() as it:
        it.meter.stored = {0: 100}
        await it.pump.assign({0: 90})
        await it.pump.offer(chunk(0, 90, 110))
        await it.until(1)
        await it.pump.assign({0: 110})
        await it.pump.offer(chunk(0, 111, 120))
        with pytest.raises(PositionError, match="records 110 to 110 were not delivered"):
            await it.pump.failure


async def test_offsets_without_records_inside_a_chunk_are_no_gap() -> None:
    async with running() as it:
        await it.pump.assign({0: None})
        aborted = chunk(0, 4, 6)
        await it.pump.offer(Chunk(0, 0, 6, aborted.records, 1, 0))  # 0 to 3 were an aborted transaction
        await it.pump.offer(chunk(0, 6, 8))
        await it.until(1)
        assert not it.pump.failure.done()


async def test_revoking_lets_the_block_in_flight_finish_and_drops_what_waits() -> None:
    async with running(block_records=5) as it:
        it.meter.gate = asyncio.Event()
        await it.pump.assign({0: None})
        for start in (0, 5, 10):
            await it.pump.offer(chunk(0, start, start + 5))
            await asyncio.sleep(0.01)
        revoking = asyncio.create_task(it.pump.revoke())
        await asyncio.sleep(0.01)
        assert not revoking.done()
        it.meter.gate.set()
        await revoking
        await asyncio.sleep(0.05)
        assert it.meter.stored == {0: 5}
        assert it.meter.progress == {}
        await it.pump.assign({0: 5})
        await it.pump.offer(chunk(0, 5, 8))
        await it.until(2)
        assert it.meter.stored == {0: 8}
    assert not it.pump.failure.done()


async def test_a_block_in_flight_beyond_the_bound_of_a_rebalance_is_broken_off_and_never_committed() -> None:
    async with running(revoke_seconds_max=0.05) as it:
        it.meter.gate = asyncio.Event()
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 5))
        await asyncio.sleep(0.05)
        await it.pump.revoke()
        it.meter.gate.set()
        await asyncio.sleep(0.02)
        assert it.commits == []
        assert not it.pump.failure.done()


async def test_an_offer_that_waited_through_a_rebalance_is_dropped() -> None:
    async with running(block_records=5) as it:
        it.meter.gate = asyncio.Event()
        await it.pump.assign({0: None})
        late = [asyncio.create_task(it.pump.offer(chunk(0, start, start + 5))) for start in range(0, 30, 5)]
        await asyncio.sleep(0.02)
        it.meter.gate.set()
        await it.pump.revoke()
        await asyncio.gather(*late)
        await it.pump.assign({0: 5})
        await asyncio.sleep(0.05)
        assert it.meter.stored == {0: 5}
        assert not it.pump.failure.done()


async def test_a_chunk_fetched_before_the_newest_seek_is_dropped() -> None:
    async with running() as it:
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 7, 9), lambda chunk: False)
        await it.pump.offer(chunk(0, 0, 3))
        await it.until(1)
        assert it.meter.stored == {0: 3}


async def test_a_refused_commit_drops_everything_until_the_next_assignment() -> None:
    async with running(block_records=5) as it:
        await it.pump.assign({0: None})
        it.answer[0] = False
        await it.pump.offer(chunk(0, 0, 5))
        await asyncio.sleep(0.05)
        await it.pump.offer(chunk(0, 5, 10))
        await asyncio.sleep(0.05)
        assert it.commits == [{0: 5}]
        assert it.meter.blocks == []
        assert list(it.pump.partitions) == []
        it.answer[0] = True
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 5))
        await it.until(1)


async def test_an_error_of_the_meter_is_the_failure_and_nothing_after_it_is_processed() -> None:
    async with running(block_records=5) as it:
        await it.pump.assign({0: None})
        it.meter.error = RuntimeError("the store refused")
        await it.pump.offer(chunk(0, 0, 5))
        await it.pump.offer(chunk(0, 5, 10))
        with pytest.raises(RuntimeError, match="the store refused"):
            await it.pump.failure
        it.meter.error = None
        await asyncio.sleep(0.05)
    assert it.commits == []


async def test_loading_state_is_tried_again_while_the_store_is_busy() -> None:
    async with running() as it:
        it.meter.failing_loads = 2
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 2))
        await it.until(1)


async def test_loading_state_gives_up_after_its_deadline() -> None:
    async with running(assign_seconds_max=0.05) as it:
        it.meter.failing_loads = 1000
        with pytest.raises(StoreBusyError):
            await it.pump.assign({0: None})


async def test_partitions_revoked_while_loading_are_not_owned() -> None:
    async with running() as it:
        loading = asyncio.create_task(it.pump.assign({0: None}))
        await asyncio.sleep(0)
        await it.pump.revoke()
        await loading
        assert list(it.pump.partitions) == []
        assert it.meter.progress == {}


async def test_draining_stores_what_was_taken_and_takes_no_more() -> None:
    async with running(block_records=1000, block_seconds=60) as it:
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 3))
        assert await it.pump.drain(5)
        await it.pump.offer(chunk(0, 3, 6))
        assert it.meter.stored == {0: 3}


async def test_draining_past_its_deadline_breaks_off_and_says_so() -> None:
    async with running() as it:
        it.meter.gate = asyncio.Event()
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 3))
        await asyncio.sleep(0.05)
        assert not await it.pump.drain(0.05)
        assert it.commits == []


async def test_the_next_block_is_prepared_while_one_is_flushed_and_not_while_it_is_admitted() -> None:
    async with running(block_records=10) as it:
        it.meter.admission_gate, it.meter.gate = asyncio.Event(), asyncio.Event()
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 10))
        await it.pump.offer(chunk(0, 10, 20))
        await asyncio.sleep(0.05)
        assert it.meter.prepared == 1
        it.meter.admission_gate.set()
        await asyncio.sleep(0.05)
        assert (it.meter.prepared, it.meter.blocks) == (2, [])
        it.meter.gate.set()
        await it.until(blocks=2)


async def test_a_block_that_is_broken_off_before_it_began_does_not_hold_up_the_next_one() -> None:
    async with running(block_records=10, revoke_seconds_max=0) as it:
        it.meter.admission_gate = asyncio.Event()
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 10))
        await asyncio.sleep(0.05)
        await it.pump.revoke()
        it.meter.admission_gate.set()
        await it.pump.assign({0: None})
        await it.pump.offer(chunk(0, 0, 10))
        await it.until(blocks=1)
        assert it.offsets == [(0, offset) for offset in range(10)]

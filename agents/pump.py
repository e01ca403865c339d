"""The pump: chunks in from the fetcher, blocks through the meter, one behind the other, never a gap.

Life     `assign` (after a rebalance) -> `offer` chunks ... -> `revoke` (before the next one) or `drain` (at the end).
         Meanwhile `run` forms blocks, and prepares block N+1 in a thread while block N is flushed.
Memory   bounded: what waits to become a block (block_records, block_bytes), one block in preparation or prepared, one
         being flushed. When that is full `offer` waits, the fetcher waits for it, and so does the network.
Order    every chunk has to start where the one before it ended, the first at or before the checkpoint: a hole in the
         log is an error here, whatever made it. Repeats before the checkpoint are the meter's daily bread.
Errors   whatever goes wrong ends in `failure`, a future that the worker waits for: it stops the process, offsets stay
         where they are, and the supervisor starts another. Nothing is swallowed or skipped.

It knows neither Faust nor Kafka; the tests run it on chunks made by hand.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from agents.deadline import Deadline

if TYPE_CHECKING:  # the pump moves these, and looks into none of them
    from agents.commit import Commit
    from agents.meter import BlockReport
    from agents.preparation import PreparedBlock
    from agents.transport import Chunk
    from topics.block import RawRecord

LOG = logging.getLogger(__name__)


class Position(Protocol):
    """How far a partition is stored; `agents.progress.Progress` is one."""

    @property
    def next_offset(self) -> int:
        """All offsets below are stored."""


class BlockMeter(Protocol):
    """What the pump needs of `agents.meter.Meter`."""

    @property
    def progress(self) -> Mapping[int, Position]:
        """Of each owned partition, what is stored."""

    async def assign(self, committed: Mapping[int, int | None]) -> None:
        """Own exactly these partitions."""

    def revoke(self, partitions: Collection[int]) -> None:
        """Forget these partitions."""

    async def prepare(self, records: Sequence[RawRecord]) -> PreparedBlock:
        """Without touching state."""

    async def process(self, prepared: PreparedBlock, commit: Commit, flushing: Callable[[], None]) -> BlockReport:
        """One call at a time; after an error nothing is owned."""


class PositionError(Exception):
    """The fetcher went on somewhere else than where it stopped: records would be skipped or read twice. Stop."""

    def __init__(self, *, partition: int, expected: int, start: int) -> None:
        self.partition, self.expected, self.start = partition, expected, start
        if start > expected:
            what = (
                f"records {expected} to {start - 1} were not delivered. If retention deleted them before they were "
                "billed, they are lost to this epoch: restore the topic, or start a new epoch"
            )
        else:
            what = (
                f"delivery went back to {start}. If the topic was cut off or made anew, start a new epoch; otherwise "
                "starting again reads on from the committed offset"
            )
        super().__init__(f"partition {partition}: offset {expected} was to follow, but {what}.")


@dataclass(frozen=True, slots=True)
class Limits:
    """When a block is full, and how long each wait may take (seconds)."""

    block_records: int = 50_000
    block_bytes: int = 24 * 1024 * 1024
    block_seconds: float = 1.0
    revoke_seconds_max: float = 20.0
    assign_seconds_max: float = 60.0


@dataclass(frozen=True, slots=True)
class _Expected:
    offset: int
    exact: bool  # False: the log may also be read again from before


class Pump:
    """Moves chunks through a meter; made, used and stopped on one event loop."""

    def __init__(
        self,
        meter: BlockMeter,
        commit: Commit,
        limits: Limits,
        *,
        ready: Callable[[], None] = lambda: None,
        inspect: Callable[[PreparedBlock], None] = lambda prepared: None,
        report: Callable[[BlockReport], None] = lambda report: None,
    ) -> None:
        """`ready` is asked before a block is prepared, `inspect` sees it before anything of it is stored: both stop
        the worker by raising. `report` sees what became of it."""
        self._meter, self._commit, self._limits = meter, commit, limits
        self._ready, self._inspect, self._report = ready, inspect, report
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.flushing = asyncio.Lock()  # held while a block is processed; whoever holds it has the sink to himself
        self.last_progress = time.monotonic()
        self._generation = 0
        self._expected: dict[int, _Expected] = {}
        self._waiting: deque[Chunk] = deque()
        self._waiting_records = self._waiting_bytes = 0
        self._changed = asyncio.Condition()
        self._closing = False
        self._preparing = False
        # Two threads that compute share one interpreter lock and wait for each other far longer than they work, so a
        # block is prepared while the one before is being flushed, and not while that one is being admitted.
        self._computed = asyncio.Event()
        self._computed.set()
        self._run: asyncio.Task[None] | None = None
        self._processing: asyncio.Task[None] | None = None

    @property
    def partitions(self) -> Collection[int]:
        """What is owned at the moment."""
        return tuple(self._expected)

    def has_stored(self, partition: int, handed: int | None) -> bool:
        """True when every chunk of this partition before the offset `handed` was taken, and all that was taken is
        stored."""
        expected = self._expected.get(partition)
        idle = not self._waiting and not self._preparing and (self._processing is None or self._processing.done())
        return idle and expected is not None and handed is not None and expected.offset >= handed

    def start(self) -> None:
        """Begin to form blocks."""
        self._run = asyncio.create_task(self._loop(), name="pump")
        self._run.add_done_callback(self._watch)

    def fail(self, error: BaseException) -> None:
        """Let the worker stop with this error; the first one counts."""
        if not self.failure.done():
            self.failure.set_exception(error)

    # Ownership

    async def assign(self, committed: Mapping[int, int | None]) -> None:
        """Own exactly these partitions (partition -> committed offset, None without one); their state is loaded."""
        self._generation += 1
        generation = self._generation
        await self._forget()

        async def load() -> None:
            if generation == self._generation:
                await self._meter.assign(committed)

        await Deadline(self._limits.assign_seconds_max).attempt(load)
        if generation != self._generation:  # revoked while loading
            self._meter.revoke(list(self._meter.progress))
            return
        self._expected = {
            partition: _Expected(position.next_offset, exact=False)
            for partition, position in self._meter.progress.items()
        }
        self.last_progress = time.monotonic()

    async def revoke(self) -> None:
        """Own nothing. The block being flushed may finish, and commit, within revoke_seconds_max; the rest is dropped
        and will be read again by whoever comes next."""
        self._generation += 1
        await self._forget()
        await self._settle(self._limits.revoke_seconds_max)
        self._meter.revoke(list(self._meter.progress))

    async def drain(self, seconds: float) -> bool:
        """Take no more, store what was taken, and end; False when that took too long and was broken off."""
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
        run = self._run
        if run is None:
            return True
        done, _ = await asyncio.wait({run}, timeout=seconds)
        if not done:
            run.cancel()
            await asyncio.wait({run})
            await self._settle(0)
        return bool(done)

    def abandon(self) -> None:
        """End at once: nothing more is stored, whatever is in hand will be read again."""
        self._closing = True
        for task in (self._run, self._processing):
            if task is not None:
                task.cancel()

    # Chunks in

    async def offer(self, chunk: Chunk, fresh: Callable[[Chunk], bool] = lambda chunk: True) -> None:
        """Take a chunk; waits while there is no room. A chunk of an older assignment is dropped: `fresh` says whether
        one is still what the fetcher would fetch next."""
        generation = self._generation
        async with self._changed:
            while self._full() and not self._closing and generation == self._generation:
                await self._changed.wait()
            if self._closing or generation != self._generation or not fresh(chunk):
                return
            expected = self._expected.get(chunk.partition)
            if expected is None:
                return  # revoked, or fenced: whoever owns it reads it again
            if chunk.start > expected.offset or (expected.exact and chunk.start != expected.offset):
                self.fail(PositionError(partition=chunk.partition, expected=expected.offset, start=chunk.start))
                return
            self._expected[chunk.partition] = _Expected(chunk.next, exact=True)
            self._waiting.append(chunk)
            self._waiting_records += len(chunk.records)
            self._waiting_bytes += chunk.size
            self._changed.notify_all()

    def _full(self) -> bool:
        return self._waiting_records >= self._limits.block_records or self._waiting_bytes >= self._limits.block_bytes

    # Blocks through

    async def _loop(self) -> None:
        while True:
            generation, records = await self._gather()
            if not records:
                break
            self._preparing = True  # until it is being processed, or dropped
            await self._computed.wait()
            self._ready()
            prepared = await self._meter.prepare(records)
            del records
            await self._settle(None)
            if self.failure.done():
                return
            self._preparing = False
            if generation != self._generation:
                continue
            self._inspect(prepared)
            self._computed.clear()
            self._processing = asyncio.create_task(self._process(prepared), name="block")
            self._processing.add_done_callback(self._watch)
            self._processing.add_done_callback(lambda _: self._computed.set())
            del prepared
        await self._settle(None)

    async def _gather(self) -> tuple[int, list[RawRecord]]:
        """Chunks for one block; none at all when closing and nothing is left."""
        async with self._changed:
            await self._linger()
            while not self._waiting and not self._closing:
                await self._changed.wait()
                await self._linger()  # may end with nothing, when partitions are revoked meanwhile
            records: list[RawRecord] = []
            size = 0
            while self._waiting and (not records or self._fits(len(records), size, self._waiting[0])):
                chunk = self._waiting.popleft()
                self._waiting_records -= len(chunk.records)
                self._waiting_bytes -= chunk.size
                records.extend(chunk.records)
                size += chunk.size
            self._changed.notify_all()
            return self._generation, records

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(self._limits.block_seconds):
                while self._waiting and not self._full() and not self._closing:
                    await self._changed.wait()
        except TimeoutError:
            pass

    def _fits(self, records: int, size: int, chunk: Chunk) -> bool:
        return (
            records + len(chunk.records) <= self._limits.block_records and size + chunk.size <= self._limits.block_bytes
        )

    async def _process(self, prepared: PreparedBlock) -> None:
        async with self.flushing:
            report = await self._meter.process(prepared, self._commit, self._computed.set)
        if report.owned:
            self.last_progress = time.monotonic()
        else:
            LOG.warning("Kafka gave these partitions to another worker before this block was committed: dropped")
            self._generation += 1
            await self._forget()
        self._report(report)

    # Ends

    async def _forget(self) -> None:
        """Drop what waits, and own nothing."""
        async with self._changed:
            self._expected = {}
            self._waiting.clear()
            self._waiting_records = self._waiting_bytes = 0
            self._changed.notify_all()

    async def _settle(self, seconds: float | None) -> None:
        """Wait for the block being processed; after `seconds` break it off. Its error is `failure`'s."""
        processing = self._processing
        if processing is None:
            return
        done, _ = await asyncio.wait({processing}, timeout=seconds)
        if not done:
            LOG.warning("the block in flight was not stored within %s s: broken off, it will be read again", seconds)
            processing.cancel()
            await asyncio.wait({processing})
        self._processing = None
        self._watch(processing)

    def _watch(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

"""Kafka records in chunks: Faust's aiokafka transport, changed so that a message is a chunk of fetched records.

Stock Faust spends some 50 µs on every message; here it spends them once per `Chunk` of up to CHUNK_RECORDS. The
second reason is exactness. Faust's own rules for what to skip, to acknowledge and to commit can lose records, so
nothing here relies on them: a chunk says which stretch of the log it covers, [start, next), so that whoever takes
chunks can prove that none is missing; chunks fetched before the newest seek are dropped; offsets are committed by
`ChunkConsumer.commit_owned` and by nothing else.

This overrides internals of faust-streaming and aiokafka: both are pinned, and tests/agents/test_transport.py holds the
contract. Errors: `CommitError`, when Kafka can neither accept nor refuse an offset in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import aiokafka
import faust
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CommitFailedError, ConsumerStoppedError, IllegalStateError, KafkaError
from aiokafka.structs import OffsetAndMetadata
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from agents import lenient_records
from topics.block import RawRecord

CHUNK_RECORDS = 2_000
CHUNK_BYTES = 8 * 1024 * 1024
REASSIGNMENT_PAUSE_SECONDS = 0.05
lenient_records.install()


class CommitError(Exception):
    """Kafka did not take an offset for another reason than a rebalance; what was flushed is stored all the same."""

    def __init__(self, *, offsets: Mapping[int, int], cause: str) -> None:
        self.offsets, self.cause = dict(offsets), cause
        super().__init__(
            f"Kafka did not accept the offsets {self.offsets} ({cause}). Nothing is lost: the next worker reads from "
            "the offset before and stores the same rows again. Check the brokers."
        )


class FetchedRecord(NamedTuple):
    """A `topics.block.RawRecord`, cheaper to make than aiokafka's own record by 0.6 µs of 2.8."""

    partition: int
    offset: int
    timestamp: int  # milliseconds since 1970
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def record_maker(partition: int) -> Callable[[TopicPartition, Any], FetchedRecord]:
    """In place of aiokafka's `PartitionRecords._consumer_record`."""
    new = tuple.__new__

    def make(_: TopicPartition, record: Any) -> FetchedRecord:
        return new(
            FetchedRecord, (partition, record.offset, record.timestamp, record.key, record.value, record.headers)
        )

    return make


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition that cover offsets [start, next): whatever has no record there never will."""

    partition: int
    start: int
    next: int
    records: list[RawRecord]
    size: int  # bytes of all values
    seek: int  # how many seeks the consumer had made when it fetched this


@dataclass(frozen=True, slots=True)
class Reach:
    """One partition, as far as it goes and as far as it was fetched."""

    end: int  # of the readable log (read_committed: the last stable offset)
    handed: int | None  # where the next chunk will start; None before the first fetch
    exhausted: bool  # everything up to `end` was fetched, be it records or what has none


class ChunkConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread: owns the aiokafka consumer; every coroutine here runs on the thread's own loop."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.seeks = 0
        self._skipped: dict[TopicPartition, tuple[int, int]] = {}

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Faust offers read_committed only together with its own transactions; the consumer is not started yet.
        consumer._isolation_level = "read_committed"
        return consumer

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return cast(Mapping[TP, int], await self.call_thread(self._seek_to_committed))

    async def _seek_to_committed(self) -> Mapping[TP, int]:
        try:
            return cast(Mapping[TP, int], await self._ensure_consumer().seek_to_committed())
        finally:
            self.seeks += 1
            self._skipped.clear()

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP] | None,
        timeout: float | None = None,  # noqa: ASYNC109  Faust's signature
        max_records: int | None = None,
    ) -> dict[TP, list[Chunk]]:
        """At most one chunk of each active partition; waits `timeout` seconds for the first one."""
        if not self.consumer.flow_active:
            return {}
        fetcher = consumer._fetcher
        end = time.monotonic() + (timeout or 0)
        while True:
            if consumer._closed or fetcher._closed:
                raise ConsumerStoppedError()
            if fetcher._subscriptions.reassignment_in_progress:
                await asyncio.sleep(REASSIGNMENT_PAUSE_SECONDS)
                return {}
            with fetcher._subscriptions.fetch_context():
                chunks = self._drain(fetcher, active_partitions or set())
                remaining = end - time.monotonic()
                if chunks or remaining <= 0:
                    return {TP(tp.topic, tp.partition): [chunk] for tp, chunk in chunks.items()}
                waiter = fetcher._create_fetch_waiter()
                done, _ = await asyncio.wait([waiter], timeout=remaining)
                if not done:
                    waiter.cancel()
                    return {}
                waiter.result()  # an authorization error, for instance

    def _drain(self, fetcher: Any, active: set[TP]) -> dict[TopicPartition, Chunk]:
        """What has been fetched, without waiting; no other task can move a position meanwhile.

        Follows aiokafka's `Fetcher.fetched_records`, and besides notes the positions before and after."""
        chunks: dict[TopicPartition, Chunk] = {}
        for tp in list(fetcher._records):
            if tp not in active:
                if not fetcher._subscriptions.is_assigned(tp):
                    del fetcher._records[tp]
                continue
            fetched = fetcher._records[tp]
            if not isinstance(fetched, FetchResult):
                if chunks:
                    return chunks  # the error waits for the next call
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
                fetched.check_raise()
                continue
            chunk = self._take(tp, fetched)
            if not fetched.has_more():
                del fetcher._records[tp]
                fetcher._notify(fetcher._wait_consume_future)
            if chunk is not None:
                chunks[tp] = chunk
        return chunks

    def _take(self, tp: TopicPartition, fetched: FetchResult) -> Chunk | None:
        if not fetched.check_assignment(tp) or not fetched.has_more():
            return None
        state = fetched._assignment.state_value(tp)
        before = state.position
        records: list[RawRecord] = []
        size = 0
        fetched._partition_records._consumer_record = record_maker(tp.partition)
        for record in fetched._partition_records:
            records.append(record)
            size += len(record.value or b"")
            if len(records) >= CHUNK_RECORDS or size >= CHUNK_BYTES:
                fetched._update_position()
                break
        else:
            fetched._update_position()
            fetched._partition_records = None
        # Control records and aborted transactions move the position without a record: they belong to the next chunk.
        start, skipped_to = self._skipped.pop(tp, (before, before))
        if skipped_to != before:
            start = before
        if not records:
            self._skipped[tp] = (start, state.position)
            return None
        return Chunk(tp.partition, start, state.position, records, size, self.seeks)

    async def commit_owned(self, topic: str, offsets: Mapping[int, int], seconds: float) -> bool:
        """See `ChunkConsumer.commit_owned`."""
        return cast(bool, await self.call_thread(self._commit_owned, topic, offsets, seconds))

    async def _commit_owned(self, topic: str, offsets: Mapping[int, int], seconds: float) -> bool:
        consumer = self._ensure_consumer()
        wanted = {TopicPartition(topic, each): OffsetAndMetadata(offset, "") for each, offset in offsets.items()}
        if not wanted.keys() <= consumer.assignment():
            return False
        try:
            async with asyncio.timeout(seconds):  # aiokafka itself would repeat for ever while no broker answers
                await consumer.commit(wanted)
        except (CommitFailedError, IllegalStateError):
            return False
        except TimeoutError as error:
            raise CommitError(offsets=offsets, cause=f"no answer within {seconds:g} s") from error
        except KafkaError as error:
            raise CommitError(offsets=offsets, cause=repr(error)) from error
        return True

    async def committed(self, topic: str, partitions: Iterable[int]) -> dict[int, int | None]:
        """The group's committed offset of each partition; None where it has none."""
        return cast(dict[int, int | None], await self.call_thread(self._committed, topic, list(partitions)))

    async def _committed(self, topic: str, partitions: Iterable[int]) -> dict[int, int | None]:
        consumer = self._ensure_consumer()
        return {partition: await consumer.committed(TopicPartition(topic, partition)) for partition in partitions}

    async def reach(self, topic: str, partitions: Iterable[int]) -> dict[int, Reach]:
        """See `ChunkConsumer.reach`."""
        return cast(dict[int, Reach], await self.call_thread(self._reach, topic, list(partitions)))

    async def _reach(self, topic: str, partitions: Iterable[int]) -> dict[int, Reach]:
        consumer = self._ensure_consumer()
        ends = await consumer.end_offsets([TopicPartition(topic, each) for each in partitions])
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        reached = {}
        for tp, end in ends.items():
            state = assignment.state_value(tp) if assignment is not None else None
            position = state._position if state is not None else None
            skipped_from, skipped_to = self._skipped.get(tp, (position, position))
            handed = skipped_from if skipped_to == position else position
            reached[tp.partition] = Reach(end, handed, exhausted=position is not None and position >= end)
        return reached


class ChunkConsumer(driver.Consumer):
    """Faust's consumer on the app's loop: one `ConsumerMessage` per chunk, whose value is the `Chunk`."""

    _thread: ChunkConsumerThread

    def _new_consumer_thread(self) -> ChunkConsumerThread:
        return ChunkConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def seeks(self) -> int:
        """How many times the positions were set back to the committed offsets; older chunks are stale."""
        return self._thread.seeks

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: a full buffer blocks the fetcher, which is backpressure enough, while taking partitions out of the
        active set one by one would let the fetcher sleep for a second each time none is left."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing; see `on_buffer_full`."""

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Fetch once; the loop around it is Faust's `_drain_messages`."""
        fetched, active = await self._wait_next_records(timeout)
        if fetched is None or self.should_stop:
            return
        if not self.flow_active:
            # What was fetched is dropped here; the seek after the rebalance would repair that too, this one is early.
            with contextlib.suppress(Exception):
                await self.perform_seek()
            return
        generation = self.app.consumer_generation_id
        for tp, chunks in fetched.items():
            for chunk in chunks:
                if not self.flow_active or self.app.consumer_generation_id != generation or chunk.seek != self.seeks:
                    return  # positions were or will be set back to the committed offsets
                if active is not None and tp not in active:
                    return
                # Faust drops what lies below the last offset it saw, even when that was fetched before a seek. The
                # pump knows better what is missing and what is repeated.
                self._read_offset[tp] = None
                yield tp, self._message(tp, chunk)

    def _message(self, tp: TP, chunk: Chunk) -> ConsumerMessage:
        last = chunk.records[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.offset,
            last.timestamp / 1000,
            1,
            None,
            None,
            chunk,  # type: ignore[arg-type]  # a value of our own; ChunkSchema hands it on
            None,
            -1,
            chunk.size,
            tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def commit_owned(self, topic: str, offsets: Mapping[int, int], seconds: float) -> bool:
        """Commit partition -> next offset; False when this worker does not own them any more, so that it is not the
        one to say where to resume. Raises CommitError after `seconds` or when Kafka refuses for good."""
        return await self._thread.commit_owned(topic, offsets, seconds)

    async def committed(self, topic: str, partitions: Iterable[int]) -> dict[int, int | None]:
        """The group's committed offset of each partition; None where it has none."""
        return await self._thread.committed(topic, partitions)

    async def reach(self, topic: str, partitions: Iterable[int]) -> dict[int, Reach]:
        """How far the log goes, asked of the brokers, and how far it was fetched."""
        return await self._thread.reach(topic, partitions)


class ChunkTransport(driver.Transport):
    """Faust's Kafka transport with `ChunkConsumer` in it."""

    Consumer = ChunkConsumer


class ChunkSchema(faust.Schema[None, Chunk]):
    """Decodes nothing: the event's value is the message's value, a `Chunk`."""

    def compile(self, app: Any, **_: Any) -> Any:
        """The coroutine that makes an event of a message."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


def install(app: faust.App) -> None:
    """Let `app` consume through this transport; before it starts."""
    app.transport = ChunkTransport(app.conf.broker_consumer, app)

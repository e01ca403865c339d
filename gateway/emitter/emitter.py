"""Publishes usage events: validated before anything is sent, confirmed by the broker, safe to repeat.

Steps     validate -> partition by subject -> encode -> send (idempotent, acks=all, lz4) -> confirmation.
Encodings json and binary: one record per event, keyed by its subject. columnar: usage events of one partition are
          gathered into one record without a key; what a batch cannot hold (voids, adjustments) goes out as JSON,
          after the batch before it.
Promises  A receipt means stored. Two events of one tenant are stored in the order in which they were given.
          `close` sends and confirms everything that was given before it.
Does not  make up ids: an event has its id before it gets here, so emitting it again can only be a duplicate.
Errors    gateway/emitter/errors.py; what matters is whether nothing was sent, or whether to emit it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from types import TracebackType
from typing import Any, Self

from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.structs import RecordMetadata

from gateway.emitter.batches import Batches, Gathered
from gateway.emitter.channel import Channel
from gateway.emitter.configuration import EmitterConfiguration, Encoding
from gateway.emitter.errors import DeliveryError, EmitterClosedError, EmitterError
from gateway.emitter.receipt import Receipt, receipt
from gateway.emitter.records import batch_record, single_record
from gateway.emitter.validation import validated
from topics.encodings.message import Message
from topics.events import AnyEvent, UsageEvent
from topics.meters import MeterCatalogue, load_catalogue
from topics.partitioner import partition_for

Waiting = tuple[AnyEvent, "asyncio.Future[Receipt]"]  # an event of a record, and its confirmation
HOMES_MAX = 100_000  # subjects whose partition is remembered
Given = tuple[str, "asyncio.Future[Receipt]"]  # (event id, its confirmation)


class Emitter:
    """Publishes to one topic; use it as `async with Emitter(...) as emitter`, or call `start` and `close`.

    Tasks of one event loop may share it. Settings: a configuration, or its fields as keywords."""

    def __init__(
        self,
        configuration: EmitterConfiguration | None = None,
        *,
        meters: MeterCatalogue | None = None,
        **settings: Any,
    ) -> None:
        self.configuration = configuration or EmitterConfiguration(**settings)
        self._meters = meters or load_catalogue()
        self._channel: Channel | None = None
        self._home: Callable[[bytes], int] = lambda key: 0  # a key's partition, once the topic is known
        self._batches = Batches(
            self._send_batch,
            events_max=self.configuration.batch_events_max,
            seconds_max=self.configuration.batch_milliseconds / 1000,
        )
        self._submitted: dict[asyncio.Future[Receipt], str] = {}  # not confirmed yet -> event id
        self._undelivered: dict[str, str] = {}  # event id -> cause, of what was submitted and failed

    async def start(self) -> None:
        """Connect, and look at the topic. Raises EmitterSetupError."""
        settings = self.configuration
        channel = Channel(
            settings.bootstrap_servers,
            settings.topic,
            linger_milliseconds=settings.linger_milliseconds,
            record_bytes_max=settings.record_bytes_max,
            client_id=settings.client_id,
        )
        partitions = await channel.open()
        self._home = lru_cache(HOMES_MAX)(partial(partition_for, partitions=partitions))
        self._channel = channel

    async def emit(self, event: AnyEvent | Mapping[str, Any]) -> Receipt:
        """Publish one event and wait until it is stored. Raises InvalidEventError, DeliveryError."""
        checked = validated(event, self._meters)
        [confirmed] = await self._confirmed([(checked.id, await self._queue(checked))])
        return confirmed

    async def submit(self, event: AnyEvent | Mapping[str, Any]) -> asyncio.Future[Receipt]:
        """Queue one event, waiting only while the queue is full; the future is its confirmation.

        Whoever does not look at the future learns of a failure from the next `flush` or `close`."""
        checked = validated(event, self._meters)
        future = await self._queue(checked)
        self._submitted[future] = checked.id
        future.add_done_callback(self._note)
        return future

    async def emit_batch(self, events: Iterable[AnyEvent | Mapping[str, Any]]) -> list[Receipt]:
        """Publish events as columnar batches and wait until all are stored; receipts in the order of the events.

        Nothing is sent when one of them is invalid. Raises InvalidEventError, DeliveryError."""
        checked = [validated(event, self._meters) for event in events]
        given = [(event.id, await self._queue(event, columnar=True)) for event in checked]
        for partition in {self._partition(event) for event in checked}:
            await self._batches.flush(partition)
        return await self._confirmed(given)

    async def flush(self) -> None:
        """Send what is gathered and wait until all that was submitted is stored. Raises DeliveryError."""
        await self._batches.flush_all()
        given = [(event_id, future) for future, event_id in self._submitted.items()]
        delivered = 0
        try:
            delivered = len(await self._confirmed(given))
        except DeliveryError as error:
            self._undelivered.update(dict.fromkeys(error.event_ids, error.cause))
            delivered = error.delivered
        undelivered, self._undelivered = self._undelivered, {}
        if undelivered:
            raise DeliveryError(list(undelivered), delivered=delivered, cause=next(iter(undelivered.values())))

    async def close(self) -> None:
        """Flush and disconnect; twice is the same as once. Raises DeliveryError for what was not stored."""
        if self._channel is None:
            return
        try:
            await self.flush()
        finally:
            channel, self._channel = self._channel, None
            await channel.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _partition(self, event: AnyEvent) -> int:
        return self._home(event.key)

    async def _queue(self, event: AnyEvent, *, columnar: bool = False) -> asyncio.Future[Receipt]:
        if self._channel is None:
            raise EmitterClosedError
        partition = self._partition(event)
        if columnar or self.configuration.encoding is Encoding.COLUMNAR:
            if isinstance(event, UsageEvent):
                return await self._batches.add(partition, event)
            await self._batches.flush(partition)  # a void must not overtake its target
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        record = single_record(event, self.configuration.encoding, self.configuration.record_bytes_max)
        await self._send(partition, record, [(event, future)])
        return future

    async def _send_batch(self, partition: int, waiting: list[Gathered]) -> None:
        """Send one columnar record, or several where one would be too large."""
        record = batch_record([event for event, _ in waiting])
        if len(record.value) > self.configuration.record_bytes_max and len(waiting) > 1:
            middle = len(waiting) // 2
            await self._send_batch(partition, waiting[:middle])
            await self._send_batch(partition, waiting[middle:])
            return
        await self._send(partition, record, waiting)

    async def _send(self, partition: int, record: Message, waiting: Sequence[Waiting]) -> None:
        """Queue a record; its confirmation, or whatever goes wrong, settles the futures."""
        try:
            sent = await self._enqueue(partition, record)
        except (KafkaError, EmitterError) as error:
            _fail(waiting, error)
        else:
            sent.add_done_callback(partial(_settle, waiting))

    async def _enqueue(self, partition: int, record: Message) -> asyncio.Future[RecordMetadata]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + self.configuration.delivery_seconds_max
        while self._channel is not None:
            try:
                return await self._channel.send(partition, record.key, record.value, record.headers)
            except KafkaTimeoutError:  # the queue is full: nothing is lost by waiting on
                if clock() >= deadline:
                    raise
        raise EmitterClosedError

    async def _confirmed(self, given: list[Given]) -> list[Receipt]:
        """The receipts, in order. Raises DeliveryError for those that failed or did not come in time."""
        if not given:
            return []
        await asyncio.wait([future for _, future in given], timeout=self.configuration.delivery_seconds_max)
        receipts: list[Receipt] = []
        failed: dict[str, str] = {}
        for event_id, future in given:
            if not future.done():
                failed[event_id] = f"no answer within {self.configuration.delivery_seconds_max:g} s"
            elif future.cancelled():
                failed[event_id] = "cancelled"
            elif (error := future.exception()) is not None:
                failed[event_id] = error.cause if isinstance(error, DeliveryError) else str(error)
            else:
                receipts.append(future.result())
        if failed:
            raise DeliveryError(list(failed), delivered=len(receipts), cause=next(iter(failed.values())))
        return receipts

    def _note(self, future: asyncio.Future[Receipt]) -> None:
        event_id = self._submitted.pop(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            self._undelivered[event_id] = error.cause if isinstance(error, DeliveryError) else str(error)


def _settle(waiting: Sequence[Waiting], sent: asyncio.Future[RecordMetadata]) -> None:
    """Give every event of a record its receipt, or the reason why there is none."""
    error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
    if error is not None:
        _fail(waiting, error)
        return
    for index, (event, future) in enumerate(waiting):
        if not future.done():
            future.set_result(receipt(event.id, sent.result(), index))


def _fail(waiting: Sequence[Waiting], error: BaseException) -> None:
    cause = str(error) or type(error).__name__
    for event, future in waiting:
        if not future.done():
            future.set_exception(DeliveryError([event.id], delivered=0, cause=cause))

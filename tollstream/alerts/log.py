"""The topic of alerts, as its one writer uses it: exactly one record for each alert, through crashes and rivals.

    1  open       a producer of the one transactional id. Kafka ends whatever an earlier one had open, and refuses
                  everything that it still tries: from here on nobody else publishes.
    2  read       the topic to its end, as committed. The end is asked for after 1, so whatever was ever committed is
                  before it; the record holds all of it.
    3  publish    what the record lacks, in one transaction; it is in the record once Kafka has confirmed the commit.

A commit whose outcome is unknown is neither taken as done nor as failed: `UnconfirmedError`, and whoever goes on begins
at 1, where Kafka decides it and 2 shows how. `FencedError`: somebody else is at 3.
Units     seconds. Errors: `AlertLogError` and its kinds, each with what to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerClosed, ProducerFenced

from tollstream.alerts.record import AlertRecord
from topics.alerts import AlertEvent, decode_alert, encode_alert
from topics.catalogue import ALERTS_TOPIC
from topics.ending import ended
from topics.errors import TopicError

LOG = logging.getLogger(__name__)
TRANSACTION_ALERTS_MAX = 500
TRANSACTION_TIMEOUT_SECONDS = 20  # so long what a dead writer left open holds up readers, unless the next is faster
FETCH_MILLISECONDS = 500
LISTED_PAUSES = (0.2, 0.5, 1.0, 2.0)  # seconds


class AlertLogError(Exception):
    """The topic of alerts cannot be read or written; nothing is published twice, whoever tries again."""


class AlertTopicError(AlertLogError):
    """The topic is missing, or is not the one that was read before; a person has to see to it."""


class FencedError(AlertLogError):
    """Another process publishes alerts under the same transactional id: this one no longer does."""


class UnconfirmedError(AlertLogError):
    """Kafka did not answer, so it is not known whether the last transaction counts: begin again with `open`."""


class AlertLog:
    """The way in and out of the topic, over one record; an async context manager that closes its producer."""

    def __init__(
        self,
        bootstrap_servers: str,
        record: AlertRecord,
        *,
        transactional_id: str,
        topic: str = ALERTS_TOPIC,
        answer_seconds_max: float = 30.0,
    ) -> None:
        self.record = record
        self._servers, self._topic, self._transactional_id = bootstrap_servers, topic, transactional_id
        self._answer_seconds_max = answer_seconds_max
        self._producer: AIOKafkaProducer | None = None

    async def open(self) -> int:
        """Fence every other writer, and read what they published; how many records were new. Steps 1 and 2."""
        await self.close()
        producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            transactional_id=self._transactional_id,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_SECONDS * 1000,
            acks="all",
            compression_type="lz4",
            request_timeout_ms=int(min(10.0, self._answer_seconds_max) * 1000),
        )
        try:
            async with self._answering("let this process publish alerts"):
                await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        self._producer = producer
        try:
            return await self._read(producer)
        except BaseException:
            await self.close()
            raise

    async def publish(self, events: Sequence[AlertEvent]) -> None:
        """All of them, in transactions of at most TRANSACTION_ALERTS_MAX. Step 3."""
        for start in range(0, len(events), TRANSACTION_ALERTS_MAX):
            await self._publish(events[start : start + TRANSACTION_ALERTS_MAX])

    async def close(self) -> None:
        """Let go of the producer; what it has open will be ended by the next one."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _publish(self, events: Sequence[AlertEvent]) -> None:
        producer = self._producer
        if producer is None:
            raise UnconfirmedError("alerts are published after `open`, and not after an error")
        try:
            async with self._answering("confirm alerts"):
                await producer.begin_transaction()
                sent = []
                for event in events:
                    message = encode_alert(event)
                    sent.append(
                        await producer.send(
                            self._topic, message.value, key=message.key, partition=0, headers=list(message.headers)
                        )
                    )
                    sent[-1].add_done_callback(_look_at)
                places = [place.offset for place in await asyncio.gather(*sent)]
                await producer.commit_transaction()
        except BaseException:
            await self.close()
            raise
        if places != sorted(set(places)) or places[0] < self.record.next_offset:
            # The broker had the batch already and did not say where: the topic itself says.
            await self.close()
            raise UnconfirmedError("Kafka confirmed alerts without saying where they stand: the topic is read again")
        for offset, event in zip(places, events, strict=True):
            self.record.take(offset, event)

    async def _read(self, producer: AIOKafkaProducer) -> int:
        place = TopicPartition(self._topic, 0)
        await self._check_topic(producer)
        # Of everything, not of what is committed: behind a stranger's open transaction there may be alerts of ours.
        async with (
            self._consumer("read_uncommitted") as consumer,
            self._answering("say where its topic of alerts ends"),
        ):
            [end] = (await consumer.end_offsets([place])).values()
            [start] = (await consumer.beginning_offsets([place])).values()
        if end < self.record.next_offset:
            raise AlertTopicError(
                f"{self._topic} ends at offset {end}, but was read up to {self.record.next_offset}: the topic was made "
                "anew, or the cluster lost records. Start this process again: what running periods have reached is "
                "published once more."
            )
        found = 0
        async with self._consumer("read_committed") as consumer:
            consumer.assign([place])
            consumer.seek(place, max(self.record.next_offset, start))
            while (position := await consumer.position(place)) < end:
                async with self._answering(f"show {self._topic} up to {end}, which a stranger's transaction can delay"):
                    while await consumer.position(place) == position:
                        for records in (await consumer.getmany(place, timeout_ms=FETCH_MILLISECONDS)).values():
                            found += len(records)
                            self._take(records)
        return found

    def _take(self, records: Sequence[Any]) -> None:
        for record in records:
            try:
                event = decode_alert(record.value)
            except TopicError as error:  # a stranger's: no alert of ours, and no reason to stop
                LOG.warning("offset %d of %s is passed over: %s", record.offset, self._topic, error)
                self.record.pass_over(record.offset)
            else:
                self.record.take(record.offset, event)

    async def _check_topic(self, producer: AIOKafkaProducer) -> None:
        partitions = None
        for pause in (*LISTED_PAUSES, None):  # a broker that has just come back does not list everything at once
            async with self._answering("list its topics"):
                partitions = (await producer.client.fetch_all_metadata()).partitions_for_topic(self._topic)
            if partitions or pause is None:
                break
            await asyncio.sleep(pause)
        if not partitions:
            raise AlertTopicError(f"Kafka has no topic {self._topic}: run `tollstream topics create`.")
        if partitions != {0}:
            raise AlertTopicError(
                f"{self._topic} has {len(partitions)} partitions, and alerts have one order: create it with one."
            )

    @contextlib.asynccontextmanager
    async def _consumer(self, isolation_level: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers, isolation_level=isolation_level, auto_offset_reset="earliest"
        )
        try:
            async with self._answering("answer"):
                await consumer.start()
            yield consumer
        finally:
            await ended(consumer.stop())

    @contextlib.asynccontextmanager
    async def _answering(self, what: str) -> AsyncIterator[None]:
        """Kafka does this in time, or it is one of our errors."""
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                yield
        except TimeoutError as error:
            raise UnconfirmedError(
                f"Kafka at {self._servers} did not {what} within {self._answer_seconds_max:g} s; look at the brokers."
            ) from error
        except ProducerFenced as error:
            raise FencedError(
                f"another process publishes alerts as {self._transactional_id!r}, and has taken over."
            ) from error
        except (KafkaError, OSError, AssertionError) as error:  # the library asserts where its producer has given up
            raise UnconfirmedError(
                f"Kafka at {self._servers} did not {what}: {error!r}; look at the brokers."
            ) from error


async def _stop(producer: AIOKafkaProducer) -> None:
    """Without waiting for what the broker does not confirm."""
    producer._message_accumulator.fail_all(ProducerClosed())
    await ended(producer.stop())
    await ended(producer.client.close())  # it does not get there when its sender trips
    accumulator = producer._message_accumulator
    batches = [*accumulator._pending_batches, *(batch for held in accumulator._batches.values() for batch in held)]
    for waiter in (producer._txn_manager._transaction_waiter, *(batch._drain_waiter for batch in batches)):
        if waiter is not None and waiter.done():
            _look_at(waiter)


def _look_at(future: asyncio.Future[Any]) -> None:
    """It was raised already where somebody waited for its like; asyncio complains unless it is looked at."""
    if not future.cancelled():
        future.exception()

"""The way to the broker: one idempotent producer, replaced when it can no longer deliver in order.

Why replaced  An idempotent producer numbers its batches. Once the broker has refused one for good, the numbers have a
              gap and every later batch is refused as well, so the next send gets a fresh producer. Nothing is billed
              twice by that: events are told apart by their (source, id), not by a producer's numbers.
Deadlines     Such a producer also retries for ever, by design; how long a caller waits is the caller's deadline.
Errors        EmitterSetupError at the start; a failed send is an exception on the future that `send` answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, ProducerClosed
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from gateway.emitter.errors import EmitterSetupError
from topics.encodings.message import Message
from topics.ending import ended

# The library logs what it then raises; whoever sets up logging still sees it.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())
REQUEST_SECONDS_MAX = 10.0  # one attempt; a broker that does not answer is asked again
FLUSH_SECONDS_MAX = 5.0  # at the end
PRODUCER_BATCH_BYTES = 256 * 1024


class Channel:
    """Sends records to chosen partitions of one topic."""

    def __init__(
        self, bootstrap_servers: str, topic: str, *, linger_milliseconds: int, record_bytes_max: int, client_id: str
    ) -> None:
        self._bootstrap_servers, self._topic = bootstrap_servers, topic
        self._linger_milliseconds, self._record_bytes_max = linger_milliseconds, record_bytes_max
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._spoiled = False
        self._renewal = asyncio.Lock()

    async def open(self) -> int:
        """Connect; answers the topic's number of partitions. Raises EmitterSetupError."""
        producer = await self._connect()
        try:
            cluster = await producer.client.fetch_all_metadata()
        except KafkaError as error:
            await _stop(producer)
            raise EmitterSetupError(f"Kafka at {self._bootstrap_servers} does not list its topics: {error}") from error
        partitions = cluster.partitions_for_topic(self._topic)
        if not partitions:
            await _stop(producer)
            raise EmitterSetupError(
                f"the topic {self._topic} does not exist at {self._bootstrap_servers}: "
                "create it with `tollstream topics create`"
            )
        self._producer = producer
        return len(partitions)

    async def send(
        self, partition: int, key: bytes | None, value: bytes, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[RecordMetadata]:
        """Queue one record; the future is its confirmation. Raises KafkaTimeoutError when the partition's queue stays
        full for REQUEST_SECONDS_MAX (the broker is away): nothing is lost by asking again."""
        producer = await self._sound_producer()
        try:
            future: asyncio.Future[RecordMetadata] = await producer.send(
                self._topic, value, key, partition=partition, headers=list(headers)
            )
        except KafkaTimeoutError:
            raise
        except KafkaError:
            self._spoil(producer)
            raise
        future.add_done_callback(lambda done: None if _delivered(done) else self._spoil(producer))
        return future

    async def send_many(
        self, partition: int, messages: Iterable[tuple[Message, int]]
    ) -> AsyncIterator[tuple[asyncio.Future[RecordMetadata], int]]:
        """Queue (record, number of its events) in as few batches as hold them; each batch's confirmation and events.

        Raises KafkaError when a batch cannot be queued; it and the records after it are not sent."""
        producer = await self._sound_producer()
        batch, held = producer.create_batch(), 0
        for message, events in messages:
            fields = {"timestamp": None, "key": message.key, "value": message.value, "headers": list(message.headers)}
            if batch.append(**fields) is None:
                yield await self._send_batch(producer, partition, batch), held
                batch, held = producer.create_batch(), 0
                batch.append(**fields)  # an empty batch takes a record of any size
            held += events
        if held:
            yield await self._send_batch(producer, partition, batch), held

    async def _send_batch(
        self, producer: AIOKafkaProducer, partition: int, batch: BatchBuilder
    ) -> asyncio.Future[RecordMetadata]:
        batch.close()  # it does not linger for more
        try:
            future: asyncio.Future[RecordMetadata] = await producer.send_batch(batch, self._topic, partition=partition)
        except KafkaError:
            self._spoil(producer)
            raise
        future.add_done_callback(lambda done: None if _delivered(done) else self._spoil(producer))
        return future

    async def close(self) -> None:
        """Let go of the connections; what is not confirmed by now is not waited for."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    async def _sound_producer(self) -> AIOKafkaProducer:
        if self._producer is None or self._spoiled:
            async with self._renewal:
                if self._spoiled or self._producer is None:
                    old, self._producer = self._producer, None
                    if old is not None:
                        await _stop(old)
                    self._producer = await self._connect()
                    self._spoiled = False
        return self._producer

    def _spoil(self, producer: AIOKafkaProducer) -> None:
        if producer is self._producer:
            self._spoiled = True

    async def _connect(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap_servers,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=self._linger_milliseconds,
            max_batch_size=max(PRODUCER_BATCH_BYTES, self._record_bytes_max),
            max_request_size=2 * max(PRODUCER_BATCH_BYTES, self._record_bytes_max),
            request_timeout_ms=int(REQUEST_SECONDS_MAX * 1000),
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await _stop(producer)
            raise EmitterSetupError(f"no Kafka broker answers at {self._bootstrap_servers}: {error}") from error
        return producer


def _delivered(done: asyncio.Future[RecordMetadata]) -> bool:
    return done.cancelled() or done.exception() is None


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop; what the broker does not confirm within FLUSH_SECONDS_MAX fails, where stop() alone would wait for ever."""
    with contextlib.suppress(TimeoutError, KafkaError):
        await asyncio.wait_for(producer.flush(), FLUSH_SECONDS_MAX)
    producer._message_accumulator.fail_all(ProducerClosed())
    await ended(producer.stop())

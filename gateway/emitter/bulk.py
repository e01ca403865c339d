"""Publishes records that were validated and encoded elsewhere, a whole producer batch at a time.

For files and generated load: a future per event costs five times what the record itself does. Confirmed like the rest
(idempotent, acks=all), but by count: `flush` says how many events are stored, not where each one stands.
Records of one partition are stored in the order in which they were given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from gateway.emitter.channel import Channel
from gateway.emitter.configuration import EmitterConfiguration
from gateway.emitter.errors import EmitterClosedError, EmitterError
from topics.encodings.message import Message


class BulkPublisher:
    """Use it as `async with BulkPublisher(configuration) as publisher`; one task at a time."""

    def __init__(self, configuration: EmitterConfiguration) -> None:
        self.configuration = configuration
        self.partitions = 0  # of the topic, once started
        self.failure = ""  # why events were not confirmed, the first reason met
        self._channel: Channel | None = None
        self._pending: dict[asyncio.Future[RecordMetadata], int] = {}
        self._delivered = 0

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
        self.partitions = await channel.open()
        self._channel = channel

    async def publish(self, partition: int, messages: Iterable[tuple[Message, int]]) -> None:
        """Queue records, each with the number of its events; waits while the partition's queue is full.

        What cannot be queued counts as undelivered."""
        if self._channel is None:
            raise EmitterClosedError
        try:
            async for future, count in self._channel.send_many(partition, messages):
                self._pending[future] = count
                future.add_done_callback(self._settled)
        except (KafkaError, EmitterError) as error:
            self.failure = self.failure or str(error)

    async def flush(self) -> int:
        """Wait for the confirmations; answers how many events are stored since the start."""
        if self._pending:
            await asyncio.wait(list(self._pending), timeout=self.configuration.delivery_seconds_max)
        if self._pending:
            seconds = self.configuration.delivery_seconds_max
            self.failure = self.failure or f"the broker did not answer within {seconds:g} s"
        return self._delivered

    async def close(self) -> None:
        """Disconnect; what was not flushed is not waited for."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _settled(self, future: asyncio.Future[RecordMetadata]) -> None:
        count = self._pending.pop(future)
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self.failure = self.failure or str(error or "cancelled")
        else:
            self._delivered += count

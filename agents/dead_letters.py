"""Refused events to the dead-letter topic, as `topics.dead_letter` writes them.

Every record is acknowledged by all replicas before `publish` returns. A crash between that and the checkpoint publishes
them again; the position in their headers names the event, readers keep one of each.
Errors  `DeadLetterError`, to be tried again; whatever else is a defect.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from sinks.errors import SinkTransientError
from topics.block import Rejection
from topics.dead_letter import PREFIX, DeadLetter, encode

REQUEST_BYTES_MAX = 4 * 1024 * 1024


class DeadLetterError(SinkTransientError):
    """Kafka did not acknowledge: some may stand in the topic, all are published again."""

    def __init__(self, *, topic: str, count: int, cause: str) -> None:
        self.topic, self.count, self.cause = topic, count, cause
        super().__init__(
            f"{count} dead letters were not acknowledged by {topic} ({cause}). Nothing was committed; check the "
            "brokers and that the topic exists (`tollstream topics create`)."
        )


class KafkaDeadLetters:
    """`agents.commit.DeadLetterPublisher` over a producer of its own; an async context manager."""

    def __init__(
        self, bootstrap_servers: str, *, topic: str, topic_epoch: int, request_seconds_max: float = 20.0
    ) -> None:
        self._topic, self._topic_epoch = topic, topic_epoch
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap_servers,
            acks="all",
            # Not idempotent: a letter that stands there twice is harmless, while a producer that counts its batches
            # cannot go on after one that the broker refused, and would refuse every letter after it.
            compression_type="lz4",
            max_request_size=REQUEST_BYTES_MAX,
            request_timeout_ms=int(request_seconds_max * 1000),
        )

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._producer.stop()

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        """Returns when every one is acknowledged by all replicas."""
        try:
            sent = [await self._send(rejection, rejection.value) for rejection in rejections]
            outcomes = await asyncio.gather(*sent, return_exceptions=True)
            for rejection, outcome in zip(rejections, outcomes, strict=True):
                if isinstance(outcome, MessageSizeTooLargeError):
                    await (await self._send(rejection, None))
                elif isinstance(outcome, BaseException):
                    raise outcome
        except KafkaError as error:
            raise DeadLetterError(topic=self._topic, count=len(rejections), cause=repr(error)) from error

    async def _send(self, rejection: Rejection, value: bytes | None) -> asyncio.Future[object]:
        letter = encode(DeadLetter(self._topic_epoch, rejection))
        headers = list(letter.headers)
        if value is None and rejection.value is not None:
            # Too large beside its headers: the stream must not stop for it. The store has the bytes all the same.
            headers.append((PREFIX + "value", b"dead_letters.record_value"))
        try:
            future: asyncio.Future[object] = await self._producer.send(
                self._topic, value, key=letter.key, headers=headers
            )
        except MessageSizeTooLargeError:
            if value is None:
                raise
            return await self._send(rejection, None)
        return future

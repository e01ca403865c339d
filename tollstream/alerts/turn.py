"""Whose turn it is to look: of several watchers one, by Kafka's group membership; the others stand by.

Only for not getting in each other's way: that each alert is published once rests on the transactional id alone
(`log.py`). Whoever has the topic's partition has the turn; when it dies, Kafka gives it to another after the session's
timeout. Units: seconds. Errors: `UnconfirmedError` where Kafka does not answer at the start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from tollstream.alerts.log import UnconfirmedError
from topics.ending import ended

START_SECONDS_MAX = 30.0
DAY_MS = 86_400_000  # nothing is ever polled: membership is all that is wanted


class Turn(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member of the watchers' group; an async context manager."""

    def __init__(self, bootstrap_servers: str, *, group: str, topic: str, session_seconds: int) -> None:
        self._servers, self._topic = bootstrap_servers, topic
        self._mine = asyncio.Event()
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=group,
            enable_auto_commit=False,
            session_timeout_ms=session_seconds * 1000,
            heartbeat_interval_ms=session_seconds * 1000 // 5,
            rebalance_timeout_ms=session_seconds * 1000,
            max_poll_interval_ms=DAY_MS,
            isolation_level="read_committed",
        )

    @property
    def mine(self) -> bool:
        """Whether it is this one's turn."""
        return self._mine.is_set()

    async def wait(self) -> None:
        """Until it is."""
        await self._mine.wait()

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._consumer.start()
                self._consumer.subscribe([self._topic], listener=self)
        except (TimeoutError, KafkaError, OSError) as error:
            await ended(self._consumer.stop())
            raise UnconfirmedError(
                f"Kafka at {self._servers} does not answer ({error!r}): start it, or correct the address."
            ) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await ended(self._consumer.stop())

    def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        """Called by the consumer."""
        places = [place for place in assigned if place == TopicPartition(self._topic, 0)]
        if places:
            self._consumer.pause(*places)
            self._mine.set()

    def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Called by the consumer."""
        self._mine.clear()

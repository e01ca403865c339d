"""A worker's Kafka half in the test's own process: app, transport and pump around a meter that only keeps offsets."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.app import Membership, build_app, connect
from agents.configuration import WorkerConfiguration
from agents.pump import Limits, Pump
from topics.administration import wait_until_listed

Place = tuple[int, int]  # partition, offset


@dataclass
class At:
    """A partition's stored position."""

    next_offset: int


@dataclass
class Store:
    """What all meters of a test share: how far each partition is stored, and every place that was ever stored."""

    next_offsets: dict[int, int] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


@dataclass
class PlaceMeter:
    """`agents.pump.BlockMeter` that stores places instead of money."""

    store: Store
    progress: dict[int, At] = field(default_factory=dict)
    assigned: list[dict[int, int | None]] = field(default_factory=list)
    first_after_assignment: list[Place] = field(default_factory=list)
    seconds_per_block: float = 0.0
    commit_blocks: bool = True

    async def assign(self, committed: Mapping[int, int | None]) -> None:
        self.assigned.append(dict(committed))
        self._seen: set[int] = set()
        self.progress = {partition: At(self.store.next_offsets.get(partition, 0)) for partition in committed}

    def revoke(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self.progress.pop(partition, None)

    async def prepare(self, records: Sequence[Any]) -> Any:
        return [(record.partition, record.offset) for record in records]

    async def process(self, prepared: Any, commit: Any, flushing: Any) -> Any:
        await asyncio.sleep(self.seconds_per_block)
        following: dict[int, int] = {}
        for partition, offset in prepared:
            if partition not in self._seen:
                self._seen.add(partition)
                self.first_after_assignment.append((partition, offset))
            following[partition] = offset + 1
        owned = await commit(following) if self.commit_blocks else True
        if owned:
            self.store.places.extend(prepared)
            for partition, offset in following.items():
                self.store.next_offsets[partition] = max(offset, self.store.next_offsets.get(partition, 0))
                self.progress[partition].next_offset = offset
        return SimpleNamespace(owned=owned)


@dataclass
class Member:
    """One member of the group."""

    bootstrap_servers: str
    topic: str
    group: str
    store: Store
    limits: Limits = field(default_factory=lambda: Limits(block_records=500, block_seconds=0.05))

    async def start(self) -> None:
        """Join the group."""
        settings: dict[str, Any] = dict.fromkeys(("store", "epoch", "prices", "rules"))
        self.configuration = WorkerConfiguration(
            bootstrap_servers=self.bootstrap_servers,
            dead_letter_topic="unused",
            consumer_group=self.group,
            session_timeout_seconds=6,
            worker=uuid.uuid4().hex[:8],
            **settings,
        )
        self.app = build_app(self.configuration)
        self.membership = Membership(self.app, self.topic)
        self.meter = PlaceMeter(self.store)

        async def commit(offsets: dict[int, int]) -> bool:
            return await self.membership.consumer.commit_owned(self.topic, offsets, 10)

        self.pump = Pump(self.meter, commit, self.limits)
        connect(self.membership, self.pump, 10)
        self.pump.start()
        await self.app.start()

    async def stop(self) -> None:
        """Leave in order; raises what made the pump fail."""
        await self.app.stop()
        with suppress(asyncio.InvalidStateError):
            self.pump.failure.result()


async def create_topic(bootstrap_servers: str, partitions: int, **settings: str) -> str:
    """A topic of its own for a test, with the timestamps of the raw topic."""
    topic = f"test-{uuid.uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        wanted = {"message.timestamp.type": "LogAppendTime"} | settings
        await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=wanted)])
        await wait_until_listed(admin, [topic])
    finally:
        await admin.close()
    return topic


async def publish(bootstrap_servers: str, topic: str, count: int, partitions: int) -> list[Place]:
    """`count` small records, dealt out to the partitions; answers where they stand."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=5, compression_type="lz4")
    await producer.start()
    try:
        sent = [
            await producer.send(topic, b"x" * 100, key=b"k", partition=number % partitions) for number in range(count)
        ]
        stands = await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return [(record.partition, record.offset) for record in stands]


async def committed_offsets(bootstrap_servers: str, group: str) -> dict[int, int]:
    """What the group has committed, as another client sees it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {tp.partition: stored.offset for tp, stored in offsets.items() if stored.offset >= 0}


async def until(condition: Any, seconds: float = 90.0) -> None:
    """Wait for a condition; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)

"""A topic of a test's own on the shared broker, and what stands in it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from topics.administration import wait_until_listed

PARTITIONS = 4
T = TypeVar("T")
_numbers = itertools.count(1)

ReadTopic = Callable[[], Awaitable[list[Any]]]


async def create_topic(bootstrap_servers: str, settings: dict[str, str]) -> str:
    """A new topic's name: PARTITIONS partitions, stamped by the broker like the raw topic."""
    name = f"own-{next(_numbers)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        configs = {"message.timestamp.type": "LogAppendTime", **settings}
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=configs)])
        await wait_until_listed(admin, [name])
    finally:
        await admin.close()
    return name


async def read_records(bootstrap_servers: str, topic: str) -> list[Any]:
    """Every record of the topic, in the order of partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        left = sum((await consumer.end_offsets(partitions)).values())
        records: list[Any] = []
        while len(records) < left:
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                records.extend(fetched)
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


@pytest.fixture
def topic(bootstrap_servers: str) -> str:
    """An empty topic."""
    return _run(create_topic(bootstrap_servers, {}))


@pytest.fixture
def small_topic(bootstrap_servers: str) -> str:
    """A topic whose broker refuses what is larger than 500 bytes."""
    return _run(create_topic(bootstrap_servers, {"max.message.bytes": "500"}))


@pytest.fixture
def read_topic(bootstrap_servers: str, topic: str) -> ReadTopic:
    """Reads the topic, for tests with an event loop."""
    return lambda: read_records(bootstrap_servers, topic)


@pytest.fixture
def read_topic_now(bootstrap_servers: str, topic: str) -> Callable[[], list[Any]]:
    """Reads the topic, for tests without one."""
    return lambda: _run(read_records(bootstrap_servers, topic))


def _run(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner() as runner:
        return runner.run(coroutine)

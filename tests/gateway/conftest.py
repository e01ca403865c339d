"""A topic of a test's own on the shared broker, and what stands in it."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

PARTITIONS = 4
_numbers = itertools.count(1)

ReadTopic = Callable[[], Awaitable[list[Any]]]


@pytest.fixture
async def topic(bootstrap_servers: str) -> str:
    """An empty topic of PARTITIONS partitions, stamped by the broker like the raw topic."""
    return await create_topic(bootstrap_servers, {})


@pytest.fixture
async def small_topic(bootstrap_servers: str) -> str:
    """A topic whose broker refuses what is larger than 500 bytes."""
    return await create_topic(bootstrap_servers, {"max.message.bytes": "500"})


async def create_topic(bootstrap_servers: str, settings: dict[str, str]) -> str:
    """A new topic's name."""
    name = f"emitter-{next(_numbers)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        configs = {"message.timestamp.type": "LogAppendTime", **settings}
        await admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=configs)])
    finally:
        await admin.close()
    return name


@pytest.fixture
async def read_topic(bootstrap_servers: str, topic: str) -> AsyncIterator[ReadTopic]:
    """Reads every record of the topic, in the order of partition and offset."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()

    async def read() -> list[ConsumerRecord]:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        left = sum((await consumer.end_offsets(partitions)).values())
        records: list[ConsumerRecord] = []
        while len(records) < left:
            for fetched in (await consumer.getmany(timeout_ms=500)).values():
                records.extend(fetched)
        return sorted(records, key=lambda record: (record.partition, record.offset))

    yield read
    await consumer.stop()

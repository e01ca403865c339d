"""What a closing asks the real broker: where the log ends, and whether a record stands there."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from gateway.emitter import EmitterSetupError
from tollstream.closing.log import KafkaLog
from topics.administration import create_topics
from topics.catalogue import TopicSpec


@pytest.fixture
async def log(bootstrap_servers: str) -> KafkaLog:
    """Two partitions: three records in one, a committed transaction of one record in the other."""
    topic = f"raw-{uuid4().hex[:8]}"
    await create_topics(bootstrap_servers, [TopicSpec(topic, 2, retention_ms=-1)])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as plain:
        for _ in range(3):
            await plain.send_and_wait(topic, b"x", partition=0)
    careful = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=topic)
    async with careful, careful.transaction():
        await careful.send_and_wait(topic, b"x", partition=1)
    return KafkaLog(bootstrap_servers, topic, 7, 2)


async def settled(log: KafkaLog) -> None:
    """A commit is answered before its control record is written: wait for that of the last offset."""
    async with asyncio.timeout(60):
        while await log.ends() != {(7, 0): 3, (7, 1): 2}:
            await asyncio.sleep(0.1)


async def test_ends_count_control_records_and_records_are_told_from_them(log: KafkaLog) -> None:
    await settled(log)
    held = {(place, offset): await log.holds((7, place), offset) for place, offset in ((0, 0), (0, 2), (0, 3), (1, 0))}
    assert held == {(0, 0): True, (0, 2): True, (0, 3): False, (1, 0): True}
    assert not await log.holds((7, 1), 1), "the end of a transaction is no record"


async def test_what_an_open_transaction_holds_back_is_a_record_until_it_is_aborted(log: KafkaLog) -> None:
    await settled(log)
    careful = AIOKafkaProducer(bootstrap_servers=log.bootstrap_servers, transactional_id=f"{log.topic}-open")
    async with careful:
        await careful.begin_transaction()
        await careful.send_and_wait(log.topic, b"x", partition=1)
        assert await log.holds((7, 1), 1)
        await careful.abort_transaction()
        async with asyncio.timeout(60):
            while await log.holds((7, 1), 1):
                await asyncio.sleep(0.1)


async def test_a_broker_that_does_not_answer_is_a_sentence() -> None:
    nowhere = KafkaLog("127.0.0.1:1", "usage.raw", 1, 1)
    with pytest.raises(EmitterSetupError, match=r"Kafka at 127\.0\.0\.1:1 does not say what topic usage\.raw holds"):
        await nowhere.holds((1, 0), 0)

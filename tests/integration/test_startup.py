"""What a worker refuses to start on, asked of a real broker, and its dead letters on one."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from agents.dead_letters import DeadLetterError, KafkaDeadLetters
from agents.startup import StartupError, check_kafka, pin_epoch
from sinks import tables
from sinks.contract import EpochParameters
from sinks.memory import MemorySink
from tests.support.membership import create_topic, publish
from topics.administration import create
from topics.block import Rejection
from topics.catalogue import DEAD_LETTER_TOPIC, MESSAGE_BYTES_MAX, raw_topic_name
from topics.dead_letter import decode
from topics.errors import TopicChangeRefusedError, TopicError
from topics.reasons import Reason


def parameters(partitions: int = 2) -> EpochParameters:
    epoch = random.randint(2, 65_535)
    return EpochParameters(epoch, raw_topic_name(epoch), partitions, 3600, 3_024_000, 300)


def checkpoint(epoch: EpochParameters, partition: int, next_offset: int) -> pa.Table:
    row = dict.fromkeys(tables.CHECKPOINTS.names, 0) | {
        "topic_epoch": epoch.topic_epoch,
        "source_partition": partition,
        "next_offset": next_offset,
        "max_record_time": datetime.now(UTC),
        "worker": "w",
    }
    return pa.Table.from_pylist([row], schema=tables.CHECKPOINTS)


async def test_topics_as_they_were_created_are_accepted(bootstrap_servers: str) -> None:
    epoch = parameters()
    await create(bootstrap_servers, epoch.topic_epoch, epoch.partitions)
    await publish(bootstrap_servers, epoch.topic, 10, 2)
    sink = MemorySink()
    await sink.write_checkpoints(checkpoint(epoch, 1, 5))
    await check_kafka(bootstrap_servers, epoch, DEAD_LETTER_TOPIC, sink)


async def test_a_topic_that_ends_before_its_checkpoint_was_made_anew(bootstrap_servers: str) -> None:
    epoch = parameters()
    await create(bootstrap_servers, epoch.topic_epoch, epoch.partitions)
    await publish(bootstrap_servers, epoch.topic, 10, 2)
    sink = MemorySink()
    await sink.write_checkpoints(checkpoint(epoch, 1, 6))
    with pytest.raises(StartupError, match=r"Partition 1 of .* ends at offset 5, but was read up to 6"):
        await check_kafka(bootstrap_servers, epoch, DEAD_LETTER_TOPIC, sink)


async def test_another_number_of_partitions_is_refused(bootstrap_servers: str) -> None:
    epoch = parameters()
    await create(bootstrap_servers, epoch.topic_epoch, epoch.partitions)
    with pytest.raises(TopicChangeRefusedError, match="has 2 partitions, 3 are wanted"):
        await check_kafka(bootstrap_servers, replace(epoch, partitions=3), DEAD_LETTER_TOPIC, MemorySink())


async def test_a_topic_with_the_producers_timestamps_is_refused(bootstrap_servers: str) -> None:
    epoch = parameters()
    await create(bootstrap_servers, 1, 2)  # for the dead letters
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    wrong = {"message.timestamp.type": "CreateTime"}
    await admin.create_topics([NewTopic(epoch.topic, 2, 1, topic_configs=wrong)])
    await admin.close()
    with pytest.raises(TopicChangeRefusedError, match=r"message\.timestamp\.type is CreateTime"):
        await check_kafka(bootstrap_servers, epoch, DEAD_LETTER_TOPIC, MemorySink())


async def test_without_a_dead_letter_topic_nothing_is_read(bootstrap_servers: str) -> None:
    epoch = parameters()
    await create(bootstrap_servers, epoch.topic_epoch, epoch.partitions)
    with pytest.raises(StartupError, match="Kafka has no topic nowhere: run `tollstream topics create`"):
        await check_kafka(bootstrap_servers, epoch, "nowhere", MemorySink())


async def test_a_broker_that_does_not_answer_is_a_sentence() -> None:
    with pytest.raises(TopicError, match="does not answer"):
        await check_kafka("127.0.0.1:1", parameters(), DEAD_LETTER_TOPIC, MemorySink())


async def test_an_epoch_started_with_other_parameters_is_refused_by_name() -> None:
    sink, epoch = MemorySink(), parameters()
    await pin_epoch(sink, epoch)
    await pin_epoch(sink, epoch)
    with pytest.raises(StartupError, match="window_seconds is 3600, set is 60"):
        await pin_epoch(sink, replace(epoch, window_seconds=60))


def rejection(offset: int, value: bytes | None, detail: str = "wrong") -> Rejection:
    return Rejection(3, offset, 0, 1, Reason.NOT_JSON, detail, b"key", value, (("content-type", b"x"),))


async def letters_of(bootstrap_servers: str, topic: str, count: int) -> list[Rejection]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        records = [await anext(aiter(consumer)) for _ in range(count)]
    return [decode(record.key, record.value, record.headers).rejection for record in records]


async def test_dead_letters_are_in_the_topic_when_publish_returns_as_they_were(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 1)
    rejections = [rejection(0, b"\xff\x00"), rejection(1, None), rejection(2, b"")]
    async with KafkaDeadLetters(bootstrap_servers, topic=topic, topic_epoch=7) as publisher:
        await publisher.publish(rejections)
        assert await letters_of(bootstrap_servers, topic, 3) == rejections


async def test_a_letter_too_large_for_the_topic_goes_without_its_value_and_does_not_stop_the_stream(
    bootstrap_servers: str,
) -> None:
    topic = await create_topic(bootstrap_servers, 1, **{"max.message.bytes": str(MESSAGE_BYTES_MAX)})
    incompressible = random.randbytes(MESSAGE_BYTES_MAX - 10)
    async with KafkaDeadLetters(bootstrap_servers, topic=topic, topic_epoch=7) as publisher:
        await publisher.publish([rejection(0, b"small"), rejection(1, incompressible), rejection(2, b"small")])
    letters = sorted(await letters_of(bootstrap_servers, topic, 3), key=lambda letter: letter.offset)
    assert [letter.value for letter in letters] == [b"small", None, b"small"]


async def test_letters_that_no_topic_takes_are_an_error_to_be_tried_again(bootstrap_servers: str) -> None:
    publisher = KafkaDeadLetters(bootstrap_servers, topic="no-such-topic", topic_epoch=7, request_seconds_max=2)
    async with publisher:
        with pytest.raises(DeadLetterError, match="2 dead letters were not acknowledged by no-such-topic"):
            await publisher.publish([rejection(0, b"1"), rejection(1, b"2")])

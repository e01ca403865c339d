"""What has to be true before a worker reads its first record; where it is not, one sentence and exit code 2.

The alternative to each check is a worker that starts and does harm: bills against a topic that was made anew, keeps
wall clocks that producers set, or dead-letters the world because its own books are broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from sinks.contract import EpochParameters, Sink


class StartupError(Exception):
    """A worker refuses to start: the message says what is wrong and what to do about it."""

    @property
    def operator_message(self) -> str:
        """What the command line prints."""
        return str(self)


async def pin_epoch(sink: Sink, wanted: EpochParameters) -> None:
    """Record the epoch's parameters, or find the same ones recorded."""
    pinned = await sink.pin_epoch(wanted)
    differences = [
        f"{name} is {getattr(pinned, name)!r}, set is {getattr(wanted, name)!r}"
        for name in wanted.__dataclass_fields__
        if getattr(pinned, name) != getattr(wanted, name)
    ]
    if differences:
        raise StartupError(
            f"Topic epoch {wanted.topic_epoch} was started with other parameters ({'; '.join(differences)}), and every "
            "row of it depends on them. Set them back, or start a new epoch: TOLLSTREAM_TOPIC_EPOCH="
            f"{wanted.topic_epoch + 1}, then `tollstream topics create`."
        )


async def check_kafka(bootstrap_servers: str, epoch: EpochParameters, dead_letter_topic: str, sink: Sink) -> None:
    """The topics are the ones the epoch was made for, and hold at least what the checkpoints say was read."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=20_000)
    try:
        await admin.start()
        try:
            await _check_topics(admin, epoch, dead_letter_topic)
        finally:
            await admin.close()
        ends = await _end_offsets(bootstrap_servers, epoch)
    except KafkaError as error:
        raise StartupError(
            f"Kafka at {bootstrap_servers} cannot be asked ({error!r}). Check that it runs and that "
            "TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS names it."
        ) from error
    await _check_ends(ends, epoch, sink)


async def _check_topics(admin: AIOKafkaAdminClient, epoch: EpochParameters, dead_letter_topic: str) -> None:
    described = {each["topic"]: each for each in await admin.describe_topics([epoch.topic, dead_letter_topic])}
    for topic in (epoch.topic, dead_letter_topic):
        code = described[topic]["error_code"] if topic in described else 3
        if code:
            raise StartupError(
                f"Topic {topic} is not there ({for_code(code).__name__}): run `tollstream topics create`."
            )
    count = len(described[epoch.topic]["partitions"])
    if count != epoch.partitions:
        raise StartupError(
            f"Topic {epoch.topic} has {count} partitions, the epoch was started with {epoch.partitions}. An event that "
            "is sent again could reach another partition and be billed twice: start a new epoch "
            f"(TOLLSTREAM_TOPIC_EPOCH={epoch.topic_epoch + 1})."
        )
    answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, epoch.topic)])
    settings = {entry[0]: entry[1] for answer in answers for resource in answer.resources for entry in resource[4]}
    if settings.get("message.timestamp.type") != "LogAppendTime":
        raise StartupError(
            f"Topic {epoch.topic} keeps the producers' timestamps (message.timestamp.type = "
            f"{settings.get('message.timestamp.type')}); what is late has to be judged by the brokers' clock. Run "
            "`tollstream topics create`, which sets LogAppendTime."
        )


async def _end_offsets(bootstrap_servers: str, epoch: EpochParameters) -> Mapping[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await consumer.start()
    try:
        partitions = [TopicPartition(epoch.topic, partition) for partition in range(epoch.partitions)]
        ends = await asyncio.wait_for(consumer.end_offsets(partitions), 20)
    except TimeoutError as error:
        raise StartupError(f"Kafka at {bootstrap_servers} did not say where {epoch.topic} ends within 20 s.") from error
    finally:
        await consumer.stop()
    return {tp.partition: offset for tp, offset in ends.items()}


async def _check_ends(ends: Mapping[int, int], epoch: EpochParameters, sink: Sink) -> None:
    checkpoints = await sink.read_checkpoints(epoch.topic_epoch, list(ends))
    for partition, next_offset in checkpoints.select("source_partition", "next_offset").iter_rows():
        if ends[partition] < next_offset:
            raise StartupError(
                f"Partition {partition} of {epoch.topic} ends at offset {ends[partition]}, but was read up to "
                f"{next_offset}: the topic was made anew, or the cluster lost records. New records there would be "
                "taken for old ones. Start a new epoch: "
                f"TOLLSTREAM_TOPIC_EPOCH={epoch.topic_epoch + 1}, then `tollstream topics create`."
            )

"""What has to be true before a worker reads its first record; where it is not, one sentence and exit code 2.

The alternative to each check is a worker that starts and does harm: bills against a topic that was made anew, keeps
wall clocks that producers set, or dead-letters the world because its own books are broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from sinks.contract import EpochParameters, Sink
from topics.administration import inspect, plan
from topics.catalogue import topic_specs


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
    await _check_topics(bootstrap_servers, epoch, dead_letter_topic)
    try:
        ends = await _end_offsets(bootstrap_servers, epoch)
    except KafkaError as error:
        raise StartupError(
            f"Kafka at {bootstrap_servers} does not say where {epoch.topic} ends ({error!r}); look at the brokers."
        ) from error
    await _check_ends(ends, epoch, sink)


async def _check_topics(bootstrap_servers: str, epoch: EpochParameters, dead_letter_topic: str) -> None:
    wanted = [spec for spec in topic_specs(epoch.topic_epoch, epoch.partitions) if spec.name == epoch.topic]
    found = await inspect(bootstrap_servers, [epoch.topic, dead_letter_topic])
    for topic in (epoch.topic, dead_letter_topic):
        if topic not in {each.name for each in found}:
            raise StartupError(f"Kafka has no topic {topic}: run `tollstream topics create`.")
    plan(wanted, found).require()


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

"""The raw topic on Kafka, as a closing asks about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition

from sinks.rerates import Partition
from tollstream.rerating.publishing import asking, log_ends

FETCH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class KafkaLog:
    """One epoch of it; the others are taken to be stored to their ends."""

    bootstrap_servers: str
    topic: str
    epoch: int
    partitions: int

    async def ends(self) -> Mapping[Partition, int]:
        """Where each partition ends."""
        found = await log_ends(self.bootstrap_servers, self.topic, self.partitions)
        return {(self.epoch, partition): end for partition, end in found.items()}

    async def holds(self, place: Partition, offset: int) -> bool:
        """Whether a record stands at this offset or behind it: committed, or in a transaction that is still open, which
        holds back whatever comes after it."""
        there = TopicPartition(self.topic, place[1])
        async with asking(
            self.bootstrap_servers,
            f"what topic {self.topic} holds",
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ) as consumer:
            consumer.assign([there])
            consumer.seek(there, offset)
            found = await consumer.getmany(there, timeout_ms=round(FETCH_SECONDS * 1000), max_records=1)
            stable, end = consumer.last_stable_offset(there), consumer.highwater(there)
        return any(found.values()) or (stable is not None and end is not None and stable < end)

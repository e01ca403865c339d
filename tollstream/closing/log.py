"""The raw topic on Kafka, as a closing asks about it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from gateway.emitter import EmitterSetupError
from sinks.rerates import Partition
from tollstream.rerating.publishing import LOG_SECONDS_MAX, log_ends
from topics.ending import ended

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
        """Whether a committed record stands at this offset or behind it."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        there = TopicPartition(self.topic, place[1])
        try:
            await asyncio.wait_for(consumer.start(), LOG_SECONDS_MAX)
            consumer.assign([there])
            consumer.seek(there, offset)
            found = await consumer.getmany(there, timeout_ms=round(FETCH_SECONDS * 1000), max_records=1)
        except (KafkaError, TimeoutError, OSError) as error:
            why = error or type(error).__name__
            raise EmitterSetupError(
                f"Kafka at {self.bootstrap_servers} does not say what topic {self.topic} holds ({why}): check the "
                "address, and whether it runs."
            ) from error
        finally:
            await ended(consumer.stop())
        return any(found.values())

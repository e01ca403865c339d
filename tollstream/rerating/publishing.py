"""Adjustments into the log: as the emitter sends them, keyed by their subject, confirmed before the next portion.

An adjustment's id is the re-rating's and the identity of its target, its time that of the plan: published again after a
crash it is the same event, and counted once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import polars as pl
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from billing.rerating import CHANGES
from billing.windows import AMOUNT_COLUMNS
from gateway.emitter import BulkPublisher, DeliveryError, EmitterConfiguration, EmitterSetupError
from sinks.rerates import SOURCE, Rerate
from tollstream.rerating.computing import PortionChanges
from tollstream.rerating.summary import Summary
from topics.encodings import structured
from topics.encodings.message import Message
from topics.ending import ended
from topics.events import AdjustmentEvent, Amounts, Pricing
from topics.partitioner import partition_for

PRICING = ("price_version", "rule_version", "rule_id", "currency")
LOG_SECONDS_MAX = 20.0
Published = Callable[[int, int], None]  # adjustments confirmed, of how many


def adjustments(plan: Rerate, portion: PortionChanges) -> Iterator[AdjustmentEvent]:
    """The events of a portion's changes."""
    changes = portion.changes.filter(pl.col("outcome").is_in([str(outcome) for outcome in CHANGES]))
    owners = portion.dimensions.select("builder", "tenant", "source")[changes["dimension"].to_list()]
    columns = changes.select(
        "id", "identity_high", "identity_low",
        *(f"difference.{name}" for name in AMOUNT_COLUMNS), *(f"new.{name}" for name in PRICING),
    )  # fmt: skip
    for (event_id, high, low, *rest), (builder, tenant, source) in zip(
        columns.iter_rows(), owners.iter_rows(), strict=True
    ):
        yield AdjustmentEvent(
            id=f"{plan.rerate_id}/{high:016x}{low:016x}",
            source=SOURCE,
            time=plan.recorded_at,
            builder=builder,
            tenant=tenant,
            target_source=source,
            target_id=event_id,
            reason=plan.reason,
            amounts=Amounts(**dict(zip(AMOUNT_COLUMNS, rest[: len(AMOUNT_COLUMNS)], strict=True))),
            pricing=Pricing(**dict(zip(PRICING, rest[len(AMOUNT_COLUMNS) :], strict=True))),
        )


async def publish(
    plan: Rerate, portions: AsyncIterator[PortionChanges], configuration: EmitterConfiguration, published: Published
) -> Summary:
    """Publish every portion's adjustments; answers what they come to. Raises `DeliveryError`, `EmitterSetupError`."""
    summary, sent = Summary(), 0
    async with BulkPublisher(configuration) as publisher:
        async for portion in portions:
            summary.add(portion)
            messages: dict[int, list[tuple[Message, int]]] = {}
            ids = []
            for event in adjustments(plan, portion):
                partition = partition_for(event.key, publisher.partitions)
                messages.setdefault(partition, []).append((structured.encode(event), 1))
                ids.append(event.id)
            for partition, some in messages.items():
                await publisher.publish(partition, some)
            sent += len(ids)
            delivered = await publisher.flush()
            if delivered != sent:
                raise DeliveryError(ids, delivered=delivered, cause=publisher.failure)
            if ids:
                published(sent, plan.events)
    return summary


async def log_ends(bootstrap_servers: str, topic: str, partitions: int) -> dict[int, int]:
    """Where each partition of the topic ends now. Raises `EmitterSetupError` where nobody says."""
    places = [TopicPartition(topic, partition) for partition in range(partitions)]
    async with asking(bootstrap_servers, f"where topic {topic} ends") as consumer:
        ends = await asyncio.wait_for(consumer.end_offsets(places), LOG_SECONDS_MAX)
    return {place.partition: offset for place, offset in ends.items()}


@asynccontextmanager
async def asking(bootstrap_servers: str, what: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that is asked `what`. Raises `EmitterSetupError` where Kafka does not say."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, **options)
    try:
        await asyncio.wait_for(consumer.start(), LOG_SECONDS_MAX)
        yield consumer
    except (KafkaError, TimeoutError, OSError) as error:
        raise EmitterSetupError(
            f"Kafka at {bootstrap_servers} does not say {what} ({error or type(error).__name__}): check the address, "
            "and whether it runs."
        ) from error
    finally:
        await ended(consumer.stop())

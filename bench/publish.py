"""Publishing for measurements: a full log, quickly, and the plain sum of what it will cost.

The books (bench/books) are simple on purpose, so that the expected amounts need integers only: three models with
per-token prices that are multiples of 10^-8 USD, a 25 % markup for everybody, and 70 % of the base for the provider.
All amounts are then whole multiples of 10^-11 USD, and nothing is ever rounded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Context, Decimal

import aiokafka
import pyarrow as pa

from bench.traffic import WireEvent, events
from topics.encodings import columnar, structured
from topics.partitioner import partition_for

# Units of 10^-8 USD per token: input, cached input, output. The same numbers stand in bench/books/prices.toml.
PRICES = {"nw-large": (250, 125, 1000), "nw-small": (15, 8, 60), "lumen-pro": (300, 30, 1500)}
EXACT = Context(prec=60)
BATCH_BYTES = 900_000
COLUMNAR_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Expected:
    """Sums of what was published, USD."""

    base: Decimal

    @property
    def provider_reward(self) -> Decimal:
        return EXACT.multiply(self.base, Decimal("0.70"))

    @property
    def platform_fee(self) -> Decimal:
        return EXACT.multiply(self.base, Decimal("0.30"))

    @property
    def builder_earnings(self) -> Decimal:
        return EXACT.multiply(self.base, Decimal("0.25"))

    @property
    def customer_charge(self) -> Decimal:
        return EXACT.multiply(self.base, Decimal("1.25"))

    def plus(self, other: Expected) -> Expected:
        return Expected(EXACT.add(self.base, other.base))


async def publish(
    bootstrap_servers: str, topic: str, count: int, encoding: str, partitions: int, *, seed: int = 7
) -> Expected:
    """Fill the topic; answer what the events cost. Batches are built by hand, which saves 20 µs a record."""
    producer = aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", compression_type="lz4", max_request_size=1 << 20,
        max_batch_size=BATCH_BYTES,
    )  # fmt: skip
    await producer.start()
    total = 0
    try:
        if encoding == "json":
            total = await _publish_json(producer, topic, count, partitions, seed)
        else:
            total = await _publish_columnar(producer, topic, count, partitions, seed)
    finally:
        await producer.stop()
    return Expected(EXACT.divide(Decimal(total), Decimal(10**8)))


def _cost(event: WireEvent) -> int:
    price_in, price_cached, price_out = PRICES[event.model]
    return event.input_tokens * price_in + event.cached_tokens * price_cached + event.output_tokens * price_out


async def _publish_json(producer: aiokafka.AIOKafkaProducer, topic: str, count: int, partitions: int, seed: int) -> int:
    headers = list(structured.HEADERS)
    places: dict[bytes, int] = {}
    batches = {partition: producer.create_batch() for partition in range(partitions)}
    total = 0
    for event in events(count, seed=seed):
        total += _cost(event)
        partition = places.get(event.key)
        if partition is None:
            partition = places[event.key] = partition_for(event.key, partitions)
        if batches[partition].append(key=event.key, value=event.value, timestamp=None, headers=headers) is None:
            await _send(producer, batches[partition], topic, partition)
            batches[partition] = producer.create_batch()
            batches[partition].append(key=event.key, value=event.value, timestamp=None, headers=headers)
    for partition, batch in batches.items():
        await _send(producer, batch, topic, partition)
    return total


async def _send(producer: aiokafka.AIOKafkaProducer, batch: object, topic: str, partition: int) -> None:
    batch.close()  # type: ignore[attr-defined]
    await (await producer.send_batch(batch, topic, partition=partition))


async def _publish_columnar(
    producer: aiokafka.AIOKafkaProducer, topic: str, count: int, partitions: int, seed: int
) -> int:
    waiting: dict[int, list[WireEvent]] = defaultdict(list)
    places: dict[bytes, int] = {}
    total = 0
    for event in events(count, seed=seed):
        total += _cost(event)
        partition = places.get(event.key)
        if partition is None:
            partition = places[event.key] = partition_for(event.key, partitions)
        waiting[partition].append(event)
        if len(waiting[partition]) == COLUMNAR_EVENTS:
            await _send_columns(producer, waiting.pop(partition), topic, partition)
    for partition, rest in waiting.items():
        await _send_columns(producer, rest, topic, partition)
    return total


async def _send_columns(
    producer: aiokafka.AIOKafkaProducer, batch: list[WireEvent], topic: str, partition: int
) -> None:
    message = columnar.encode_columns(pa.Table.from_pylist([event.columns for event in batch]))
    await producer.send(topic, message.value, partition=partition, headers=list(message.headers))

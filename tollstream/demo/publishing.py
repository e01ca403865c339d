"""Publishes the demonstration's traffic, through a gateway emitter per encoding, and keeps what the broker confirmed.

What is broken goes past the emitters, which would refuse it, through a plain producer of somebody else's making.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaProducer

from gateway.emitter import Emitter, Encoding, Receipt
from tollstream.demo.breakage import Broken
from tollstream.demo.oracle.published import Published
from tollstream.demo.traffic import Delivery
from tollstream.errors import UserError
from topics.partitioner import partition_for


class Publisher:
    """Use as `async with`; `published` grows with every confirmed record."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int) -> None:
        self.published: list[Published] = []
        self._bootstrap_servers, self._topic, self._partitions = bootstrap_servers, topic, partitions
        self._emitters: dict[Encoding, Emitter] = {}
        self._producer: AIOKafkaProducer | None = None
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for encoding in Encoding:
            emitter = Emitter(bootstrap_servers=self._bootstrap_servers, topic=self._topic, encoding=encoding)
            self._emitters[encoding] = await self._open.enter_async_context(emitter)
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap_servers, acks="all")
        await producer.start()
        self._open.push_async_callback(producer.stop)
        self._producer = producer
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def ends(self) -> dict[int, int]:
        """For each partition with anything published, the offset after the last record."""
        ends: dict[int, int] = {}
        for each in self.published:
            ends[each.partition] = max(ends.get(each.partition, 0), each.offset + 1)
        return ends

    async def publish(self, items: Sequence[Delivery | Broken]) -> None:
        """Publish these, in this order within an encoding, and wait until all are stored."""
        sent: list[tuple[Delivery, asyncio.Future[Receipt]]] = []
        for item in items:
            if isinstance(item, Broken):
                await self._publish_broken(item)
            else:
                sent.append((item, await self._emitters[item.encoding].submit(item.event)))
        await asyncio.gather(*(emitter.flush() for emitter in self._emitters.values()))
        self.published.extend(_published(delivery, future.result()) for delivery, future in sent)

    async def _publish_broken(self, broken: Broken) -> None:
        if self._producer is None:
            raise RuntimeError("publish inside `async with`")
        stored = await self._producer.send_and_wait(
            self._topic,
            broken.value,
            broken.key,
            partition=partition_for(broken.key, self._partitions),
            headers=[("content-type", broken.content_type.encode())],
        )
        value = None if broken.value is None else broken.value.decode("utf-8", "surrogateescape")
        record_time = stored.timestamp * 1000
        key = broken.key.decode()
        self.published.append(
            Published(stored.partition, stored.offset, 0, record_time, key, value, broken.content_type)
        )


def _published(delivery: Delivery, receipt: Receipt) -> Published:
    if receipt.offset is None or receipt.record_time is None:
        raise UserError(f"the broker stored {receipt.event_id} and forgot where: run the demonstration again")
    return Published(
        partition=receipt.partition,
        offset=receipt.offset,
        index=receipt.index,
        record_time=receipt.record_time,
        key=delivery.event["subject"],
        value=json.dumps(delivery.event),
    )

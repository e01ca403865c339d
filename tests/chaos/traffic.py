"""Traffic for scenarios: a day of the demonstration's, with more of what is hard, published while things break.

Added to it: conflicting copies, adjustments, and bursts that a restarted gateway sends again as a whole. `publish` does
what a gateway does when the broker goes away: it emits the same events again, under the same ids.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from gateway.emitter import Emitter, Encoding
from gateway.emitter.errors import DeliveryError, EmitterSetupError
from tollstream.demo.breakage import Broken
from tollstream.demo.distribution import draw_requests
from tollstream.demo.traffic import Delivery, make_traffic
from topics.partitioner import partition_for

Item = Delivery | Broken
CONFLICT_SHARE = 0.003
ADJUSTMENT_SHARE = 0.003
BURSTS, BURST_ITEMS = 3, 300
ATTEMPTS_MAX = 60


def draw_traffic(events: int, seed: str) -> list[Item]:
    """About `events` things to publish, in this order; equal arguments give equal traffic, but for the day."""
    draw = random.Random(f"chaos {seed}")
    whole = draw.randrange(1 << 30)
    traffic = make_traffic(draw_requests(events, whole), whole, datetime.now(UTC))
    items: list[Item] = list(traffic.items)
    placed: list[tuple[float, Item]] = [(float(number), item) for number, item in enumerate(items)]
    for number, item in enumerate(items):
        if not isinstance(item, Delivery) or item.event["type"] != "ai.usage.v1":
            continue
        after = number + traffic.chunk + draw.random() * events / 5
        chance = draw.random()
        if chance < CONFLICT_SHARE:
            other = item.event["data"] | {"usage": {"input_tokens": draw.randrange(1000)}}
            placed.append((after, Delivery(item.event | {"data": other}, draw.choice(list(Encoding)))))
        elif chance < CONFLICT_SHARE + ADJUSTMENT_SHARE:
            placed.append((after, _adjustment(item.event, draw)))
    for _ in range(BURSTS):
        start = draw.randrange(max(1, len(items) - 2 * BURST_ITEMS))
        again = items[start : start + BURST_ITEMS]
        placed += [(start + BURST_ITEMS * 1.5 + number / 1000, item) for number, item in enumerate(again)]
    placed.sort(key=lambda pair: pair[0])
    return [item for _, item in placed]


def _adjustment(event: dict[str, Any], draw: random.Random) -> Broken:
    """Sound, but no gateway's business: it goes past the emitter."""
    reward, fee, earnings = (draw.randrange(-(10**9), 10**9) for _ in range(3))
    amounts = {
        "customer_charge": reward + fee + earnings,
        "provider_reward": reward,
        "platform_fee": fee,
        "builder_earnings": earnings,
    }
    data = {
        "builder": event["data"]["builder"],
        "tenant": event["data"]["tenant"],
        "target_source": event["source"],
        "target_id": event["id"],
        "reason": "rated again",
        "amounts": {name: _amount(units) for name, units in amounts.items()},
    }
    envelope = {name: event[name] for name in ("specversion", "source", "time", "subject")}
    whole = envelope | {"type": "ai.usage.adjustment.v1", "id": f"adjustment-{event['id']}", "data": data}
    return Broken("", event["subject"].encode(), json.dumps(whole).encode())


def _amount(units: int) -> str:
    """Whole units of 10^-12 as decimal text."""
    return f"{'-' if units < 0 else ''}{abs(units) // 10**12}.{abs(units) % 10**12:012d}"


class Gateway:
    """Publishes through an emitter per encoding, and again for as long as the broker does not confirm."""

    def __init__(self, bootstrap_servers: str, topic: str, partitions: int) -> None:
        self._bootstrap_servers, self._topic, self._partitions = bootstrap_servers, topic, partitions
        self.repeated = 0  # chunks that were published more than once, or in part

    async def publish(self, items: Sequence[Item], *, seconds: float) -> None:
        """All of it, spread over so long."""
        chunk = max(1, len(items) // 40)
        clock = asyncio.get_running_loop().time
        started = clock()
        async with AsyncExitStack() as stack:
            emitters = {encoding: await stack.enter_async_context(self._emitter(encoding)) for encoding in Encoding}
            for start in range(0, len(items), chunk):
                await self._persist(emitters, items[start : start + chunk])
                await asyncio.sleep(max(0.0, started + seconds * (start + chunk) / len(items) - clock()))

    def _emitter(self, encoding: Encoding) -> Emitter:
        return Emitter(
            bootstrap_servers=self._bootstrap_servers, topic=self._topic, encoding=encoding, delivery_seconds_max=5
        )

    async def _persist(self, emitters: dict[Encoding, Emitter], chunk: Sequence[Item]) -> None:
        for _ in range(ATTEMPTS_MAX):
            try:
                await self._once(emitters, chunk)
            except (DeliveryError, EmitterSetupError, KafkaError):
                self.repeated += 1
                await asyncio.sleep(0.5)
            else:
                return
        raise AssertionError("the broker did not come back")

    async def _once(self, emitters: dict[Encoding, Emitter], chunk: Sequence[Item]) -> None:
        for item in chunk:
            if isinstance(item, Delivery):
                await emitters[item.encoding].submit(item.event)
        broken = [item for item in chunk if isinstance(item, Broken)]
        if broken:
            await self._past_the_emitters(broken)
        results = await asyncio.gather(*(each.flush() for each in emitters.values()), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _past_the_emitters(self, items: Sequence[Broken]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap_servers, acks="all", request_timeout_ms=5000)
        try:
            await producer.start()
            for item in items:
                await producer.send_and_wait(
                    self._topic,
                    item.value,
                    item.key,
                    partition=partition_for(item.key, self._partitions),
                    headers=[("content-type", item.content_type.encode())],
                )
        finally:
            await producer.stop()

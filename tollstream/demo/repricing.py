"""The price that came late: a retroactive book is published, and what waited for a price is rated with it.

The path is that of `tollstream prices publish` and `tollstream rerate --unpriced --apply --wait`: signed adjustments in
the log, which a worker stores like every event. They are read back from the log, for the oracle to book them as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from billing.loading import load_versions
from billing.periods import Period
from billing.prices import PriceBook
from billing.published import record_of
from billing.rerating import Selection
from gateway.emitter import EmitterConfiguration
from sinks.clickhouse import ClickHouseSink
from sinks.publishing import publish
from tollstream.books import load_published
from tollstream.demo import settings
from tollstream.demo.oracle import Published
from tollstream.demo.oracle.ledger import HORIZON_SECONDS
from tollstream.errors import UserError
from tollstream.rerating.request import Request
from tollstream.rerating.run import Installation, apply, wait_until_stored
from topics.meters import load_catalogue

STORED_SECONDS_MAX = 60.0
LOG_SECONDS_MAX = 20.0
BY = "demo"
REASON = "the model's price came late"


@dataclass(frozen=True, slots=True)
class RatedLater:
    """What came of it."""

    adjustments: tuple[Published, ...] = ()  # as the log has them
    stored: int = 0  # of them in the ledger


async def rate_later(
    sink: ClickHouseSink, bootstrap_servers: str, topic: str, prices: Path, period: Period, ends: Mapping[int, int]
) -> RatedLater:
    """Publish the book, rate again what waits in the period, and wait until it is stored; `ends` is where the log ended
    before. Raises UserError, and what store and broker raise."""
    [book] = await asyncio.to_thread(load_versions, prices, PriceBook)
    based_on = (await sink.read_book_records()).newest_place
    await publish(sink, [record_of(book)], based_on=based_on, published_by=BY, reason=REASON)
    published_prices, published_rules = await load_published(sink)
    installation = Installation(
        store=sink,
        prices=published_prices,
        rules=published_rules,
        catalogue=load_catalogue(),
        emitter=EmitterConfiguration(bootstrap_servers=bootstrap_servers, topic=topic, client_id="tollstream-rerate"),
        topic_epoch=settings.TOPIC_EPOCH,
        partitions=settings.PARTITIONS,
        horizon=timedelta(seconds=HORIZON_SECONDS),
    )
    request = Request(period.start, period.end, unpriced=True, selection=Selection(prices=book.version))
    result = await apply(installation, request, by=BY, reason=REASON)
    if result.plan is None:
        return RatedLater()
    stored = await wait_until_stored(sink, result.plan, result.ends, STORED_SECONDS_MAX)
    if stored is None:
        raise UserError(f"after {STORED_SECONDS_MAX:g} s the worker has not stored the adjustments of the re-rating")
    return RatedLater(tuple(await _read_log(bootstrap_servers, topic, ends, result.ends)), stored)


async def _read_log(
    bootstrap_servers: str, topic: str, since: Mapping[int, int], ends: Mapping[int, int]
) -> list[Published]:
    """Everything that was appended in between; structured JSON, one event a record."""
    wanted = {partition: end for partition, end in ends.items() if end > since.get(partition, 0)}
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    found: list[Published] = []
    await consumer.start()
    try:
        places = {partition: TopicPartition(topic, partition) for partition in wanted}
        consumer.assign(list(places.values()))
        for partition, place in places.items():
            consumer.seek(place, since.get(partition, 0))
        async with asyncio.timeout(LOG_SECONDS_MAX):
            while any([await consumer.position(places[partition]) < end for partition, end in wanted.items()]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [
                        Published(
                            partition=record.partition,
                            offset=record.offset,
                            index=0,
                            record_time=record.timestamp * 1000,
                            key=record.key.decode(),
                            value=record.value.decode(),
                        )
                        for record in records
                    ]
    finally:
        await consumer.stop()
    return found

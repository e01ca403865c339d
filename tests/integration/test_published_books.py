"""A worker without book files, on a real broker and store: what is published is what it rates with, while it runs."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from agents.books import AGE_SECONDS_MAX, LOOK_SECONDS
from billing.loading import parse_version
from billing.prices import PriceBook
from billing.published import record_of
from billing.surcharges import RuleBook
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.publishing import publish
from tests.support.workers import PRICES, RULES, Installation, WorkerProcess
from topics.events import UsageEvent


async def put(sink: ClickHouseSink, text: str, model: type[PriceBook] | type[RuleBook]) -> None:
    place = (await sink.read_book_records()).newest_place
    record = record_of(parse_version(text, ".toml", "test", model))
    await publish(sink, [record], based_on=place, published_by="ada", reason="test")


def later(version: str, days: int) -> str:
    start = datetime.now(UTC) + timedelta(days=days)
    return PRICES.replace("test-prices-1", version).replace("2020-01-01T00:00:00Z", start.isoformat())


async def wait_for(worker: WorkerProcess, sample: tuple[str, ...], value: float) -> None:
    """Until a scrape shows it."""
    started = time.monotonic()
    while (await asyncio.to_thread(worker.metrics)).get(sample) != value:
        assert time.monotonic() < started + LOOK_SECONDS + 60, worker.log_text
        await asyncio.sleep(0.5)


async def test_a_worker_waits_for_nothing_but_publication_and_follows_it_without_a_restart(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    installation = Installation(bootstrap_servers, clickhouse_url, tmp_path, settings={"prices": None, "rules": None})
    await installation.prepare()
    sink = await ClickHouseSink.connect(ClickHouseConfiguration(clickhouse_url, database=installation.name))
    worker = installation.worker(tag="without-books")
    try:
        assert await asyncio.to_thread(worker.wait_ended) == 2
        assert "The store has no prices" in worker.log_text
        assert "`tollstream prices publish FILE" in worker.log_text
        await put(sink, PRICES, PriceBook)
        worker.start()
        assert await asyncio.to_thread(worker.wait_ended) == 2
        assert "The store has no rules" in worker.log_text
        await put(sink, RULES, RuleBook)
        worker.start()
        facts = await asyncio.to_thread(worker.facts)
        assert [(each["kind"], each["version"]) for each in facts["books"]] == [
            ("prices", "test-prices-1"),
            ("rules", "test-rules-1"),
        ]
        await put(sink, later("test-prices-2", 1), PriceBook)
        await wait_for(worker, ("tollstream_book_info", "prices", "test-prices-2"), 1)
        await put(sink, later("test-prices-3", 2).replace("input_tokens", "thoughts"), PriceBook)
        await wait_for(worker, ("tollstream_books_unusable",), 1)
        assert ("tollstream_book_info", "prices", "test-prices-3") not in worker.metrics()
        assert worker.exit_code is None
        assert await asyncio.to_thread(worker.stop) == 0
        assert "'thoughts' is no inference meter" in worker.log_text
        assert "Traceback" not in worker.log_text
    finally:
        worker.end()
        await sink.close()


async def test_a_worker_that_cannot_read_the_books_stops_while_events_come_and_goes_on_where_it_was(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    """Everything but the books can be read and written: it could go on rating, and must not."""
    installation = Installation(bootstrap_servers, clickhouse_url, tmp_path)
    await installation.prepare()
    client = Client.connect(ClickHouseConfiguration(clickhouse_url, database=installation.name))
    worker = installation.worker(tag="stale")
    sent = 0

    async def send(count: int) -> None:
        nonlocal sent
        async with installation.emitter() as emitter:
            for _ in range(count):
                await emitter.submit(
                    UsageEvent(
                        id=f"e{sent}", source="gateway/test", time=datetime.now(UTC), builder="acme", tenant="t",
                        provider="openai", model="gpt-5-mini", usage={"input_tokens": Decimal(4)},
                    )
                )  # fmt: skip
                sent += 1
            await emitter.flush()

    def alive() -> bool:
        return worker.exit_code is None

    def stored() -> int:
        return int(installation.rows("SELECT uniqExact(id) AS ids FROM usage_ledger")[0]["ids"])

    try:
        await asyncio.to_thread(worker.facts)
        name = f"{installation.name}.books"
        client.command(f"RENAME TABLE {name} TO {name}_away", doing="hiding the books")
        hidden = time.monotonic()
        while alive():
            await send(5)
            await asyncio.sleep(1)
            assert time.monotonic() < hidden + AGE_SECONDS_MAX + 90, worker.log_text
        assert time.monotonic() > hidden + AGE_SECONDS_MAX - LOOK_SECONDS - 5, "it stopped too soon"
        assert await asyncio.to_thread(worker.wait_ended) == 1
        assert "nothing is rated after 50 s" in worker.log_text
        assert "Traceback" not in worker.log_text
        await send(5)
        assert 0 < stored() < sent
        client.command(f"RENAME TABLE {name}_away TO {name}", doing="bringing the books back")
        worker.start()
        while stored() < sent:
            assert alive(), worker.log_text
            await asyncio.sleep(0.3)
        assert installation.totals()["customer_charge"] == sent * Decimal("0.00000125")
        assert await asyncio.to_thread(worker.stop) == 0
    finally:
        worker.end()
        client.close()

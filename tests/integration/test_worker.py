"""`tollstream worker` as a process, on a real broker and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from gateway.emitter import Encoding
from tests.support.membership import committed_offsets
from tests.support.workers import PRICES, Installation, WorkerProcess
from topics.dead_letter import decode
from topics.events import UsageEvent, VoidEvent
from topics.partitioner import partition_for

NOW = datetime.now(UTC).replace(microsecond=0)
INPUT, OUTPUT = Decimal("0.00000025"), Decimal("0.000002")


def event(number: int, **changes: Any) -> UsageEvent:
    fields: dict[str, Any] = {
        "id": f"event-{number}",
        "source": "gateway/test",
        "time": NOW - timedelta(seconds=number % 7200),
        "builder": "acme",
        "tenant": f"tenant-{number % 23}",
        "feature": f"feature-{number % 3}",
        "provider": "openai",
        "model": "gpt-5-mini",
        "usage": {"input_tokens": number % 1000 + 1, "output_tokens": number % 77},
    }
    return UsageEvent(**(fields | changes))


def charge(number: int) -> Decimal:
    """By hand: what the model costs, plus 25 %."""
    base = (number % 1000 + 1) * INPUT + (number % 77) * OUTPUT
    return base * Decimal("1.25")


class Published:
    """Publishes through an emitter and knows where the log ends."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.ends: dict[int, int] = {}

    async def events(self, events: list[Any], encoding: Encoding = Encoding.JSON) -> None:
        async with self.installation.emitter(encoding=encoding) as emitter:
            futures = [await emitter.submit(each) for each in events]
            await emitter.flush()
            for receipt in await asyncio.gather(*futures):
                if receipt.offset is not None:
                    self.ends[receipt.partition] = max(self.ends.get(receipt.partition, 0), receipt.offset + 1)

    async def raw(self, value: bytes, key: bytes) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.installation.bootstrap_servers) as producer:
            partition = partition_for(key, self.installation.partitions)
            stored = await producer.send_and_wait(self.installation.topic, value, key, partition=partition)
            self.ends[partition] = stored.offset + 1


@asynccontextmanager
async def installed(bootstrap_servers: str, clickhouse_url: str, folder: Path, **settings: Any) -> AsyncIterator[Any]:
    installation = Installation(bootstrap_servers, clickhouse_url, folder, settings=settings)
    await installation.prepare()
    workers: list[WorkerProcess] = []

    def worker() -> WorkerProcess:
        workers.append(installation.worker(tag=str(len(workers))))
        return workers[-1]

    try:
        yield installation, Published(installation), worker
    finally:
        for each in workers:
            each.end()


async def test_a_worker_bills_what_is_published_and_stops_with_everything_committed(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path) as (installation, published, start):
        await published.events([event(number) for number in range(3000)])
        worker = start()
        facts = worker.facts()
        assert facts["topic"] == installation.topic
        assert facts["books"] == [
            {"kind": "prices", "version": "test-prices-1"},
            {"kind": "rules", "version": "test-rules-1"},
        ]
        await published.events([event(number) for number in range(3000, 4000)], Encoding.COLUMNAR)
        await published.events([event(number) for number in range(100)])  # once more: duplicates
        await published.events([VoidEvent(
            id="void-1", source="gateway/test", time=NOW, builder="acme", tenant="tenant-7",
            target_source="gateway/test", target_id="event-7",
        )])  # fmt: skip
        await published.raw(b"{not json", b"acme/tenant-1")
        await published.events([event(10_000, model="gpt-unheard-of")])
        await asyncio.to_thread(installation.wait_caught_up, published.ends, worker)

        expected = sum((charge(number) for number in range(4000)), Decimal(0)) - charge(7)
        totals = installation.totals()
        assert totals["customer_charge"] == expected
        assert totals["provider_reward"] + totals["platform_fee"] + totals["builder_earnings"] == expected
        assert totals["ledger_rows"] == 4002  # and the void, and the unpriced one
        [kinds] = installation.rows(
            "SELECT countIf(kind = 'void') AS voids, countIf(pricing = 'unpriced') AS unpriced FROM usage_ledger FINAL"
        )
        assert kinds == {"voids": 1, "unpriced": 1}

        # Events are counted once their offsets are committed too: a moment after the checkpoint.
        samples = await asyncio.to_thread(worker.metrics_once, lambda seen: _counted(seen) >= 4002 + 100 + 1)
        assert samples["tollstream_events_total", "accepted"] == 4002
        assert samples["tollstream_events_total", "duplicate"] == 100
        assert samples["tollstream_dead_letters_total", "not_json"] == 1
        assert samples["tollstream_unpriced_events_total",] == 1
        assert samples["tollstream_corrections_total", "void"] == 1
        assert samples["tollstream_book_info", "prices", "test-prices-1"] == 1
        assert samples["tollstream_freshness_seconds_count",] >= 1
        assert samples["process_resident_memory_bytes",] > 0
        stages = {name[1] for name in samples if name[0] == "tollstream_stage_seconds_count"}
        assert stages >= {"decode", "rate", "admit", "window", "ledger", "totals", "checkpoint", "commit"}
        samples = await asyncio.to_thread(worker.metrics_once, _looked)
        assert samples["tollstream_owned_partitions",] == installation.partitions

        assert await asyncio.to_thread(worker.stop) == 0, worker.log_text
        assert await committed_offsets(bootstrap_servers, installation.name) == published.ends
        assert "Traceback" not in worker.log_text


def _counted(samples: dict[tuple[str, ...], float]) -> float:
    return sum(value for name, value in samples.items() if name[0] == "tollstream_events_total")


def _looked(samples: dict[tuple[str, ...], float]) -> bool:
    """It has asked for the lag, and reconciled, since everything was stored: nothing waits, and nothing is apart."""
    lag = [value for name, value in samples.items() if name[0] == "tollstream_lag_records"]
    apart = [samples.get(("tollstream_reconciliation_residual", figure)) for figure in ("amounts", "usage", "rows")]
    return bool(lag) and not any(lag) and apart == [0, 0, 0]


async def test_a_dead_letter_reaches_the_topic_with_its_original_bytes_and_its_reason(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path) as (installation, published, start):
        await published.raw(b"\xff\x00 not text", b"acme/tenant-1")
        worker = start()
        await asyncio.to_thread(installation.wait_caught_up, published.ends, worker)
        consumer = AIOKafkaConsumer(
            "usage.dead-letter", bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest"
        )
        async with consumer, asyncio.timeout(60):
            async for record in consumer:
                letter = decode(record.key, record.value, record.headers)
                if letter.epoch == installation.topic_epoch:
                    break
        assert (letter.rejection.key, letter.rejection.value) == (b"acme/tenant-1", b"\xff\x00 not text")
        assert letter.rejection.reason == "invalid_utf8"
        [row] = installation.rows("SELECT reason, record_value FROM dead_letters FINAL")
        assert row["reason"] == "invalid_utf8"


async def test_a_worker_killed_in_the_middle_and_started_again_ends_at_the_same_sums(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path, block_records=500) as (
        installation,
        published,
        start,
    ):
        await published.events([event(number) for number in range(8000)])
        worker = start()
        while not installation.next_offsets():
            await asyncio.sleep(0.02)
        worker.kill()
        assert sum(installation.next_offsets().values()) < 8000, "it was killed too late to show anything"
        worker.start()
        await asyncio.to_thread(installation.wait_caught_up, published.ends, worker)
        assert installation.totals()["customer_charge"] == sum((charge(number) for number in range(8000)), Decimal(0))
        assert await asyncio.to_thread(worker.stop) == 0
        assert installation.rows("SELECT count() AS n FROM usage_ledger FINAL") == [{"n": 8000}]


async def test_two_workers_share_the_partitions_and_one_takes_over_when_the_other_stops(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path) as (installation, published, start):
        first, second = start(), start()
        first.facts(), second.facts()
        await published.events([event(number) for number in range(2000)])
        await asyncio.to_thread(installation.wait_caught_up, published.ends, first, second)
        writers = installation.rows("SELECT DISTINCT worker FROM checkpoints")
        assert len(writers) == 2
        assert await asyncio.to_thread(first.stop) == 0
        await published.events([event(number) for number in range(2000, 4000)])
        await asyncio.to_thread(installation.wait_caught_up, published.ends, second)
        assert installation.totals()["customer_charge"] == sum((charge(number) for number in range(4000)), Decimal(0))
        assert await asyncio.to_thread(second.stop) == 0


async def test_a_paused_worker_that_comes_back_as_a_zombie_changes_nothing(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path, block_records=200) as (
        installation,
        published,
        start,
    ):
        await published.events([event(number) for number in range(6000)])
        zombie = start()
        while not installation.next_offsets():
            await asyncio.sleep(0.02)
        zombie.pause()
        heir = start()
        await asyncio.to_thread(installation.wait_caught_up, published.ends, heir)
        zombie.resume()
        await published.events([event(number) for number in range(6000, 7000)])
        await asyncio.to_thread(installation.wait_caught_up, published.ends, heir)
        await asyncio.sleep(3)
        assert installation.totals()["customer_charge"] == sum((charge(number) for number in range(7000)), Decimal(0))
        assert installation.rows("SELECT count() AS n FROM usage_ledger FINAL") == [{"n": 7000}]
        assert await asyncio.to_thread(heir.stop) == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window_seconds": 60}, "window_seconds is 3600, set is 60"),
        ({"prices": "nowhere.toml"}, "no such file or folder"),
        ({"topic_epoch": 65_535}, "Kafka has no topic usage.raw.65535"),
        ({"clickhouse_database": "not_migrated"}, "tollstream schema migrate"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_is_wrong_with_the_configuration_is_one_sentence_and_exit_code_2(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path) as (installation, _, start):
        if "window_seconds" in change:
            first = start()
            first.facts()
            assert await asyncio.to_thread(first.stop) == 0
        installation.write_settings(**change)
        worker = start()
        assert await asyncio.to_thread(worker.wait_ended) == 2
        assert sentence in worker.log_text
        assert "Traceback" not in worker.log_text


async def test_a_price_book_that_was_edited_after_it_was_used_is_refused(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with installed(bootstrap_servers, clickhouse_url, tmp_path) as (_, _, start):
        first = start()
        first.facts()
        assert await asyncio.to_thread(first.stop) == 0
        (tmp_path / "prices.toml").write_text(PRICES.replace('price = "2"', 'price = "1"'), encoding="utf-8")
        worker = start()
        assert await asyncio.to_thread(worker.wait_ended) == 2
        assert "Version test-prices-1 of the prices was recorded with another text" in worker.log_text


class Relay:
    """A door in front of the store that can be shut: connections break, new ones are refused."""

    def __init__(self, url: str) -> None:
        self._host, _, port = url.removeprefix("http://").partition(":")
        self._port = int(port)
        self._open: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.shut()

    def shut(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, store_writer}
        with suppress(OSError):
            await asyncio.gather(self._copy(reader, store_writer), self._copy(store_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


async def test_a_store_that_stays_away_ends_the_worker_after_its_deadline_and_nothing_is_lost(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with (
        Relay(clickhouse_url) as relay,
        installed(bootstrap_servers, clickhouse_url, tmp_path, flush_seconds_max=3) as (installation, published, start),
    ):
        installation.write_settings(clickhouse_url=relay.url)
        await published.events([event(number) for number in range(500)])
        worker = start()
        await asyncio.to_thread(installation.wait_caught_up, published.ends, worker)
        relay.shut()
        await published.events([event(number) for number in range(500, 1000)])
        assert await asyncio.to_thread(worker.wait_ended) == 1
        assert "stopped: The store at" in worker.log_text
        assert sum((await committed_offsets(bootstrap_servers, installation.name)).values()) == 500
        installation.write_settings(clickhouse_url=clickhouse_url)
        worker.start()
        await asyncio.to_thread(installation.wait_caught_up, published.ends, worker)
        assert installation.totals()["customer_charge"] == sum((charge(number) for number in range(1000)), Decimal(0))
        assert await asyncio.to_thread(worker.stop) == 0

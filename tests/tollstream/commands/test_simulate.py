"""`tollstream rules simulate` on the real engine: published books, corrections, replays, and answers to mistakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from sinks import tables
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.memory import MemorySink
from sinks.memory_usage import MemoryUsage
from sinks.usage import UsageRange
from tests.simulation.books import START, rater
from tests.simulation.scheduler import run_straight
from tests.simulation.traffic import draw_log
from tests.support import rows
from tests.support.desk import meter_of, process
from tests.support.rows import Row
from tests.support.trial import EVERYTHING, NEW_RULES, PRICES
from tollstream import cli
from tollstream.simulation.run import simulate
from topics.block import DIMENSION_COLUMNS

pytestmark = pytest.mark.integration

JANUARY = ("--from", "2026-01-01", "--to", "2026-02-01")


@pytest.fixture
def store(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClickHouseConfiguration]:
    """A migrated database of its own, which the settings of this process name."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", clickhouse_url)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_DATABASE", configuration.database)
    migrate(configuration)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


def fill(configuration: ClickHouseConfiguration, *blocks: list[Row]) -> None:
    async def write() -> None:
        sink = await ClickHouseSink.connect(configuration)
        for block in blocks:
            await sink.write_ledger(rows.ledger(block))
        await sink.close()

    asyncio.run(write())


def file(tmp_path: Path, name: str, text: str) -> str:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return str(tmp_path / name)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = cli.main(["rules", "simulate", *arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def publish(kind: str, path: str) -> None:
    assert cli.main([kind, "publish", path, "--by", "ada", "--reason", "first prices"]) == 0


def test_new_rules_over_published_prices_with_voids_adjustments_replays_and_unpriced_usage(
    store: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    publish("prices", file(tmp_path, "prices.toml", PRICES))
    publish("rules", file(tmp_path, "old.toml", NEW_RULES.replace('"new"', '"old"')))
    fill(store, EVERYTHING[:9], EVERYTHING[5:], EVERYTHING)  # replayed, partly and whole
    new = file(tmp_path, "new.toml", NEW_RULES.replace("2020-01-01", "2031-01-01"))
    capsys.readouterr()
    code, out, _ = run(capsys, "--rules", new, *JANUARY, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["books"] == [
        {"kind": "rules", "version": "new", "new": True}, {"kind": "prices", "version": "p", "new": False},
    ]  # fmt: skip
    assert found["events"] == {
        "read": 11, "voided": 1, "unpriced": 1, "unpriced_before": 1, "unpriced_after": 1, "other_currency": 1,
        "compared": 6,
    }  # fmt: skip
    [total] = found["totals"]
    assert (total["before"]["customer_charge"], total["after"]["customer_charge"]) == (
        "12.250000000000", "12.300000000000",
    )  # fmt: skip
    assert [line["tenant"] for line in found["tenants"]] == ["north", "south", "<b>east & co</b>"]

    page = tmp_path / "page.html"
    code, out, err = run(capsys, "--rules", new, *JANUARY, "--html", str(page), "--builder", "acme")
    assert (code, f"Written: {page}" in err) == (0, True)
    assert "Tenants: 2 would pay more, 0 less, 0 the same" in out
    assert "globex" not in out
    assert "acme ·</span> north" in page.read_text(encoding="utf-8")

    code, out, _ = run(capsys, "--rules", "old", *JANUARY, "--json")  # by the name it was published under
    assert json.loads(out)["totals"] == found["totals"]


def test_without_published_books_it_says_how_to_publish_and_with_both_files_it_needs_none(
    store: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fill(store, EVERYTHING)
    prices, rules = file(tmp_path, "prices.toml", PRICES), file(tmp_path, "rules.toml", NEW_RULES)
    code, out, err = run(capsys, "--rules", rules, *JANUARY)
    assert (code, out) == (2, "")
    assert "tollstream prices publish FILE" in err
    code, out, _ = run(capsys, "--rules", rules, "--prices", prices, *JANUARY)
    assert (code, "6 events compared, USD" in out) == (0, True)


def test_last_month_is_the_default(
    store: ClickHouseConfiguration, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fill(store, EVERYTHING)  # in January 2026, which is not last month any more
    prices, rules = file(tmp_path, "prices.toml", PRICES), file(tmp_path, "rules.toml", NEW_RULES)
    code, out, _ = run(capsys, "--rules", rules, "--prices", prices, "--json")
    found = json.loads(out)
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    assert (code, found["to"], found["events"]["read"]) == (0, month.isoformat(), 0)
    code, out, _ = run(capsys, "--rules", rules, "--prices", prices)
    assert (code, "There is no usage in this range" in out) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Nothing to try: name a rule book with --rules"),
        (("--rules", "rules.toml", "--from", "2026-02-01", "--to", "2026-01-01"), "is not before --to"),
        (("--rules", "rules.toml", "--html", "nowhere/page.html"), "there is no folder nowhere"),
        (("--rules", "rules.toml", "--from", "2026-13-01"), "is no time: write a day"),
        (("--rules", "euro.toml", "--prices", "prices.toml"), "amounts of two currencies cannot be added"),
    ],
)
def test_a_mistake_is_a_sentence(
    store: ClickHouseConfiguration,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("rules", NEW_RULES), ("prices", PRICES), ("euro", 'currency = "EUR"' + NEW_RULES)):
        file(tmp_path, f"{name}.toml", text)
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


def _stored(seed: int) -> MemorySink:
    log, sink = draw_log(Random(seed)), MemorySink()
    for epoch in log.epochs:
        meter = meter_of(sink, epoch.parameters, log.grants)
        run_straight(meter.assign(dict.fromkeys(epoch.partitions)))
        for records in epoch.partitions.values():
            run_straight(process(meter, records))
    return sink


def _rows(sink: MemorySink) -> list[Row]:
    def row(record: dict[str, Any]) -> Row:
        return record | {"usage": {entry["key"]: entry["value"] for entry in record["usage"]}}

    return [row(record) for record in sink.ledger.to_dicts()]


@pytest.mark.parametrize("portion_rows", [7, 100_000])
def test_the_engine_and_plain_memory_give_the_same_comparison_of_what_the_pipeline_stored(
    store: ClickHouseConfiguration, portion_rows: int
) -> None:
    everything = UsageRange(datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    half = UsageRange(START, datetime(2027, 1, 1, tzinfo=UTC), "acme")
    client = Client.connect(store)

    async def compare(sink: MemorySink) -> None:
        engine = await ClickHouseSink.connect(store)
        for block in (rows.ledger(_rows(sink)[:20]), rows.ledger(_rows(sink))):
            await engine.write_ledger(block)
        for usage in (everything, half):
            found = await simulate(engine, rater(), usage, DIMENSION_COLUMNS, portion_rows=portion_rows)
            assert found == await simulate(MemoryUsage(sink.ledger), rater(), usage, DIMENSION_COLUMNS)
            assert sum(found.events.values()) > 0
        await engine.close()

    for seed in (3, 5, 8):
        client.command(f"TRUNCATE TABLE {store.database}.usage_ledger SYNC", doing="emptying the ledger")
        sink = _stored(seed)
        assert sink.ledger.columns == tables.LEDGER.names
        asyncio.run(compare(sink))
    client.close()

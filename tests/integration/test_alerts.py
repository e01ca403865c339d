"""Watchers on the real broker and engine: who is looked at, what is published, and whose turn it is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from agents.metrics import Metrics
from billing.periods import MONTHS, period_of
from tests.chaos.log import read_records
from tests.support.running_usage import BUILDER, RunningUsage, partition_of
from tollstream import cli
from tollstream.alerts.changes import Changes
from tollstream.alerts.watcher import LookReport, Watcher, WatcherConfiguration
from tollstream.balances.document import balance_record
from tollstream.balances.reading import LiveBalances
from topics.administration import create_topics
from topics.alerts import decode_alert
from topics.catalogue import TopicSpec
from topics.quantities import plain_text

LAST = MONTHS.previous(period_of(MONTHS, datetime.now(UTC)))


@pytest.fixture
async def usage(clickhouse_url: str) -> AsyncIterator[RunningUsage]:
    running = await RunningUsage.open(clickhouse_url)
    yield running
    running.end()


@pytest.fixture
async def topic(bootstrap_servers: str) -> str:
    name = f"alerts-{uuid4().hex[:8]}"
    await create_topics(bootstrap_servers, [TopicSpec(name, 1, retention_ms=-1)])
    return name


Said = list[tuple[str, str, str, int]]
Published = Callable[[], Awaitable[Said]]


@pytest.fixture
def published(bootstrap_servers: str, topic: str) -> Published:
    """(tenant, item, change, threshold), as a consumer reads them."""

    async def read() -> Said:
        events = [decode_alert(record.value) for record in await read_records(bootstrap_servers, topic)]
        assert len({event.id for event in events}) == len(events)
        return [(event.tenant, event.item, event.change.value, event.threshold) for event in events]

    return read


def watcher(usage: RunningUsage, bootstrap_servers: str, topic: str, metrics: Metrics | None = None) -> Watcher:
    configuration = WatcherConfiguration(bootstrap_servers, topic, poll_seconds=0.1, session_seconds=6)
    return Watcher(configuration, usage.client, metrics or Metrics("alerts"))


async def test_a_single_look_publishes_what_is_reached_and_the_next_one_nothing(
    usage: RunningUsage, bootstrap_servers: str, topic: str, published: Published
) -> None:
    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "20")
    usage.use("globex", "35")
    usage.use("initech", "4")
    await usage.flush()
    assert await watcher(usage, bootstrap_servers, topic).once() == LookReport(tenants=2, published=6)
    assert await watcher(usage, bootstrap_servers, topic).once() == LookReport(tenants=2, published=0)
    assert await published() == [
        ("globex", "pro/included", "reached", 50),
        ("globex", "pro/included", "reached", 80),
        ("globex", "pro/included", "reached", 100),
        ("globex", "gift", "reached", 50),
        ("globex", "gift", "reached", 80),
        ("globex", "gift", "reached", 100),
    ]


async def test_the_views_hold_the_balances_that_were_looked_at(
    usage: RunningUsage, bootstrap_servers: str, topic: str
) -> None:
    def view(name: str) -> list[dict[str, Any]]:
        return usage.client.query_rows(
            f"SELECT * FROM {usage.configuration.database}.{name} ORDER BY ALL", doing="asking"
        )

    async def same() -> None:
        """What `tollstream balance` computes at this moment."""
        live = LiveBalances(usage.client)
        outlook = await live.outlook(BUILDER)
        tenants = await live.tenants(outlook)
        made = [balance_record(each, lines=False) async for part in live.read(outlook, tenants) for each in part]
        heads = [
            (row["tenant"], row["plan"], plain_text(row["spent"]), row["charge_currency"]) for row in view("balances")
        ]
        assert heads == [(each["tenant"], each["plan"], each["spent"], each["charge_currency"]) for each in made]
        items = {
            (row["tenant"], row["item"]): tuple(plain_text(row[name]) for name in ("used", "limit", "left"))
            for row in view("balance_items")
        }
        assert items == {
            (each["tenant"], held["key"]): (held["used"], held["limit"], held["left"])
            for each in made
            for held in (*each["allowances"], *each["credits"], each["cap"])
        }

    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "20")
    usage.use("globex", "35.25")
    usage.use("initech", "4")
    await usage.flush()
    assert view("balances") == []
    mine = watcher(usage, bootstrap_servers, topic)
    await mine.once()
    await same()
    usage.use("globex", "-12")
    usage.use("umbra", "1")
    await usage.flush()
    await mine.once()
    await same()
    assert [row["tenant"] for row in view("balances")] == ["globex", "initech", "umbra"]


async def test_voids_and_raised_limits_are_told_so_that_gateways_let_go(
    usage: RunningUsage, bootstrap_servers: str, topic: str, published: Published
) -> None:
    await usage.plan(included="10", cap="20")
    usage.use("globex", "30")
    await usage.flush()
    mine = watcher(usage, bootstrap_servers, topic)
    await mine.once()
    usage.use("globex", "-9")
    await usage.flush()
    assert await mine.once() == LookReport(tenants=1, published=1)
    usage.use("globex", "9")
    await usage.flush()
    await mine.once()
    period = period_of(MONTHS, datetime.now(UTC))
    await usage.plan("plans-2", included="10", cap="1000", since=(period.start - timedelta(days=1)).isoformat())
    await mine.once()
    assert [said for said in await published() if said[1] == "cap"] == [
        ("globex", "cap", "reached", 50),
        ("globex", "cap", "reached", 80),
        ("globex", "cap", "reached", 100),
        ("globex", "cap", "fallen", 50),
        ("globex", "cap", "reached", 80),
        ("globex", "cap", "reached", 100),
        ("globex", "cap", "fallen", 0),
    ]


async def looked_at(changes: Changes, seconds: float = 0.0) -> set[str] | None:
    """Whom the next look is about: None for everybody, and it is done."""
    look = await changes.look(seconds)
    for builder in look.tenants:
        await changes.outlook(look, builder)
    changes.done(look)
    return look.tenants.get(BUILDER, set())


async def test_only_those_are_looked_at_again_of_whom_something_has_changed(usage: RunningUsage) -> None:
    changes = Changes(usage.client, LiveBalances(usage.client))
    usage.use("globex", "1")
    await usage.flush()
    assert await looked_at(changes) == set(), "without plans and credits there is nothing to reach"
    await usage.plan()
    assert await looked_at(changes) is None
    assert await looked_at(changes) == set()
    usage.use("initech", "1")
    await usage.flush()
    assert await looked_at(changes) == {"initech"}
    await usage.grant("gift", "umbra", "5")
    assert await looked_at(changes) == {"umbra"}
    assert await looked_at(changes) == set()
    await usage.plan("plans-2", since="2020-02-01T00:00:00Z")
    assert await looked_at(changes) is None
    usage.use("globex", "1", LAST.start + timedelta(days=2))
    await usage.flush()
    await usage.close(LAST.label)
    assert await looked_at(changes) is None
    assert await looked_at(changes) == set()


async def test_late_usage_of_a_closed_period_is_found_by_the_sweep(usage: RunningUsage) -> None:
    changes = Changes(usage.client, LiveBalances(usage.client))
    await usage.plan()
    usage.use("globex", "1", LAST.start)
    await usage.flush()
    await usage.close(LAST.label)
    assert await looked_at(changes) is None
    usage.use("globex", "1", LAST.start)
    await usage.flush()
    assert await looked_at(changes, 1.0) == set()
    assert await looked_at(changes, 61.0) == {"globex"}
    assert await looked_at(changes, 62.0) == set()


async def test_usage_before_anything_that_was_known_opens_its_period(usage: RunningUsage) -> None:
    balances = LiveBalances(usage.client)
    changes = Changes(usage.client, balances)
    await usage.plan()
    usage.use("globex", "1")
    await usage.flush()
    assert await looked_at(changes) is None
    usage.use("globex", "1", LAST.start)
    await usage.flush()
    look = await changes.look(61.0)
    assert look.tenants == {BUILDER: {"globex"}}
    assert (await changes.outlook(look, BUILDER)).overdue == (LAST.label,)


async def test_a_flush_that_is_half_stored_is_seen_whole(usage: RunningUsage) -> None:
    """Totals of a flush may become visible one after the other; its checkpoint comes behind them all."""
    changes = Changes(usage.client, LiveBalances(usage.client))
    assert partition_of("xebolg") == partition_of("globex") != partition_of("initech")
    await usage.plan()
    usage.use("globex", "1")
    usage.use("initech", "1")
    await usage.flush()
    assert await looked_at(changes) is None
    usage.use("xebolg", "1")  # before the other one on their partition, and visible after it
    usage.use("globex", "1")
    usage.use("initech", "1")
    late, usage._changed = usage._changed, {key for key in usage._changed if key[0] != "xebolg"}
    await usage.flush(partition_of("initech"))
    assert await looked_at(changes) == {"globex", "initech"}
    usage._changed = {key for key in late if key[0] == "xebolg"}
    await usage.flush()
    assert await looked_at(changes) == {"globex", "xebolg"}


async def test_a_look_that_broke_off_is_made_again_whole(usage: RunningUsage) -> None:
    changes = Changes(usage.client, LiveBalances(usage.client))
    await usage.plan()
    usage.use("globex", "1")
    await usage.flush()
    assert await looked_at(changes) is None
    usage.use("globex", "1")
    await usage.flush()
    for _ in range(2):
        look = await changes.look(1.0)
        assert look.tenants == {BUILDER: {"globex"}}
    changes.done(look)
    assert (await changes.look(2.0)).tenants == {}


async def test_who_has_no_balance_is_passed_over_and_counted_and_others_are_not(
    usage: RunningUsage, bootstrap_servers: str, topic: str, published: Published
) -> None:
    await usage.plan(included="10", cap="100")
    await usage.grant("gift", "globex", "20", kind="goodwill")
    usage.use("globex", "35")
    usage.use("initech", "35")
    await usage.flush()
    await usage.spoil_credits("globex")
    metrics = Metrics("alerts")
    assert (await watcher(usage, bootstrap_servers, topic, metrics).once()).tenants == 2
    assert {said[0] for said in await published()} == {"initech"}
    assert metrics.registry.get_sample_value("tollstream_alerts_passed_over_total") == 1


async def test_one_watcher_has_the_turn_and_another_takes_over(
    usage: RunningUsage, bootstrap_servers: str, topic: str, published: Published
) -> None:
    await usage.plan(included="10", cap="100")
    await usage.flush()
    figures = [Metrics("alerts"), Metrics("alerts")]
    stops = [asyncio.Event(), asyncio.Event()]
    runs = [
        asyncio.create_task(watcher(usage, bootstrap_servers, topic, each).run(stop))
        for each, stop in zip(figures, stops, strict=True)
    ]

    def turns() -> list[float | None]:
        return [each.registry.get_sample_value("tollstream_alerts_turn") for each in figures]

    async with asyncio.timeout(60):
        while sorted(map(float, filter(None, turns()))) != [1.0]:
            await asyncio.sleep(0.1)
        usage.use("globex", "6")
        await usage.flush()
        while not await published():
            await asyncio.sleep(0.2)
        leading = turns().index(1.0)
        age = figures[leading].registry.get_sample_value("tollstream_alerts_look_age_seconds")
        assert age is not None
        assert age < 30
        stops[leading].set()
        await runs[leading]
        usage.use("globex", "3")
        await usage.flush()
        while len(await published()) < 2:
            await asyncio.sleep(0.2)
        assert turns()[1 - leading] == 1.0
        stops[1 - leading].set()
        await runs[1 - leading]
    assert await published() == [("globex", "pro/included", "reached", 50), ("globex", "pro/included", "reached", 80)]
    assert turns() == [0.0, 0.0]


async def test_a_single_look_between_a_watchers_looks_makes_it_begin_again(
    usage: RunningUsage, bootstrap_servers: str, topic: str, published: Published
) -> None:
    await usage.plan(included="100", cap="1000")
    await usage.flush()
    stop = asyncio.Event()
    run = asyncio.create_task(watcher(usage, bootstrap_servers, topic).run(stop))
    try:
        async with asyncio.timeout(60):
            for used, thresholds in (("50", 1), ("30", 2), ("20", 3)):
                usage.use("globex", used)
                await usage.flush()
                await watcher(usage, bootstrap_servers, topic).once()
                assert len(await published()) == thresholds
            usage.use("globex", "600")
            await usage.flush()
            while len(await published()) < 4:
                await asyncio.sleep(0.2)
    finally:
        stop.set()
        await run


def test_the_verb_looks_once_and_says_what_it_did(
    clickhouse_url: str,
    bootstrap_servers: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    topic = f"alerts-{uuid4().hex[:8]}"

    async def prepare() -> RunningUsage:
        usage = await RunningUsage.open(clickhouse_url)
        await usage.plan(included="10", cap="100")
        usage.use("globex", Decimal(9))
        await usage.flush()
        return usage

    usage = asyncio.run(prepare())
    monkeypatch.setenv("TOLLSTREAM_CONFIG", str(usage.settings(tmp_path, bootstrap_servers, topic)))
    try:
        assert cli.main(["alerts", "--once"]) == 2
        assert "run `tollstream topics create`" in capsys.readouterr().err
        assert cli.main(["topics", "create", "--epoch", "60001"]) == 0
        capsys.readouterr()
        assert cli.main(["alerts", "--once", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"tenants": 1, "published": 2}
        assert cli.main(["alerts", "--once"]) == 0
        assert "0 alerts published, 1 tenants looked at." in capsys.readouterr().out
    finally:
        usage.end()

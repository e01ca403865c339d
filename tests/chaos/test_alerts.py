"""Alerts are published once each while watchers are killed, race each other, and are fenced by `--once` runs.

Usage rises, of some tenants it also falls back; two watchers under a supervisor, one of them killed or frozen every few
seconds, and single looks in between. Judged by what a consumer that reads committed records finds: of what only rises
every threshold that was passed stands there once and no other does; what falls back has records that follow one
another without a gap and end where usage ended. TOLLSTREAM_CHAOS_SEED replays what was drawn.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.embedded.stack import EmbeddedStack
from tests.chaos.log import read_records
from tests.chaos.scenario import SEED, SIZE
from tests.support.running_usage import RunningUsage
from tests.support.watchers import WatcherProcess
from topics.administration import create_topics
from topics.alerts import THRESHOLDS, AlertChange, AlertEvent, decode_alert
from topics.catalogue import TopicSpec

pytestmark = pytest.mark.timeout(400 * SIZE)

TENANTS = 120
SECONDS = 12.0 * SIZE
KILLS = 2 * SIZE
INCLUDED, CREDIT, CAP = 40, 30, 80


@dataclass
class Run:
    """What runs, and what was used."""

    usage: RunningUsage
    bootstrap_servers: str
    topic: str
    settings: Path
    draw: random.Random
    watchers: list[WatcherProcess] = field(default_factory=list)
    killed: int = 0
    looks: int = 0

    def supervise(self) -> None:
        """Start again what has ended."""
        for watcher in self.watchers:
            if watcher.exit_code is not None:
                watcher.start()

    async def traffic(self, seconds: float) -> None:
        """Everybody uses something all the time; of every fifth tenant some is taken back. Not over before KILLS."""
        clock = asyncio.get_running_loop().time
        began = clock()
        while clock() - began < seconds or self.killed < KILLS:
            for number in range(TENANTS):
                tenant = f"t{number}"
                step = self.draw.choice((0, 0, 1, 2, 3)) * (1 + number % 4)
                if number % 5 == 0 and self.draw.random() < 0.3:
                    step = -min(int(self.usage.used(tenant)), self.draw.randint(5, 60))
                if step:
                    self.usage.use(tenant, str(step))
            await self.usage.flush()
            await asyncio.sleep(0.25)

    async def faults(self, done: asyncio.Task[None]) -> None:
        """Kill, freeze, and look once in between."""
        once = WatcherProcess(self.settings, "once")
        while not done.done():
            await asyncio.sleep(self.draw.uniform(0.5, 3))
            self.supervise()
            victim = self.draw.choice(self.watchers)
            fault = self.draw.choice(("kill", "kill", "freeze", "once"))
            if fault == "kill":
                await asyncio.to_thread(victim.kill)
                self.killed += 1
            elif fault == "freeze":
                victim.send(signal.SIGSTOP)
                await asyncio.sleep(self.draw.uniform(0.2, 9))  # beyond its session: a zombie
                victim.send(signal.SIGCONT)
            else:
                if once.process is None or once.exit_code is not None:
                    once.start("--once")
                    self.looks += 1
            self.supervise()
        if once.process is not None:
            assert await asyncio.to_thread(once.process.wait, 60) == 0, once.log_text

    async def published(self) -> list[AlertEvent]:
        """As a consumer finds them."""
        return [decode_alert(record.value) for record in await read_records(self.bootstrap_servers, self.topic)]

    def told(self, what: str) -> str:
        """With what is needed to look into it."""
        return f"{what}\nTOLLSTREAM_CHAOS_SEED={SEED}; logs and settings in {self.settings.parent}"


@asynccontextmanager
async def running(bootstrap_servers: str, clickhouse_url: str, folder: Path) -> AsyncIterator[Run]:
    print(f"TOLLSTREAM_CHAOS_SEED={SEED}")
    usage = await RunningUsage.open(clickhouse_url)
    topic = f"alerts-{uuid4().hex[:8]}"
    await create_topics(bootstrap_servers, [TopicSpec(topic, 1, retention_ms=-1)])
    await usage.plan(included=str(INCLUDED), cap=str(CAP))
    for number in range(0, TENANTS, 3):
        await usage.grant(f"gift-{number}", f"t{number}", str(CREDIT))
    settings = usage.settings(folder, bootstrap_servers, topic)
    run = Run(usage, bootstrap_servers, topic, settings, random.Random(f"{SEED} alerts"))
    run.watchers = [WatcherProcess(settings, name) for name in ("first", "second")]
    try:
        yield run
    finally:
        for watcher in run.watchers:
            watcher.end()
        usage.end()


def levels(used: Decimal, credit: bool) -> dict[str, int]:
    """What a tenant has reached of each item, worked out by hand: allowance first, the cap bounds the rest."""
    spent = max(Decimal(0), used - INCLUDED)
    of = {"pro/included": (min(used, Decimal(INCLUDED)), INCLUDED), "cap": (spent, CAP)}
    if credit:
        of["gift"] = (min(spent, Decimal(CAP), Decimal(CREDIT)), CREDIT)
    return {
        item: max((each for each in THRESHOLDS if amount * 100 >= limit * each), default=0)
        for item, (amount, limit) in of.items()
    }


async def test_every_crossing_is_published_once_while_watchers_are_killed_and_race(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with running(bootstrap_servers, clickhouse_url, tmp_path) as run:
        for watcher in run.watchers:
            watcher.start()
        await asyncio.to_thread(run.watchers[0].facts)
        traffic = asyncio.create_task(run.traffic(SECONDS))
        await run.faults(traffic)
        await traffic
        for watcher in run.watchers:
            assert await asyncio.to_thread(watcher.stop) == 0, watcher.log_text
        for published in (None, 0):  # what is missing yet, and then nothing
            last = WatcherProcess(run.settings, "last")
            last.start("--once")
            assert last.process is not None
            assert await asyncio.to_thread(last.process.wait, 60) == 0, last.log_text
            assert published is None or last.facts()["published"] == published

        events = await run.published()
        ids = Counter(event.id for event in events)
        assert max(ids.values()) == 1, run.told(f"published twice: {ids.most_common(3)}")
        told: dict[tuple[str, str], list[AlertEvent]] = defaultdict(list)
        for event in events:
            told[event.tenant, event.item.partition("-")[0]].append(event)
        for number in range(TENANTS):
            tenant = f"t{number}"
            for item, level in levels(run.usage.used(tenant), number % 3 == 0).items():
                mine = told.pop((tenant, item), [])
                said = [(event.change.value, event.threshold, event.occurrence) for event in mine]
                if number % 5:
                    wanted = [("reached", each, 1) for each in THRESHOLDS if each <= level]
                    assert said == wanted, run.told(f"{tenant} {item}: {said} instead of {wanted}")
                else:
                    follow(mine, level, run.told(f"{tenant} {item}: {said}, and {level} is reached"))
        assert not told, run.told(f"about nobody: {list(told)[:3]}")
        fallen = sum(event.change is AlertChange.FALLEN for event in events)
        assert fallen > 0
        taken = sum(watcher.log_text.count("publishing alerts:") for watcher in run.watchers)
        assert taken + run.looks >= 3, "hardly anybody raced"
        print(f"{len(events)} alerts, {fallen} fell back; {run.killed} kills, {run.looks} single looks, {taken} turns")


def follow(mine: list[AlertEvent], level: int, told: str) -> None:
    """Each record follows from the one before, and the last one says what is reached."""
    at = 0
    counts: Counter[tuple[str, int]] = Counter()
    for event in mine:
        step = (event.change.value, event.threshold)
        counts[step] += 1
        assert event.occurrence == counts[step], told
        if event.change is AlertChange.REACHED:
            following = [each for each in THRESHOLDS if each > at][:1]
            assert [event.threshold] == following, told
        else:
            assert event.threshold < at, told
        at = event.threshold
    assert at == level, told


async def test_alerts_survive_a_broker_and_a_store_that_are_killed(
    stack: EmbeddedStack, bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    """Both die while a watcher publishes, and come back; the watcher begins again by itself, and repeats nothing."""
    async with running(bootstrap_servers, clickhouse_url, tmp_path) as run:
        [watcher, _] = run.watchers
        watcher.start()
        await asyncio.to_thread(watcher.facts)
        for server in (stack.kafka, stack.clickhouse, stack.kafka):
            for number in range(TENANTS):
                run.usage.use(f"t{number}", str(10 + number % 40))
            await run.usage.flush()
            await asyncio.sleep(run.draw.uniform(0.0, 1.5))  # somewhere in a look, or before it
            await asyncio.to_thread(server.kill)
            await asyncio.sleep(1)
            await asyncio.to_thread(server.start)
        async with asyncio.timeout(120):
            wanted = sum(
                sum(each <= level for each in THRESHOLDS)
                for number in range(TENANTS)
                for level in levels(run.usage.used(f"t{number}"), number % 3 == 0).values()
            )
            while len(await run.published()) < wanted:
                assert watcher.exit_code is None, watcher.log_text
                await asyncio.sleep(0.5)
        assert await asyncio.to_thread(watcher.stop) == 0, watcher.log_text
        events = await run.published()
        assert len(events) == wanted == len({event.id for event in events}), run.told("published twice")
        noticed = ("beginning again", "Connect call failed", "Unable to update metadata")
        assert any(words in watcher.log_text for words in noticed), "nothing broke"

"""The demonstration, step by step: a day of traffic, a worker killed on the way, and money that adds up afterwards.

Steps   1 start the stack, tables and topics   2 start two workers   3 publish, and kill one worker in the middle
        4 wait until the other has caught up   5 publish the price that was missing and rate what waited for it
        6 stop the worker   7 read the store, recompute, compare   8 close the month: statements, payouts, rewards
Day     The last one of the month before this one, so that the month can be closed; all of it is published now.
Errors  A step that cannot be done is a UserError or a StackError with a sentence; a check that does not hold is not an
        error but part of the outcome.
Stops   Everything it started, however it ends; with `keep`, the caller's `when_kept` decides when.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient

from billing.periods import MONTHS, Period, period_of
from deploy.embedded.stack import EmbeddedStack, Endpoints
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.migrate import migrate
from sinks.reconciliation import Level, findings
from tollstream.demo import settings, store
from tollstream.demo.checks import (
    Check,
    Killing,
    counted_check,
    killing_checks,
    money_checks,
    outcome_checks,
    rerate_checks,
    settlement_checks,
)
from tollstream.demo.oracle import Comparison, OracleResult, Published, compare, recompute, write_published
from tollstream.demo.publishing import Publisher
from tollstream.demo.repricing import RatedLater, rate_later
from tollstream.demo.settling import Settlement, settle
from tollstream.demo.store import Store
from tollstream.demo.trace import Request
from tollstream.demo.traffic import Traffic, make_traffic
from tollstream.demo.workers import WorkerProcess, start_worker, wait_for_owners
from tollstream.errors import UserError
from topics import administration
from topics.catalogue import raw_topic_name

WORKERS = 2
PUBLISH_SECONDS = 7.0  # the day is published over so long, so that there is a middle in which to kill
KILL_AFTER_SHARE = 0.4
OWN_SECONDS_MAX = 30.0
CATCH_UP_SECONDS_MAX = 90.0
POLL_SECONDS = 0.2
INSTANT = timedelta(microseconds=1)
RETROACTIVE = "retroactive = true\n"

Progress = Callable[[str, float, float], None]  # step, done, of how much


@dataclass(frozen=True)
class Plan:
    """What to run."""

    requests: list[Request]
    seed: int
    prices: Path
    rules: Path
    late_prices: Path  # with the price that is missing on the day
    plans: Path  # a folder with a plan book for each Builder


@dataclass
class Outcome:
    """Everything that the demonstration found out."""

    checks: list[Check] = field(default_factory=list)
    stored: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, Decimal] = field(default_factory=dict)
    oracle: OracleResult = field(default_factory=OracleResult)
    comparison: Comparison = field(default_factory=lambda: Comparison((), Decimal(0)))
    killing: Killing | None = None
    split: list[dict[str, Any]] = field(default_factory=list)  # per Builder
    tenant: tuple[str, str] = ("", "")
    tenant_lines: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: dict[str, int] = field(default_factory=dict)
    rated_later: int = 0
    settlement: Settlement | None = None
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)


def last_month(now: datetime) -> Period:
    """The newest calendar month that is over, UTC."""
    return MONTHS.previous(period_of(MONTHS, now))


class Demonstration:
    """One run in one data folder."""

    def __init__(self, plan: Plan, folder: Path, progress: Progress) -> None:
        self.plan, self.folder, self.progress = plan, folder, progress
        self.endpoints = Endpoints("", "")
        self.topic = raw_topic_name(settings.TOPIC_EPOCH)
        self.workers: dict[int, WorkerProcess] = {}
        self.settings_file = folder / settings.FILE_NAME
        self.now = datetime.now(UTC)
        self.month = last_month(self.now)

    async def run(self, stack: EmbeddedStack) -> Outcome:
        """All steps; the stack is left running, the workers are not."""
        started = time.monotonic()
        plan = self.plan
        drawing = asyncio.create_task(
            asyncio.to_thread(make_traffic, plan.requests, plan.seed, self.month.end - INSTANT, self.now)
        )
        await self._prepare(stack)
        admin = AIOKafkaAdminClient(bootstrap_servers=self.endpoints.bootstrap_servers)
        await admin.start()
        database = await asyncio.to_thread(Store, self.endpoints.clickhouse_url, settings.DATABASE)
        try:
            owned = await self._start_workers(admin)
            traffic = await drawing
            async with Publisher(self.endpoints.bootstrap_servers, self.topic, settings.PARTITIONS) as publisher:
                killed = await self._publish_and_kill(traffic, publisher, database, owned)
            day = publisher.published
            knowing = asyncio.create_task(asyncio.to_thread(self._recompute, day, self._known_from_the_beginning()))
            await self._catch_up(publisher.ends(), database)
            later = await self._rate_later(publisher.ends())
            log = [*day, *later.adjustments]
            await asyncio.to_thread(write_published, self.folder / "published.jsonl", log)
            oracle = await asyncio.to_thread(self._recompute, log, plan.prices)
            outcome = await self._judge(traffic, publisher.ends(), database, killed, oracle, later.stored)
            outcome.checks += rerate_checks(traffic.waiting, later.stored, outcome.oracle, await knowing)
            await self._settle(outcome, database)
        finally:
            await admin.close()
            self.stop_workers()
            database.close()
        outcome.seconds = time.monotonic() - started
        return outcome

    def stop_workers(self) -> list[int]:
        """Stop what still runs; the exit codes."""
        for worker in self.workers.values():
            worker.ask_to_stop()
        codes = [worker.stop() for worker in self.workers.values()]
        self.workers.clear()
        return codes

    async def _prepare(self, stack: EmbeddedStack) -> None:
        """Step 1."""
        self.progress("Starting Kafka and ClickHouse", 0, 3)
        starting = asyncio.ensure_future(asyncio.to_thread(stack.start))
        try:
            self.endpoints = await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])  # only what has started can be stopped
            raise
        self.progress("Starting Kafka and ClickHouse", 1, 3)
        settings.write_settings(self.settings_file, self.endpoints, self.plan.prices, self.plan.rules)
        await asyncio.to_thread(migrate, self._configuration())
        self.progress("Starting Kafka and ClickHouse", 2, 3)
        await administration.create(self.endpoints.bootstrap_servers, settings.TOPIC_EPOCH, settings.PARTITIONS)
        self.progress("Starting Kafka and ClickHouse", 3, 3)

    def _configuration(self) -> ClickHouseConfiguration:
        return ClickHouseConfiguration(url=self.endpoints.clickhouse_url, database=settings.DATABASE)

    async def _start_workers(self, admin: AIOKafkaAdminClient) -> dict[int, list[int]]:
        """Step 2; answers which partitions each worker owns."""
        self.progress("Starting two workers", 0, 1)
        for number in range(1, WORKERS + 1):
            worker = start_worker(self.settings_file, self.folder / "logs" / f"worker-{number}.log")
            self.workers[worker.pid] = worker
        owned = await wait_for_owners(admin, settings.CONSUMER_GROUP, self.topic, self.workers, OWN_SECONDS_MAX)
        self.progress("Starting two workers", 1, 1)
        return owned

    async def _publish_and_kill(
        self, traffic: Traffic, publisher: Publisher, database: Store, owned: Mapping[int, list[int]]
    ) -> _Killed:
        """Step 3: while the day is being published, kill the worker with the most partitions once it stored some."""
        victim = max(owned, key=lambda pid: (len(owned[pid]), pid))
        publishing = asyncio.create_task(self._publish(traffic, publisher))
        try:
            total = len(traffic.items)
            while not publishing.done():
                self._require_workers()
                stored = await asyncio.to_thread(database.next_offsets)
                if len(publisher.published) >= total * KILL_AFTER_SHARE and any(
                    stored.get(partition) for partition in owned[victim]
                ):
                    break
                await asyncio.sleep(POLL_SECONDS)
            exit_code = self.workers.pop(victim).kill()
            left = await asyncio.to_thread(database.next_offsets)
            await publishing
        finally:
            publishing.cancel()
        return _Killed(victim, exit_code, tuple(owned[victim]), left)

    async def _publish(self, traffic: Traffic, publisher: Publisher) -> None:
        chunks = list(traffic.chunks())
        clock = asyncio.get_running_loop().time
        started = clock()
        for number, chunk in enumerate(chunks, start=1):
            await publisher.publish(chunk)
            self.progress("Publishing a day's traffic", len(publisher.published), len(traffic.items))
            await asyncio.sleep(max(0.0, started + PUBLISH_SECONDS * number / len(chunks) - clock()))

    async def _catch_up(self, ends: Mapping[int, int], database: Store) -> None:
        """Step 4."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + CATCH_UP_SECONDS_MAX
        while True:
            self._require_workers()
            stored = await asyncio.to_thread(database.next_offsets)
            done = sum(min(stored.get(partition, 0), end) for partition, end in ends.items())
            self.progress("The other worker catches up", done, sum(ends.values()))
            if done == sum(ends.values()):
                return
            if clock() > deadline:
                raise UserError(
                    f"after {CATCH_UP_SECONDS_MAX:g} s {done} of {sum(ends.values())} records are stored; "
                    f"the workers' logs are in {self.folder / 'logs'}"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _rate_later(self, ends: Mapping[int, int]) -> RatedLater:
        """Step 5."""
        step = "Rating what waited for a price"
        self.progress(step, 0, 1)
        sink = await ClickHouseSink.connect(self._configuration())
        try:
            bootstrap_servers = self.endpoints.bootstrap_servers
            later = await rate_later(sink, bootstrap_servers, self.topic, self.plan.late_prices, self.month, ends)
        finally:
            await sink.close()
        self.progress(step, 1, 1)
        return later

    def _known_from_the_beginning(self) -> Path:
        """The late prices as a book that applies by itself."""
        path = self.folder / "prices-known-from-the-beginning.toml"
        path.write_text(self.plan.late_prices.read_text(encoding="utf-8").replace(RETROACTIVE, ""), encoding="utf-8")
        return path

    def _recompute(self, published: list[Published], prices: Path) -> OracleResult:
        """What the oracle says, under these prices from the beginning."""
        return recompute(published, prices, self.plan.rules, settings.WINDOW_SECONDS)

    async def _judge(
        self, traffic: Traffic, ends: Mapping[int, int], database: Store, killed: _Killed, oracle: OracleResult,
        rated_later: int,
    ) -> Outcome:  # fmt: skip
        """Steps 6 and 7."""
        self.progress("Comparing every cent", 0, 3)
        exit_codes = await asyncio.to_thread(self.stop_workers)
        self.progress("Comparing every cent", 1, 3)
        outcome = Outcome(oracle=oracle, rated_later=rated_later)
        await asyncio.to_thread(_read_store, outcome, database)
        self.progress("Comparing every cent", 2, 3)
        outcome.killing = killed.killing(ends, await asyncio.to_thread(database.workers))
        wrong = await self._findings()
        planned = Counter(traffic.expected) + Counter(dict.fromkeys(("published", "accepted"), traffic.waiting))
        outcome.checks = [
            *killing_checks(outcome.killing),
            Check("the other worker stopped cleanly", exit_codes == [0], f"exit codes {exit_codes}"),
            *outcome_checks(planned, outcome.stored, outcome.oracle),
            *money_checks(outcome.sums, wrong, outcome.comparison),
        ]
        self.progress("Comparing every cent", 3, 3)
        return outcome

    async def _settle(self, outcome: Outcome, database: Store) -> None:
        """Step 8."""
        step = f"Closing {self.month.label}"
        self.progress(step, 0, 1)
        settlement = await settle(
            self._configuration(), self.endpoints.bootstrap_servers, self.topic, self.plan.plans, self.month
        )
        outcome.settlement = settlement
        queries = (store.COUNTED, store.USED, store.BILLED, store.POSTED, store.DUE)
        counted, used, *books = await asyncio.to_thread(lambda: [database.rows(each) for each in queries])
        outcome.checks += [
            counted_check(settlement.meters, counted, used),
            *settlement_checks(settlement, outcome.sums, *books),
        ]
        self.progress(step, 1, 1)

    async def _findings(self) -> list[str]:
        """What the store's own reconciliation has to say, failures only."""
        sink = await ClickHouseSink.connect(self._configuration())
        try:
            accounts = await sink.read_accounts()
        finally:
            await sink.close()
        return [finding.sentence for finding in findings(accounts) if finding.level is Level.FAILURE]

    def _require_workers(self) -> None:
        for worker in self.workers.values():
            worker.require_running()


@dataclass(frozen=True, slots=True)
class _Killed:
    pid: int
    exit_code: int
    partitions: tuple[int, ...]
    stored: Mapping[int, int]  # partition -> next offset stored when it died

    def killing(self, ends: Mapping[int, int], finished_by: Mapping[int, int]) -> Killing:
        """With what came of it: the log's ends, and which process stored the end of each partition."""
        unfinished = tuple(each for each in self.partitions if self.stored.get(each, 0) < ends.get(each, 0))
        return Killing(
            pid=self.pid,
            exit_code=self.exit_code,
            partitions=self.partitions,
            stored=sum(self.stored.get(partition, 0) for partition in self.partitions),
            published=sum(ends.get(partition, 0) for partition in self.partitions),
            unfinished=unfinished,
            taken_over=tuple(each for each in unfinished if finished_by.get(each, self.pid) != self.pid),
        )


def _read_store(outcome: Outcome, database: Store) -> None:
    """Everything that the report and the checks need of ClickHouse."""
    outcome.stored = database.outcomes()
    outcome.split = database.rows(store.SPLIT)
    outcome.sums = {name: sum((row[name] for row in outcome.split), Decimal(0)) for name in store.AMOUNTS}
    outcome.comparison = compare(
        outcome.oracle,
        totals=database.rows(store.TOTALS),
        ledger=database.rows(store.LEDGER),
        dead_letters=database.rows(store.DEAD_LETTERS),
    )
    outcome.dead_letters = {row["reason"]: row["dead_letters"] for row in database.rows(store.DEAD_LETTER_REASONS)}
    largest = max(database.rows(store.TENANTS), key=lambda row: row["charge"])
    outcome.tenant = (largest["builder"], largest["tenant"])
    outcome.tenant_lines = database.rows(store.LINES, builder=largest["builder"], tenant=largest["tenant"])

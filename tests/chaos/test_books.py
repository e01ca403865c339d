"""Price books and rule books are published while workers rate and are killed.

Workers have no files: the first versions come through the command line, then two publishers at once bring out new ones
every few seconds. The activation lead is a minute and more, so traffic goes on until versions begin every other second.
Judged by a plain Decimal computation that knows the schedule and shares no code with rating: every event is in the
ledger once, under the versions that its own time asks for, with the amounts that those make of it, and the store's own
reconciliation finds nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.loading import parse_version
from billing.prices import PriceBook
from billing.published import record_of
from billing.surcharges import RuleBook
from gateway.emitter import Encoding
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.errors import PublicationOvertakenError, PublicationRefusedError
from sinks.publishing import MARGIN, publish
from sinks.reconciliation import Level, findings
from tests.chaos.scenario import SEED, SIZE, Crew
from tests.support.workers import REPOSITORY, Installation
from topics.events import UsageEvent

pytestmark = [pytest.mark.timeout(500), pytest.mark.slow]

SKEW = 3  # seconds an event may be ahead: part of the lead, so a short one
LEAD = timedelta(seconds=60 + SKEW)
ROUNDS, ROUND_SECONDS = 6, 2.5  # of publications, one of each kind at once
AHEAD = LEAD + MARGIN + timedelta(seconds=12)  # from publishing to the start: a busy machine takes its time
STARTS_APART = timedelta(seconds=2)
AFTERWARDS = timedelta(seconds=8)  # of traffic, once the last version has begun
EVENTS_A_SECOND = 60 * SIZE
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
STEP = Decimal("0.000000000001")
SHARE = Decimal("0.70")

PRICES = """
version = "{version}"
effective_from = {start}
{more}
currency = "USD"
default_reward_share = "0.70"

[[prices]]
provider = "openai"
model = "gpt-5-mini"
meters = {{ input_tokens = "{input}", output_tokens = "{output}" }}
"""
RULES = """
version = "{version}"
effective_from = {start}

[[rules]]
id = "{version}-all"
kind = "markup"
percent = "{percent}"
label = "Drafts"
unit = "token"
reason = "What the model costs, and a part for the app."
"""


@dataclass
class Schedule:
    """What was published and when it begins: the judge's own books, as plain numbers."""

    prices: list[tuple[datetime, str, Decimal, Decimal]] = field(default_factory=list)
    rules: list[tuple[datetime, str, Decimal]] = field(default_factory=list)

    def amounts(self, event_time: datetime, usage: dict[str, int]) -> tuple[str, str, dict[str, Decimal]]:
        """Versions and amounts of an event, by hand."""
        _, priced, per_input, per_output = max(each for each in self.prices if each[0] <= event_time)
        _, ruled, percent = max(each for each in self.rules if each[0] <= event_time)
        base = usage["input_tokens"] * per_input + usage["output_tokens"] * per_output
        charge = (base * (1 + percent / 100)).quantize(STEP, ROUND_HALF_EVEN)
        reward = (base * SHARE).quantize(STEP, ROUND_HALF_EVEN)
        return priced, ruled, {
            "base_cost": base,
            "customer_charge": charge,
            "provider_reward": reward,
            "platform_fee": base - reward,
            "builder_earnings": charge - base,
        }  # fmt: skip

    def price_book(self, version: str, start: datetime, number: int, more: str = "") -> str:
        """A book of its own prices, and an entry for the judge unless it never applies."""
        per_input, per_output = Decimal(number + 1) / 10**7, Decimal(3 * number + 7) / 10**6
        if not more:
            self.prices.append((start, version, per_input, per_output))
        return PRICES.format(
            version=version, start=start.isoformat(), input=f"{per_input:f}", output=f"{per_output:f}", more=more
        )

    def rule_book(self, version: str, start: datetime, number: int) -> str:
        """A book of its own markup, with a third of a percent in it so that amounts round."""
        percent = Decimal("33.333333") + number
        self.rules.append((start, version, percent))
        return RULES.format(version=version, start=start.isoformat(), percent=percent)


@dataclass
class Run:
    """An installation without book files, its crew, its schedule, and what was sent."""

    installation: Installation
    crew: Crew
    sink: ClickHouseSink
    draw: random.Random
    schedule: Schedule = field(default_factory=Schedule)
    sent: dict[str, UsageEvent] = field(default_factory=dict)
    overtaken: int = 0
    until: datetime | None = None  # of the traffic; not known before the last publication

    def command_line(self, *arguments: str) -> dict[str, Any]:
        """`tollstream ... --json` as somebody runs it; its answer."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
        environment |= {"TOLLSTREAM_CONFIG": str(self.installation.settings_file), "PYTHONPATH": str(REPOSITORY)}
        done = subprocess.run(
            [sys.executable, "-m", "tollstream", *arguments, "--json"],
            env=environment, cwd=self.installation.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    async def found(self) -> None:
        """The first versions, through the command line."""
        for kind, text in (
            ("prices", self.schedule.price_book("p0", LONG_AGO, 0)),
            ("rules", self.schedule.rule_book("r0", LONG_AGO, 0)),
        ):
            file = self.installation.folder / f"{kind}-first.toml"
            file.write_text(text, encoding="utf-8")
            told = await asyncio.to_thread(
                self.command_line, kind, "publish", str(file), "--by", "chaos", "--reason", "founding"
            )
            assert [each["version"] for each in told["published"]] == [f"{kind[0]}0"]

    async def publish(self, text: str, model: type[PriceBook] | type[RuleBook]) -> None:
        """As a publisher does who looks again whenever somebody was faster."""
        record = record_of(parse_version(text, ".toml", "chaos", model))
        while True:
            place = (await self.sink.read_book_records()).newest_place
            try:
                await publish(self.sink, [record], based_on=place, published_by="chaos", reason="new prices")
            except PublicationOvertakenError:
                self.overtaken += 1
            else:
                return

    async def publications(self) -> None:
        """Both kinds at once, round after round, each version beginning a little after the one before."""
        start = founded = datetime.now(UTC)
        for number in range(1, ROUNDS + 1):
            start = max(datetime.now(UTC) + AHEAD, start + STARTS_APART)
            prices = self.schedule.price_book(f"p{number}", start, number)
            rules = self.schedule.rule_book(f"r{number}", start + STARTS_APART / 2, number)
            await asyncio.gather(self.publish(prices, PriceBook), self.publish(rules, RuleBook))
            await asyncio.sleep(ROUND_SECONDS)
        self.until = start + STARTS_APART / 2 + AFTERWARDS
        past = self.schedule.price_book("past", founded, 50, more="retroactive = true")
        await self.publish(past, PriceBook)
        with pytest.raises(PublicationRefusedError, match=f"sooner than {LEAD.seconds} s from now"):
            await self.publish(Schedule().price_book("hasty", datetime.now(UTC) + LEAD / 2, 60), PriceBook)

    async def traffic(self) -> None:
        """Events of now, of a little later, and late ones; some twice."""
        clock = asyncio.get_running_loop().time
        began, number = clock(), 0
        async with self.installation.emitter(encoding=Encoding.JSON, delivery_seconds_max=30) as emitter:
            while self.until is None or datetime.now(UTC) < self.until:
                receipts = []
                for _ in range(EVENTS_A_SECOND // 4):
                    ahead = self.draw.choice([self.draw.uniform(-2, SKEW - 1), self.draw.uniform(-40, 0)])
                    event = UsageEvent(
                        id=f"e{number}", source="gateway/chaos", time=datetime.now(UTC) + timedelta(seconds=ahead),
                        builder="acme", tenant=f"t{number % 40}", provider="openai", model="gpt-5-mini",
                        usage={"input_tokens": Decimal(number % 997), "output_tokens": Decimal(number % 89)},
                    )  # fmt: skip
                    self.sent[event.id] = event
                    again = [self.draw.choice(list(self.sent.values()))] if self.draw.random() < 0.02 else []
                    receipts += [await emitter.submit(each) for each in (event, *again)]
                    number += 1
                await emitter.flush()
                await asyncio.gather(*receipts)
                await asyncio.sleep(max(0.0, began + number / EVENTS_A_SECOND - clock()))

    async def kills(self, done: asyncio.Task[None]) -> int:
        """A worker killed every few seconds, and started again; the first one lives on, and has to follow by itself."""
        killed = 0
        while not done.done():
            await asyncio.sleep(self.draw.uniform(8, 13))
            victim = self.draw.choice(self.crew.members[1:])
            if victim.exit_code is None:
                victim.kill()
                killed += 1
            self.crew.supervise()
        return killed

    async def caught_up(self) -> None:
        """Everything sent is in the ledger."""
        deadline = time.monotonic() + 120
        query = "SELECT uniqExact(id) AS ids FROM usage_ledger"
        while (await asyncio.to_thread(self.installation.rows, query))[0]["ids"] < len(self.sent):
            self.crew.supervise()
            assert time.monotonic() < deadline, self.told("not everything was stored")
            await asyncio.sleep(0.3)

    def told(self, what: str) -> str:
        """With what is needed to look into it."""
        logs = "\n".join(f"  {path}" for path in sorted(self.installation.folder.glob("*.log")))
        return f"{what}\nTOLLSTREAM_CHAOS_SEED={SEED}; database {self.installation.name}; logs:\n{logs}"

    def judge(self) -> Counter[str]:
        """Every ledger row against the plain computation; how many events each version rated."""
        columns = "base_cost, customer_charge, provider_reward, platform_fee, builder_earnings"
        rows = self.installation.rows(
            f"SELECT id, price_version, rule_version, rule_id, {columns} FROM usage_ledger FINAL"
        )
        assert len(rows) == len(self.sent), self.told(f"{len(rows)} rows of {len(self.sent)} events")
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for row in rows:
            event = self.sent[row["id"]]
            usage = {name: int(value) for name, value in event.usage.items()}
            priced, ruled, amounts = self.schedule.amounts(event.time, usage)
            assert (row["price_version"], row["rule_version"]) == (priced, ruled), self.told(f"{event.time} {row}")
            assert row["rule_id"] == f"{ruled}-all"
            assert {name: row[name] for name in amounts} == amounts, self.told(f"{event.time} {row}")
            counts.update((priced, ruled))
            sums.update(amounts)
        totals = self.installation.totals()
        assert totals.pop("ledger_rows") == len(rows)
        assert totals == {name: sums[name] for name in totals}
        return counts

    async def residual(self) -> list[str]:
        """What the store's own reconciliation finds."""
        accounts = await self.sink.read_accounts()
        return [finding.sentence for finding in findings(accounts) if finding.level is Level.FAILURE]


@asynccontextmanager
async def running(bootstrap_servers: str, clickhouse_url: str, folder: Path) -> AsyncIterator[Run]:
    print(f"TOLLSTREAM_CHAOS_SEED={SEED}")
    settings = {"prices": None, "rules": None, "future_skew_seconds": SKEW, "block_records": 1500}
    installation = Installation(bootstrap_servers, clickhouse_url, folder, settings=settings)
    await installation.prepare()
    sink = await ClickHouseSink.connect(ClickHouseConfiguration(clickhouse_url, database=installation.name))
    crew = Crew(installation)
    try:
        yield Run(installation, crew, sink, random.Random(f"{SEED} books"))
    finally:
        crew.end()
        await sink.close()


async def test_books_published_while_workers_are_killed_rate_every_event_by_its_own_time(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with running(bootstrap_servers, clickhouse_url, tmp_path) as run:
        await run.found()
        for _ in range(1 + SIZE):
            run.crew.hire()
        await asyncio.to_thread(run.crew.members[0].facts)
        traffic = asyncio.create_task(run.traffic())
        kills = asyncio.create_task(run.kills(traffic))
        await run.publications()
        await traffic
        killed = await kills
        await run.caught_up()
        names = [("prices", f"p{number}") for number in range(ROUNDS + 1)]
        names += [("rules", f"r{number}") for number in range(ROUNDS + 1)]
        for worker in run.crew.members:  # picked up by all, restarted or not; the retroactive one rates nothing
            shown = await asyncio.to_thread(worker.metrics)
            assert sorted(name[1:] for name in shown if name[0] == "tollstream_book_info") == sorted(names)
        codes = await asyncio.gather(*(asyncio.to_thread(worker.stop, 90) for worker in run.crew.members))
        assert set(codes) == {0}, run.told(f"workers stopped with {codes}")
        counts = await asyncio.to_thread(run.judge)
        assert await run.residual() == []
        assert min(counts[name] for _, name in names) > 0, f"a version rated nothing: {counts}"
        assert killed >= ROUNDS
        assert set(run.crew.ended) <= {-9}, run.told(f"workers ended by themselves: {run.crew.ended}")
        records = (await run.sink.read_book_records()).records
        assert len(records) == len(names) + 1, "hasty was recorded, or something was recorded twice"
        print(f"{len(run.sent)} events, {killed} kills, {run.overtaken} times overtaken, by version {dict(counts)}")

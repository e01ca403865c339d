"""One scenario: an installation, a crew of workers, traffic, faults, and a verdict against the oracle.

Size    TOLLSTREAM_CHAOS_SIZE: so many times the traffic, the time and the faults of `make test`; `make chaos` takes 3.
Seed    TOLLSTREAM_CHAOS_SEED replays what was drawn: traffic, moments, victims. How processes interleave is the
        machine's affair; a seed that failed will not fail every time.
Verdict the log is read back from Kafka, the oracle recomputes it, and every ledger row, total, dead letter and counter
        of the store has to be equal to that; the store's own reconciliation has to find nothing.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.reconciliation import Level, findings
from tests.chaos.log import published, read_records
from tests.chaos.traffic import Gateway, Item, draw_traffic
from tests.support.membership import committed_offsets
from tests.support.workers import REPOSITORY, Installation, WorkerProcess
from tollstream.demo import store
from tollstream.demo.oracle import Comparison, OracleResult, Published, compare, recompute
from tollstream.demo.store import Store
from topics.dead_letter import decode

SEED = os.environ.get("TOLLSTREAM_CHAOS_SEED") or str(random.SystemRandom().randrange(1 << 32))
SIZE = int(os.environ.get("TOLLSTREAM_CHAOS_SIZE") or 1)
BOOKS = REPOSITORY / "tollstream" / "demo" / "books"
WINDOW_SECONDS = 3600
CATCH_UP_SECONDS_MAX = 150.0  # on a machine that is busy with something else, too
PATIENCE_SECONDS = 5.0  # without anything new before the log is asked whether there is anything
OUTCOMES = ("published", "accepted", "duplicates", "dead_lettered", "voided", "unpriced")
TABLES = {
    "usage_ledger": "SELECT * FROM usage_ledger FINAL",
    "usage_totals": "SELECT * FROM usage_totals FINAL",
    "dead_letters": "SELECT * FROM dead_letters FINAL",
    "checkpoints": "SELECT * EXCEPT (worker) FROM checkpoints ORDER BY next_offset DESC LIMIT 1 BY source_partition",
}


@dataclass
class Crew:
    """The workers, and the supervisor who starts those again that end by themselves."""

    installation: Installation
    members: list[WorkerProcess] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)  # exit codes of those that had to be started again
    _hired: int = 0

    def hire(self) -> WorkerProcess:
        """One more."""
        self._hired += 1
        self.members.append(self.installation.worker(tag=str(self._hired)))
        return self.members[-1]

    def dismiss(self, worker: WorkerProcess) -> int:
        """Ask it to stop, for good; its exit code."""
        self.members.remove(worker)
        return worker.terminate(90)

    def supervise(self) -> None:
        """Start again what has ended."""
        for worker in self.members:
            if worker.exit_code is not None:
                self.ended.append(worker.exit_code)
                worker.start()

    def end(self) -> None:
        for worker in self.members:
            worker.end()


@dataclass
class Scenario:
    """What a test works with."""

    installation: Installation
    crew: Crew
    gateway: Gateway
    draw: random.Random
    items: list[Item]

    async def publish(self, *, seconds: float, share: tuple[float, float] = (0.0, 1.0)) -> None:
        """This share of the traffic, over so many seconds times SIZE."""
        start, stop = (round(len(self.items) * part) for part in share)
        await self.gateway.publish(self.items[start:stop], seconds=seconds * SIZE)

    async def pause(self, shortest: float, longest: float) -> None:
        """Wait for a random while."""
        await asyncio.sleep(self.draw.uniform(shortest, longest))

    async def stored(self) -> dict[int, int]:
        """Next offset of each partition with a checkpoint."""
        return await asyncio.to_thread(self.installation.next_offsets)

    async def progress(self, seconds: float = 60.0) -> None:
        """Wait until something more is stored than now, or everything is."""
        before = await self.stored()
        looked = time.monotonic()

        async def more(stored: dict[int, int]) -> bool:
            nonlocal looked
            if stored != before or time.monotonic() - looked < PATIENCE_SECONDS:
                return stored != before
            looked = time.monotonic()
            return stored == await self._log_ends()

        await self._until(more, seconds, "nothing more was stored")

    async def catch_up(self, seconds: float = CATCH_UP_SECONDS_MAX) -> None:
        """Wait until the whole log is stored; who ends meanwhile is started again."""
        ends = await self._log_ends()

        async def all_of_it(stored: dict[int, int]) -> bool:
            return stored == ends

        await self._until(all_of_it, seconds, f"not caught up with {ends}")

    async def _log_ends(self) -> dict[int, int]:
        return _ends(await read_records(self.installation.bootstrap_servers, self.installation.topic))

    async def _until(
        self, condition: Callable[[dict[int, int]], Awaitable[bool]], seconds: float, problem: str
    ) -> None:
        deadline = time.monotonic() + seconds
        while not await condition(stored := await self.stored()):
            self.crew.supervise()
            assert time.monotonic() < deadline, self.told(f"{problem} after {seconds} s: {stored}")
            await asyncio.sleep(0.1)

    async def relieve(self, **settings: Any) -> None:
        """Dismiss all workers, however they end, and hire as many with other settings: those of a test that gives up
        on the store early may find it too slow on a busy machine, with nothing broken."""
        members = list(self.crew.members)
        await asyncio.gather(*(asyncio.to_thread(self.crew.dismiss, worker) for worker in members))
        self.installation.write_settings(**settings)
        for _ in members:
            self.crew.hire()

    async def stop(self) -> None:
        """Stop all workers in order: each with exit code 0, everything committed."""
        self.crew.supervise()
        members, self.crew.members = self.crew.members, []
        codes = await asyncio.gather(*(asyncio.to_thread(worker.stop, 90) for worker in members))
        assert set(codes) <= {0}, self.told(f"workers stopped with {codes}")

    async def judge(self) -> OracleResult:
        """Everything that is stored and committed is what the oracle makes of the log; the oracle's result."""
        installation = self.installation
        records = await read_records(installation.bootstrap_servers, installation.topic)
        log = [event for record in records for event in published(record)]
        oracle = await asyncio.to_thread(
            recompute, log, installation.folder / "prices.toml", installation.folder / "rules.toml", WINDOW_SECONDS
        )
        comparison, outcomes = await asyncio.to_thread(self._compare, oracle)
        assert comparison.equal, self.told(_first_difference(comparison, log))
        assert outcomes == {name: oracle.outcomes[name] for name in OUTCOMES}, self.told("counters differ")
        assert await self.findings() == [], self.told("the store's own reconciliation found something")
        assert await self.stored() == _ends(records), self.told("checkpoints are not where the log ends")
        committed = await committed_offsets(installation.bootstrap_servers, installation.name)
        assert committed == _ends(records), self.told("committed offsets are not where the log ends")
        letters = await self.dead_letters()
        assert letters == oracle.dead_letters, self.told("the topic of dead letters differs")
        for outcome in ("duplicates", "dead_lettered", "voided", "adjusted", "unpriced"):
            assert oracle.outcomes[outcome] > 0, f"the traffic had no {outcome}: it would not have shown anything"
        return oracle

    async def findings(self) -> list[str]:
        """What the store's own reconciliation has to say."""
        sink = await ClickHouseSink.connect(self._store)
        try:
            accounts = await sink.read_accounts()
        finally:
            await sink.close()
        return [finding.sentence for finding in findings(accounts) if finding.level is Level.FAILURE]

    async def dead_letters(self) -> dict[tuple[int, int, int], str]:
        """Place and reason of every dead letter in Kafka: at least once each."""
        letters: dict[tuple[int, int, int], str] = {}
        for record in await read_records(self.installation.bootstrap_servers, "usage.dead-letter"):
            letter = decode(record.key, record.value, record.headers)
            if letter.epoch == self.installation.topic_epoch:
                rejection = letter.rejection
                letters[rejection.partition, rejection.offset, rejection.index] = str(rejection.reason)
        return letters

    async def fingerprint(self) -> dict[str, Any]:
        """Rows and a hash of every value, table by table."""
        hashed = "SELECT count() AS rows, groupBitXor(sipHash64(formatRow('JSONEachRow', *))) AS hash FROM ({})"
        return {
            table: await asyncio.to_thread(self.installation.rows, hashed.format(query))
            for table, query in TABLES.items()
        }

    def told(self, what: str) -> str:
        """With what is needed to look into it."""
        logs = "\n".join(f"  {path}" for path in sorted(self.installation.folder.glob("*.log")))
        return f"{what}\nTOLLSTREAM_CHAOS_SEED={SEED}, epoch {self.installation.topic_epoch}; logs:\n{logs}"

    @property
    def _store(self) -> ClickHouseConfiguration:
        return ClickHouseConfiguration(self.installation.clickhouse_url, database=self.installation.name)

    def _compare(self, oracle: OracleResult) -> tuple[Comparison, dict[str, int]]:
        database = Store(self.installation.clickhouse_url, self.installation.name)
        try:
            comparison = compare(
                oracle,
                totals=database.rows(store.TOTALS),
                ledger=database.rows(store.LEDGER),
                dead_letters=database.rows(store.DEAD_LETTERS),
            )
            return comparison, database.outcomes()
        finally:
            database.close()


@asynccontextmanager
async def scenario(
    name: str, bootstrap_servers: str, clickhouse_url: str, folder: Path, *, events: int, **settings: Any
) -> AsyncIterator[Scenario]:
    """Topics, tables, books and traffic, `events` times SIZE; whatever was started is gone afterwards."""
    print(f"TOLLSTREAM_CHAOS_SEED={SEED}")
    installation = Installation(bootstrap_servers, clickhouse_url, folder, settings={"block_records": 1500} | settings)
    await installation.prepare()
    for book in ("prices.toml", "rules.toml"):
        (folder / book).write_bytes((BOOKS / book).read_bytes())
    crew = Crew(installation)
    gateway = Gateway(bootstrap_servers, installation.topic, installation.partitions)
    items = await asyncio.to_thread(draw_traffic, events * SIZE, f"{SEED} {name}")
    try:
        yield Scenario(installation, crew, gateway, random.Random(f"{SEED} {name} faults"), items)
    finally:
        crew.end()


def _ends(records: Sequence[Any]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for record in records:
        ends[record.partition] = record.offset + 1
    return ends


def _first_difference(comparison: Comparison, log: Sequence[Published]) -> str:
    """The difference that stands first in the log, with its event."""
    events = {(event.partition, event.offset, event.index): event for event in log}
    placed = {
        (int(found[1]), int(found[2]), int(found[3])): sentence
        for sentence in reversed(comparison.differences)
        if (found := re.search(r"\((\d+), (\d+), (\d+)\)", sentence))
    }
    count = f"residual {comparison.residual:f}, {len(comparison.differences)} differences"
    if not placed:
        return f"{count}; all in totals, the first: {comparison.differences[0]}"
    place = min(placed, key=lambda one: (events[one].record_time if one in events else 0, one))
    return f"{count}; the first: {placed[place]}\nits event: {events.get(place)}"

"""A Builder whose tenants use something right now: totals and checkpoints as workers flush them, plans and credits on
record as people publish them, on the real engine.

Usage is said in tasks; a task costs 1 USD (0.40 reward, 0.10 fee, 0.50 earnings), and belongs to the hour it was in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from billing.credits import Grant
from billing.publication import RULES, BookDigest
from sinks import tables
from sinks.agreements import GRANTS, PLANS, GrantRecord, PlanRecord
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.journals import append
from sinks.publishing import publish
from tests.support.memory_log import MemoryLog
from tollstream.closing.checks import KINDS, Accepted
from tollstream.closing.run import Installation, close

BUILDER = "acme"
PARTITIONS = 4
RULE = "quill-tasks"
RULE_TEXT = f"""
version = "running-rules-1"
effective_from = 2020-01-01T00:00:00Z

[[rules]]
id = "{RULE}"
kind = "per_unit"
amount = "1"
meter = "tasks"
label = "Tasks"
unit = "task"
reason = "Every task has a price."
"""
PLANS_TEXT = """
version = "{version}"
effective_from = {since}
builder = "{builder}"
currency = "USD"
default_plan = "pro"

[[plans]]
id = "pro"
label = "Pro"
units = [{{ meter = "tasks", one = "task", many = "tasks" }}]
cap = {{ amount = "{cap}", then = "stop" }}

[[plans.allowances]]
id = "included"
label = "Included tasks"
unit = "tasks"
quantity = "{included}"
"""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass
class RunningUsage:
    """One database with one Builder. `use` counts, `flush` stores what was counted as workers would."""

    configuration: ClickHouseConfiguration
    client: Client
    sink: ClickHouseSink
    store: ClickHouseStatementStore
    _totals: dict[tuple[str, datetime], list[Decimal]] = field(default_factory=dict)  # -> tasks, last offset
    _changed: set[tuple[str, datetime]] = field(default_factory=set)
    _next: dict[int, int] = field(default_factory=dict)

    @classmethod
    async def open(cls, clickhouse_url: str) -> RunningUsage:
        """A database of its own, with rules published."""
        configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex[:8]}")
        migrate(configuration)
        client = Client.connect(configuration)
        sink = ClickHouseSink(client)
        await publish(
            sink,
            [BookDigest(RULES, "running-rules-1", LONG_AGO, _digest(RULE_TEXT), RULE_TEXT)],
            based_on=0,
            published_by="tests",
            reason="founding",
        )
        return cls(configuration, client, sink, ClickHouseStatementStore(client))

    async def plan(self, version: str = "plans-1", *, included: str = "10", cap: str = "100", **more: Any) -> None:
        """A plan book with one plan for everybody: so many tasks included, then a cap in USD."""
        given = {"since": "2020-01-01T00:00:00Z", "builder": BUILDER, "version": version}
        await self.publish_plans(PLANS_TEXT.format(**given | {"included": included, "cap": cap} | more))

    async def publish_plans(self, text: str) -> None:
        """Any plan book."""
        from billing.loading import parse_version
        from billing.plans import PlanBook

        book = parse_version(text, ".toml", "tests", PlanBook)
        record = PlanRecord(book.builder, book.version, book.effective_from, book.digest, text, "tests", "they need it")
        await append(self.store, PLANS, {"builder": book.builder}, lambda standing: [record])

    async def grant(self, grant_id: str, tenant: str, quantity: str, *, unit: str = "", **more: Any) -> None:
        """A credit of money, or of tasks."""
        fields: dict[str, Any] = {"price_paid": Decimal(0), "granted_at": LONG_AGO, "kind": "promotional"} | more
        grant = Grant(id=grant_id, tenant=tenant, unit=unit, currency="USD", quantity=Decimal(quantity), **fields)
        record = GrantRecord(BUILDER, grant, "tests", "for a test")
        await append(self.store, GRANTS, {"builder": BUILDER}, lambda standing: [record])

    def use(self, tenant: str, tasks: str | Decimal, at: datetime | None = None) -> None:
        """So many tasks, below 0 as a void takes them back."""
        window = (at or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0)
        partition = partition_of(tenant)
        self._next[partition] = self._next.get(partition, 0) + 1
        total = self._totals.setdefault((tenant, window), [Decimal(0), Decimal(0)])
        total[0] += Decimal(tasks)
        total[1] = Decimal(self._next[partition] - 1)
        self._changed.add((tenant, window))

    async def flush(self, *partitions: int) -> None:
        """Totals, then checkpoints; with `partitions` of these only."""
        await self.write_totals()
        await self.sink.write_checkpoints(
            pa.Table.from_pylist(
                [
                    {
                        "topic_epoch": 1,
                        "source_partition": partition,
                        "next_offset": following,
                        "events": following,
                        "accepted": following,
                        **dict.fromkeys(("duplicates", "dead_lettered", "voids", "adjustments", "unpriced"), 0),
                        "max_record_time": datetime.now(UTC),
                        "worker": "tests:1",
                    }
                    for partition, following in sorted(self._next.items())
                    if not partitions or partition in partitions
                ],
                schema=tables.CHECKPOINTS,
            )
        )

    async def write_totals(self) -> None:
        """What has changed of them, and nothing else of a flush."""
        rows = [self._row(*key) for key in sorted(self._changed)]
        self._changed.clear()
        if rows:
            await self.sink.write_totals(pa.Table.from_pylist(rows, schema=tables.TOTALS))

    async def spoil_credits(self, tenant: str) -> None:
        """A grant in another currency than the tenant is charged in: there is no balance of that."""
        grant = Grant("odd", tenant, "goodwill", "", "EUR", Decimal(5), Decimal(0), LONG_AGO)
        record = GrantRecord(BUILDER, grant, "tests", "by mistake")
        await append(self.store, GRANTS, {"builder": BUILDER}, lambda standing: [record])

    def used(self, tenant: str) -> Decimal:
        """Tasks of a tenant, over all windows."""
        return sum((total[0] for (name, _), total in self._totals.items() if name == tenant), Decimal(0))

    async def close(self, label: str) -> None:
        """A period, whatever is in the way: there is no ledger here."""
        from billing.published import books_of

        _, rules = books_of(await self.sink.read_books((RULES,)))
        log = MemoryLog(lambda: {(1, partition): following for partition, following in self._next.items()})
        installation = Installation(self.store, rules, log, 3600)
        await close(installation, BUILDER, label, Accepted(frozenset(KINDS), "tests", "there is no ledger here"))

    def settings(self, folder: Path, bootstrap_servers: str, alerts_topic: str) -> Path:
        """A settings file for the command line."""
        values = {
            "kafka_bootstrap_servers": bootstrap_servers,
            "clickhouse_url": self.configuration.url,
            "clickhouse_database": self.configuration.database,
            "alerts_topic": alerts_topic,
            "topic_epoch": 1,
            "partitions": PARTITIONS,
            "session_timeout_seconds": 6,
        }
        path = folder / "tollstream.toml"
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items()), encoding="utf-8")
        return path

    def end(self) -> None:
        self.client.close()

    def _row(self, tenant: str, window: datetime) -> dict[str, Any]:
        tasks, last_offset = self._totals[tenant, window]
        return {
            "builder": BUILDER,
            "tenant": tenant,
            "window_start": window,
            "workspace": "",
            "feature": "chat",
            "provider": "northwind",
            "model": "nw-large",
            "mode": "standard",
            "rule_id": RULE,
            "currency": "USD",
            "topic_epoch": 1,
            "source_partition": partition_of(tenant),
            "last_offset": int(last_offset),
            "ledger_rows": 1,
            "net_events": int(tasks),
            "unpriced_events": 0,
            "usage": [("tasks", tasks)],
            "customer_charge": tasks,
            "provider_reward": tasks * Decimal("0.4"),
            "platform_fee": tasks * Decimal("0.1"),
            "builder_earnings": tasks * Decimal("0.5"),
        }


def partition_of(tenant: str) -> int:
    """Any function of the tenant does."""
    return sum(tenant.encode()) % PARTITIONS


def _digest(text: str) -> str:
    from billing.loading import parse_version
    from billing.surcharges import RuleBook

    return parse_version(text, ".toml", "tests", RuleBook).digest


__all__ = ["BUILDER", "RunningUsage"]

"""A Builder's desk over a real store: usage comes in, is taken back, rated again, and periods are closed.

Rows go through the sink's own writer, totals are added up in plain Python (tests/support/rows.py), so what is closed
is what a worker would have stored. `snapshot` is everything that a closing wrote, but for ids and moments that differ
from one run to the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from billing.credits import Grant
from billing.loading import parse_version
from billing.plans import PlanBook
from billing.publication import RULES as RULES_KIND
from billing.publication import BookDigest
from billing.surcharges import RuleBook, RuleBooks
from sinks.agreements import GRANTS, RATES, GrantRecord, RateRecord
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.clickhouse.writer import write_rows
from sinks.journals import append
from sinks.publishing import publish as publish_books
from sinks.rerates import Partition
from sinks.statements import StatementQuery
from tests.support import rows
from tests.support.memory_log import MemoryLog
from tests.support.rows import Row, checkpoint_row, ledger_row, totals_of, void_row
from tollstream.agreements.plans import publish
from tollstream.closing.checks import Accepted
from tollstream.closing.run import Installation, Preview, Result, close, preview
from tollstream.closing.told import Told

BUILDER = "acme"
PATIENCE_SECONDS = 0.5
AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
RULES_TEXT = """
version = "rules-1"
effective_from = 2020-01-01T00:00:00Z
[[rules]]
id = "markup-43"
kind = "markup"
percent = "43"
label = "Answers"
unit = "request"
reason = "Every answer costs what the AI costs, and 43 percent."
"""
RULES = RuleBooks([parse_version(RULES_TEXT, ".toml", "rules", RuleBook)])
PLANS = """
version = "{version}"
effective_from = {since}
builder = "acme"
currency = "USD"
[cycle]
kind = "{kind}"
zone = "{zone}"

[[plans]]
id = "team"
label = "Team"
fee = "9.00"
units = [{{ meter = "requests", one = "request", many = "requests" }}]
[[plans.allowances]]
id = "included"
label = "Included answers"
unit = "requests"
quantity = "3"
rollover = true
{tenants}
"""
TENANT = """
[[tenants]]
tenant = "{tenant}"
plan = "team"
since = 2025-01-01
{more}
"""


class CrashedError(Exception):
    """The process is gone."""


class Breaking(Told):
    """Breaks off right after the step of this number; remembers the names of all it saw."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.names = at, list[str]()

    async def step(self, name: str) -> None:
        self.names.append(name)
        if self.at is not None and len(self.names) - 1 == self.at:
            raise CrashedError(name)


@dataclass
class ClosingDesk:
    """One Builder's usage and closings."""

    client: Client
    builder: str = BUILDER
    ledger: list[Row] = field(default_factory=list)
    ends: dict[Partition, int] = field(default_factory=dict)  # of the log, where they are not where it is stored
    records: bool = True  # what is beyond where it is stored, not control records
    window_seconds: int = 3600
    portion: int = 2

    @property
    def store(self) -> ClickHouseStatementStore:
        return ClickHouseStatementStore(self.client)

    @property
    def next_offset(self) -> int:
        """Where the log ends: one partition, and everything in it is stored."""
        return max((row["source_offset"] for row in self.ledger), default=-1) + 1

    def usage(self, tenant: str, time: datetime, charge: str = "1.00", **more: Any) -> Row:
        """A row that is rated, and not stored yet: half of the charge is the Builder's."""
        amount = Decimal(charge)
        window = time.replace(minute=0, second=0, microsecond=0)
        half = amount / 2
        parts = {"provider_reward": half / 2, "platform_fee": half - half / 2, "builder_earnings": amount - half}
        given = {"builder": self.builder, "tenant": tenant, "window_start": window, "event_time": time}
        return self._row(**given | {"customer_charge": amount, **parts, "base_cost": half} | more)

    def void(self, target: Mapping[str, Any]) -> Row:
        """Takes back a row, and all corrections of it so far."""
        row = dict(target)
        for each in self.ledger:
            if each["kind"] == "adjustment" and each["target_low"] == target["identity_low"]:
                for name in rows.NULL_AMOUNTS:
                    row[name] = (row[name] or Decimal(0)) + (each[name] or Decimal(0))
                row |= {name: each[name] for name in ("rule_id", "currency")}
                if each["pricing"] == "rated_later":  # it waits no more
                    row |= {"pricing": "rated", "unpriced_reason": ""}
        return void_row(self._offset(), row)

    def rerate(self, target: Mapping[str, Any], difference: str, **more: Any) -> Row:
        """The Builder's part of a row becomes more or less."""
        amount = Decimal(difference)
        amounts = {"customer_charge": amount, "builder_earnings": amount}
        amounts |= dict.fromkeys(("provider_reward", "platform_fee", "base_cost"), Decimal(0))
        return self._correction(target, **amounts | {"pricing": "rerated"} | more)

    def rate_later(self, target: Mapping[str, Any], charge: str, rule_id: str = "markup-43") -> Row:
        """Usage that waited has a price now."""
        amount = Decimal(charge)
        amounts = {"customer_charge": amount, "builder_earnings": amount / 2, "provider_reward": amount / 2}
        return self._correction(
            target, **amounts, platform_fee=Decimal(0), base_cost=amount / 2, pricing="rated_later", rule_id=rule_id,
            currency="USD",
        )  # fmt: skip

    def waiting(self, tenant: str, time: datetime, rule_id: str = "") -> Row:
        """Usage without a price; the rater names the rule where one applies."""
        none: dict[str, Any] = {"pricing": "unpriced", "unpriced_reason": "no_price", "rule_id": rule_id}
        return self.usage(tenant, time, **none | {"currency": "USD" if rule_id else ""} | rows.NULL_AMOUNTS)

    def store_rows(self, *new: Row, newest: datetime | None = None) -> None:
        """Store them as a worker does: ledger, totals of what changed, checkpoint."""
        self.ledger += [row for row in new if row not in self.ledger]
        if new:
            write_rows(self.client, "usage_ledger", rows.ledger(new))
            touched = {row["tenant"] for row in new}
            changed = [row for row in self.ledger if row["tenant"] in touched and row["builder"] == self.builder]
            write_rows(self.client, "usage_totals", rows.totals(totals_of(changed)))
        moment = newest or max((row["window_start"] for row in self.ledger), default=JANUARY)
        write_rows(
            self.client, "checkpoints", rows.checkpoints([checkpoint_row(self.next_offset, max_record_time=moment)])
        )

    async def close(
        self, label: str, *accepts: str, told: Told | None = None, by: str = "ada", reason: str = "a test"
    ) -> Result:
        """Close a period, accepting these problems."""
        return await close(self.installation(), self.builder, label, Accepted(frozenset(accepts), by, reason), told)

    async def preview(self, label: str) -> Preview:
        """What it would come to."""
        return await preview(self.installation(), self.builder, label, 100)

    def installation(self) -> Installation:
        """As the command makes it."""

        log = MemoryLog(lambda: {(1, 0): self.next_offset} | self.ends, self.records)
        return Installation(self.store, RULES, log, self.window_seconds, self.portion, PATIENCE_SECONDS)

    async def publish_rules(self) -> None:
        """For verbs, which read them from the store."""
        [book] = RULES.versions
        record = BookDigest(RULES_KIND, book.version, book.effective_from, book.digest, book.content)
        await publish_books(ClickHouseSink(self.client), [record], based_on=0, published_by="ada", reason="a test")

    async def plan(
        self, *tenants: str, version: str = "plans-1", since: str = "2020-01-01T00:00:00Z", kind: str = "month",
        zone: str = "UTC", more: str = "", letters: str = "",
    ) -> None:  # fmt: skip
        """Publish a plan book in which these tenants have the plan `team`; `letters` stands at the end of the book."""
        named = "".join(TENANT.format(tenant=tenant, more=more) for tenant in tenants)
        text = PLANS.format(version=version, since=since, kind=kind, zone=zone, tenants=named + letters)
        await publish(self.store, parse_version(text, ".toml", "plans", PlanBook), "ada", "a test")

    async def grant(self, grant: Grant) -> None:
        """Grant a credit."""
        await append(
            self.store, GRANTS, {"builder": self.builder}, lambda _: [GrantRecord(self.builder, grant, "ada", "a test")]
        )

    async def rate(self, day: datetime, base: str, quote: str, value: str) -> None:
        """Record an exchange rate."""
        await append(
            self.store, RATES, {}, lambda _: [RateRecord(day.date(), base, quote, Decimal(value), "ECB", "ada", "test")]
        )

    async def statements(self, **query: Any) -> list[dict[str, Any]]:
        """Documents of closed periods, in order of their numbers."""
        stored = await self.store.read_statements(StatementQuery(builder=self.builder, **query))
        return [json.loads(each.document) for each in sorted(stored, key=lambda each: each.head.number)]

    def copy(self) -> ClosingDesk:
        """Of what it remembers itself; the tables are the same."""
        return replace(self, ledger=list(self.ledger), ends=dict(self.ends))

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that closed closings wrote."""
        database = self.client.configuration.database
        leave = {"closing_id", "issued_at", "posted_at", "recorded_at", "record_id"}
        found = {}
        for table in ("statements", "statement_lines", "credit_draws", "posting_sets", "credit_grants"):
            final = "" if table == "credit_grants" else "FINAL"
            sql = f"""
                SELECT * FROM {database}.{table} {final} WHERE builder = '{self.builder}'
                    AND closing_id IN (SELECT closing_id FROM {database}.closed_periods)
            """
            answer = self.client.query_rows(sql, doing="looking at what was written")
            kept = [tuple(str(value) for name, value in row.items() if name not in leave) for row in answer]
            found[table] = sorted(set(kept))
        return found

    def sums(self, table: str) -> dict[str, Decimal]:
        """What `billed_usage` or the ledger add up to, amount by amount."""
        found = self.sums_by_tenant(table).values()
        return {name: sum((each[name] for each in found), Decimal(0)) for name in AMOUNTS}

    def sums_by_tenant(self, table: str) -> dict[str, dict[str, Decimal]]:
        """The same by tenant; those for whom nothing stands are left out."""
        final = "FINAL" if table == "usage_ledger" else ""
        added = ", ".join(f"sum(ifNull({name}, 0)) AS {name}_sum" for name in AMOUNTS)
        answer = self.client.query_rows(
            f"""
            SELECT toString(tenant) AS name, {added} FROM {self.client.configuration.database}.{table} {final}
            WHERE builder = '{self.builder}' GROUP BY name ORDER BY name
            """,
            doing="adding up",
        )
        found = {row["name"]: {name: Decimal(row[f"{name}_sum"]) for name in AMOUNTS} for row in answer}
        return {tenant: sums for tenant, sums in found.items() if any(sums.values())}

    def _row(self, **given: Any) -> Row:
        offset = self._offset()
        return ledger_row(offset, id=f"{self.builder}-{offset}", **given)

    def _correction(self, target: Mapping[str, Any], **given: Any) -> Row:
        keys = ("builder", "tenant", "window_start", "feature", "provider", "model", "mode", "rule_id", "currency")
        kept = {name: target[name] for name in keys}
        offset = self._offset()
        return ledger_row(
            offset, **kept | {"kind": "adjustment", "id": f"a{offset}", "target": target["id"], "usage": {}} | given
        )

    _offsets: int = 0

    def _offset(self) -> int:
        self._offsets += 1
        return self._offsets - 1


def hours(*counts: int, start: datetime = JANUARY) -> Iterable[datetime]:
    """Moments so many hours after the start."""
    return [start + timedelta(hours=count) for count in counts]


@contextmanager
def migrated(clickhouse_url: str) -> Iterator[Client]:
    """A database of one's own, with the schema in it."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    client = Client.connect(configuration)
    try:
        yield client
    finally:
        client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
        client.close()


def emptied(client: Client) -> Client:
    """Without rows."""
    database = client.configuration.database
    for table in _filled(client, database):
        client.command(f"TRUNCATE TABLE {database}.{table} SYNC", doing="emptying tables")
    return client


@dataclass
class Kept:
    """How a desk stood at a moment: it can be had again, as often as wanted, without doing everything once more."""

    desk: ClosingDesk
    database: str  # holds the rows of that moment

    @classmethod
    @contextmanager
    def of(cls, desk: ClosingDesk) -> Iterator[Kept]:
        """Keep how it stands now."""
        with migrated(desk.client.configuration.url) as client:
            kept = client.configuration.database
            _copy_rows(desk.client, desk.client.configuration.database, kept)
            yield cls(desk.copy(), kept)

    def again(self) -> ClosingDesk:
        """A new desk, in the same tables, as it stood then."""
        client = emptied(self.desk.client)
        _copy_rows(client, self.database, client.configuration.database)
        return self.desk.copy()


def _copy_rows(client: Client, source: str, target: str) -> None:
    for table in _filled(client, source):
        # Parts are linked, not read: no materialized view sees them, and what they wrote is copied by itself.
        sql = f"ALTER TABLE {target}.{table} ATTACH PARTITION ALL FROM {source}.{table}"
        client.command(sql, doing="copying rows")


def _filled(client: Client, database: str) -> list[str]:
    sql = f"SELECT DISTINCT table AS name FROM system.parts WHERE database = '{database}' AND active"
    found = client.query_rows(sql, doing="looking for rows")
    return [row["name"] for row in found if row["name"] != "schema_migrations"]

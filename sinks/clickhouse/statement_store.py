"""Everything that closing, payouts and pages ask of ClickHouse about statements: readers and writers, in threads.

Apart from `ClickHouseSink`, which is what a worker needs. One per process; `connect` makes it, `close` releases it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from billing.credits import Draw, GrantBalance
from sinks.agreements import GrantRecord
from sinks.clickhouse.client import Client
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.readers import closing_checks, frozen, journals, pins, rerates, statements, usage_rows
from sinks.clickhouse.readers import credits as granted
from sinks.clickhouse.readers.credits import CreditScope
from sinks.closings import Apart, Frozen, Progress, TenantRange, UsageScope, Waiting, Written, covering
from sinks.contract import EpochParameters
from sinks.journals import Entry, Journal
from sinks.rerates import Partition
from sinks.statements import PostedSum, PostingSet, StatementHead, StatementQuery, StoredStatement, posting_sets
from sinks.usage import UsageRange

R = TypeVar("R", bound=Entry)
_NOW = "SELECT now64(6, 'UTC') AS now"


class ClickHouseStatementStore:
    """Over a client of its own, or one that somebody shares."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def connect(cls, configuration: ClickHouseConfiguration) -> ClickHouseStatementStore:
        """`SinkError` when nobody answers."""
        return cls(await asyncio.to_thread(Client.connect, configuration))

    async def read_journal(self, journal: Journal[R], where: Mapping[str, str]) -> list[R]:
        return await self._client.run(journals.read_journal, self._client, journal, where)

    async def record(self, journal: Journal[R], entries: Sequence[R]) -> None:
        await self._client.run(journals.record, self._client, journal, entries)

    async def newest_place(self, journal: Journal[Any], where: Mapping[str, str]) -> int:
        """The last place that is taken."""
        return await self._client.run(journals.newest_place, self._client, journal, where)

    async def plan_ledger(self, builder: str, start: datetime, end: datetime, rows: int) -> list[TenantRange]:
        """Ranges of tenants that together are all of them, each with about so many ledger rows in [start, end)."""
        usage = UsageRange(start, end, builder)
        portions = await self._client.run(usage_rows.plan_usage, self._client, usage, rows)
        return covering([portion.last[1] for portion in portions])

    async def write_rows(self, table: str, rows: pa.Table) -> None:
        """Rows of a table of `readers.statements.SCHEMAS`; equal rows written again change nothing."""
        await self._client.run(statements.write_statement_rows, self._client, table, rows)

    async def write_postings(self, sets: Iterable[PostingSet]) -> None:
        """Raises `PostingsError`, before anything is sent, where a set does not add up to 0."""
        await self.write_rows("posting_sets", posting_sets(sets))

    async def read_heads(self, query: StatementQuery) -> list[StatementHead]:
        """Statements of closed periods, without documents."""
        return await self._client.run(statements.read_heads, self._client, query)

    async def read_statements(self, query: StatementQuery) -> list[StoredStatement]:
        """The same with documents."""
        return await self._client.run(statements.read_statements, self._client, query)

    async def read_posted(
        self, builder: str, document_kinds: Collection[str] = (), tenant: str = ""
    ) -> list[PostedSum]:
        """What stands on every account of a Builder's books, of everything that counts."""
        return await self._client.run(statements.read_posted, self._client, builder, document_kinds, tenant)

    async def read_unbalanced(self) -> list[dict[str, Any]]:
        """Documents whose postings do not add up to 0; empty, or something is very wrong."""
        return await self._client.run(statements.read_unbalanced, self._client)

    async def clock(self) -> datetime:
        """The store's time."""
        [row] = await self._client.run(partial(self._client.query_rows, doing="asking the store for the time"), _NOW)
        now: datetime = row["now"]
        return now

    async def read_progress(self) -> dict[Partition, Progress]:
        """How far every partition of every epoch is stored."""
        found = await self._client.run(rerates.read_progress, self._client)
        return {
            (row["topic_epoch"], row["source_partition"]): Progress(row["next_offset"], row["max_record_time"])
            for row in found.iter_rows(named=True)
        }

    async def read_epochs(self) -> dict[int, EpochParameters]:
        """What was pinned for every epoch that has a checkpoint."""
        epochs = sorted({epoch for epoch, _ in await self.read_progress()})
        found = [(epoch, await self._client.run(pins.read_epoch, self._client, epoch)) for epoch in epochs]
        return {epoch: pinned for epoch, pinned in found if pinned is not None}

    async def totals_ahead(self, scope: UsageScope) -> int:
        """Totals in scope that hold usage beyond the cut."""
        return await self._client.run(closing_checks.totals_ahead, self._client, scope)

    async def read_waiting(self, builder: str, start: datetime, end: datetime) -> list[Waiting]:
        """Usage of a period that waits for a price."""
        return await self._client.run(closing_checks.read_waiting, self._client, builder, start, end)

    async def first_usage(self, builder: str, before: datetime, since: Mapping[Partition, int]) -> datetime | None:
        """Start of the first window before a moment whose totals have grown beyond a cut."""
        return await self._client.run(closing_checks.first_usage, self._client, builder, before, since)

    async def read_apart(self, scope: UsageScope, tenants: TenantRange) -> list[Apart]:
        """How far ledger and totals of a period are apart."""
        return await self._client.run(closing_checks.read_apart, self._client, scope, tenants)

    async def read_tenants(self, scope: UsageScope) -> list[tuple[str, int]]:
        """Tenants with anything to bill, and how many totals that is."""
        return await self._client.run(frozen.read_tenants, self._client, scope)

    async def has_moved(self, scope: UsageScope) -> bool:
        """Whether any usage in scope was rated after it had waited."""
        return await self._client.run(frozen.has_moved, self._client, scope)

    async def freeze(self, scope: UsageScope, closing_id: str, tenants: TenantRange, moved: bool) -> None:
        """Copy the usage of some tenants."""
        await self._client.run(frozen.freeze, self._client, scope, closing_id, tenants, moved)

    async def read_current(self, scope: UsageScope, tenants: TenantRange, moved: bool) -> pa.Table:
        """What `freeze` would copy."""
        return await self._client.run(frozen.read_current, self._client, scope, tenants, moved)

    async def read_frozen(self, builder: str, closing_id: str, tenants: TenantRange) -> pa.Table:
        """What `freeze` copied."""
        return await self._client.run(frozen.read_frozen, self._client, builder, closing_id, tenants)

    async def frozen(self, builder: str, closing_id: str) -> Frozen:
        """How much stands of a copy."""
        return await self._client.run(frozen.frozen, self._client, builder, closing_id)

    async def frozen_tenants(self, builder: str, closing_id: str) -> list[str]:
        """Tenants of a copy."""
        return await self._client.run(frozen.frozen_tenants, self._client, builder, closing_id)

    async def frozen_rules(self, builder: str, closing_id: str) -> list[tuple[datetime, str]]:
        """(start of the period, rule) of a copy."""
        return await self._client.run(frozen.frozen_rules, self._client, builder, closing_id)

    async def frozen_currencies(self, builder: str, closing_id: str) -> list[str]:
        """Currencies of a copy."""
        return await self._client.run(frozen.frozen_currencies, self._client, builder, closing_id)

    async def read_billed(
        self, builder: str, closing_ids: Sequence[str], changed: Sequence[tuple[str, datetime]]
    ) -> pa.Table:
        """What closings have billed of (tenant, start of period)."""
        return await self._client.run(frozen.read_billed, self._client, builder, closing_ids, changed)

    async def read_granted_tenants(self, scope: CreditScope) -> list[str]:
        """Tenants who have any grant."""
        return await self._client.run(granted.read_granted_tenants, self._client, scope)

    async def read_balances(self, scope: CreditScope, tenants: TenantRange) -> dict[str, list[GrantBalance]]:
        """Grants with what is gone of them."""
        return await self._client.run(granted.read_balances, self._client, scope, tenants)

    async def read_draws(
        self, scope: CreditScope, tenants: Collection[str], periods: Collection[str]
    ) -> dict[tuple[str, str], list[Draw]]:
        """What was drawn for periods."""
        return await self._client.run(granted.read_draws, self._client, scope, tenants, periods)

    async def read_grants(self, builder: str, tenant: str = "") -> list[GrantRecord]:
        """Grants that stand, by whom and why."""
        return await self._client.run(granted.read_grants, self._client, builder, tenant)

    async def write_grants(self, grants: pa.Table) -> None:
        """What a closing carried over: rows of `CREDIT_GRANTS`."""
        await self._client.run(statements.write_statement_rows, self._client, "credit_grants", grants)

    async def read_written(self, builder: str, closing_id: str) -> Written:
        """What stands of what a closing wrote."""
        return await self._client.run(statements.read_written, self._client, builder, closing_id)

    async def close(self) -> None:
        self._client.close()

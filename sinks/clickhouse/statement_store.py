"""Everything that closing, payouts and pages ask of ClickHouse about statements: readers and writers, in threads.

Apart from `ClickHouseSink`, which is what a worker needs. One per process; `connect` makes it, `close` releases it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.readers import journals, statements
from sinks.journals import Entry, Journal
from sinks.statements import PostedSum, PostingSet, StatementHead, StatementQuery, StoredStatement, posting_sets

R = TypeVar("R", bound=Entry)


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

    async def write_rows(self, table: str, rows: pa.Table) -> None:
        """Rows of `statements`, `statement_lines`, `credit_draws` or `posting_sets`."""
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

    async def close(self) -> None:
        self._client.close()

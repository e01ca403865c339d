"""Closed periods put into a store, and a store in memory that answers what payouts and disputes ask.

`put_closed` writes what a closing writes, with the closing's own rows, into either store: so whatever is tried in
memory can be tried on the engine. The store in memory keeps rows by the sort keys of their tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar, cast

import pyarrow as pa

from billing.money import EXACT
from billing.periods import MONTHS, Cycle, Period
from billing.postings import Posting
from billing.statements import Statement
from sinks.closings import CLOSED, CLOSING_JOURNAL, FROZEN, Closing, Inputs
from sinks.journals import Entry, Journal, append
from sinks.payable import Balance, Charged, Payable, SettlementStore
from sinks.statements import PostingSet, StatementHead, StatementQuery, StoredStatement, posting_sets
from tollstream.closing.rows import Rows

R = TypeVar("R", bound=Entry)
KEYS = {
    "posting_sets": ("builder", "document_kind", "period_start", "tenant", "document", "closing_id"),
    "statements": ("builder", "period_start", "tenant", "number", "closing_id"),
    "statement_lines": ("builder", "period_start", "tenant", "number", "closing_id", "position"),
    "credit_draws": ("builder", "tenant", "grant_id", "closing_id", "position"),
    "credit_grants": ("builder", "tenant", "grant_id", "record_id"),
}
FIRST = datetime(2026, 12, 1, tzinfo=UTC)


class ClosableStore(SettlementStore, Protocol):
    """A store into which closed periods can be put."""

    async def write_rows(self, table: str, rows: pa.Table) -> None: ...


async def put_closed(
    store: ClosableStore,
    builder: str,
    period: Period,
    statements: Sequence[Statement],
    *,
    cycle: Cycle = MONTHS,
    currency: str = "USD",
    state: str = CLOSED,
) -> list[str]:
    """Close a period with these statements; answers their references. With another `state` it stays open."""
    standing = await store.read_journal(CLOSING_JOURNAL, {"builder": builder})
    first = 1 + sum(entry.statements for entry in standing if entry.state == CLOSED)
    entry = Closing(
        builder,
        f"{builder}-{period.label}",
        period,
        cycle,
        1,
        FROZEN,
        "ada",
        inputs=Inputs(currency=currency),
        first_number=first,
        statements=len(statements),
    )
    [frozen] = await append(store, CLOSING_JOURNAL, {"builder": builder}, lambda _: [entry])
    rows = Rows(frozen, None)
    for number, statement in enumerate(statements, first):
        rows.add(statement, number)
    for table, written in rows.tables():
        await store.write_rows(table, written)
    if state != FROZEN:
        await append(store, CLOSING_JOURNAL, {"builder": builder}, lambda _: [replace(entry, state=state)])
    return [row["reference"] for row in rows.statements]


@dataclass
class MemorySettlement:
    """Lists. Its clock goes on by a second with every record."""

    now: datetime = FIRST
    journals: dict[str, list[Any]] = field(default_factory=dict)
    tables: dict[str, dict[tuple[Any, ...], Mapping[str, Any]]] = field(default_factory=dict)
    _tokens: set[str] = field(default_factory=set)

    async def read_journal(self, journal: Journal[R], where: Mapping[str, str]) -> list[R]:
        found = [
            entry
            for entry in self.journals.get(journal.table, ())
            if all(getattr(entry, name) == value for name, value in where.items())
        ]
        return journal.standing(cast("Iterable[R]", found))

    async def record(self, journal: Journal[R], entries: Sequence[R]) -> None:
        token = journal.token(entries[0])
        if token in self._tokens:
            return
        self._tokens.add(token)
        self.now += timedelta(seconds=1)
        stamped = [replace(cast("Any", entry), recorded_at=self.now) for entry in entries]
        self.journals.setdefault(journal.table, []).extend(stamped)

    async def write_rows(self, table: str, rows: pa.Table) -> None:
        held = self.tables.setdefault(table, {})
        for row in rows.to_pylist():
            held[tuple(row[name] for name in KEYS[table])] = row

    async def write_postings(self, sets: Iterable[PostingSet]) -> None:
        await self.write_rows("posting_sets", posting_sets(sets))

    async def read_heads(self, query: StatementQuery) -> list[StatementHead]:
        names = StatementHead.__dataclass_fields__
        return [
            StatementHead(**{name: row[name] for name in names})
            for row in self._counting("statements")
            if query.builder in ("", row["builder"]) and query.number in (None, row["number"])
        ]

    async def read_statements(self, query: StatementQuery) -> list[StoredStatement]:
        documents = {(row["builder"], row["number"]): row["document"] for row in self._counting("statements")}
        heads = await self.read_heads(query)
        return [StoredStatement(head, documents[head.builder, head.number]) for head in heads]

    async def read_payable(self, accounts: Collection[str], builder: str | None) -> list[Payable]:
        sums: dict[tuple[str, str, str, str, str, str, str], Decimal] = {}
        for row in self._counting("posting_sets"):
            for posting in _postings(row):
                if posting.account in accounts and builder in (None, row["builder"]):
                    key = (row["builder"], row["document_kind"], row["period"], *posting[:4])
                    sums[key] = EXACT.add(sums.get(key, Decimal(0)), posting.amount)
        return [Payable(*key, sums[key]) for key in sorted(sums)]

    async def read_posted_documents(self, builder: str, kinds: Collection[str]) -> set[tuple[str, str]]:
        return {
            (row["document_kind"], row["document"])
            for row in self._counting("posting_sets")
            if row["builder"] == builder and row["document_kind"] in kinds
        }

    async def read_charged(self, builder: str, number: int) -> Charged | None:
        lines = [
            row
            for row in self._counting("statement_lines")
            if (row["builder"], row["number"]) == (builder, number) and row["kind"] not in ("tax", "payment")
        ]
        if not lines:
            return None
        charge, exact = (sum((abs(row[name]) for row in lines), Decimal(0)) for name in ("charge", "exact"))
        return Charged(lines[0]["charge_currency"], charge, exact)

    async def read_balance(self) -> list[Balance]:
        found: dict[str, list[Decimal]] = {}
        for row in self._counting("posting_sets"):
            for posting in _postings(row):
                found.setdefault(posting.currency, []).append(posting.amount)
        return [
            Balance(
                currency,
                len(found[currency]),
                _sum(amount for amount in found[currency] if amount > 0),
                _sum(found[currency]),
            )
            for currency in sorted(found)
        ]

    def _counting(self, table: str) -> list[Mapping[str, Any]]:
        closed = {entry.closing_id for entry in self.journals.get("closings", ()) if entry.state == CLOSED}
        rows = self.tables.get(table, {})
        return [rows[key] for key in sorted(rows) if rows[key]["closing_id"] in ("", *closed)]


def _postings(row: Mapping[str, Any]) -> list[Posting]:
    names = ("account", "party", "currency", "refers_to", "amount")
    return [Posting(*values) for values in zip(*(row[name] for name in names), strict=True)]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total

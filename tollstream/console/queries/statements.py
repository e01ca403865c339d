"""Statements of closed periods: which there are, one of them whole, its postings, and notes on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text
from sinks.clickhouse.readers.journals import to_rows
from sinks.clickhouse.readers.statements import read_statements
from sinks.payouts import NOTES
from sinks.statements import STATEMENTS, StatementHead, StatementQuery, StoredStatement

PERIODS_MAX, NOTES_MAX, POSTINGS_MAX = 120, 100, 500
_HEAD = tuple(StatementHead.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A period of a Builder that is closed, and what its statements come to, by currency."""

    builder: str
    period: str
    start: datetime
    end: datetime
    closed_at: datetime
    statements: int
    sums: dict[str, dict[str, Decimal]]  # currency -> net, tax, total, paid, due


def closed_periods(client: Client, builder: str, limit: int = PERIODS_MAX) -> list[ClosedPeriod]:
    """Of a Builder, or ("") of all; the newest first."""
    database = client.configuration.database
    sql = f"""
        SELECT toString(p.builder) AS name, p.period AS period, toInt64(toUnixTimestamp(p.period_start)) AS start,
            toInt64(toUnixTimestamp(p.period_end)) AS end, p.closed_at AS closed_at, toInt64(p.statements) AS number,
            c.sums AS sums
        FROM {database}.closed_periods AS p
        INNER JOIN {database}.closings AS c ON p.builder = c.builder AND p.closing_id = c.closing_id
        WHERE c.state = 'closed' {f"AND p.builder = {text(builder)}" if builder else ""}
        ORDER BY p.period_start DESC, name LIMIT 1 BY p.builder, p.period LIMIT {int(limit)}
    """
    found = []
    for row in client.query_rows(sql, doing="listing closed periods"):
        sums = {
            currency: {name: Decimal(value) for name, value in amounts.items()}
            for currency, amounts in json.loads(row["sums"] or "{}").items()
        }
        start, end = (datetime.fromtimestamp(row[name], row["closed_at"].tzinfo) for name in ("start", "end"))
        found.append(ClosedPeriod(row["name"], row["period"], start, end, row["closed_at"], row["number"], sums))
    return found


def heads(
    client: Client, builder: str, tenant: str, period: str, search: str, limit: int, skip: int
) -> list[StatementHead]:
    """The newest periods first, then by tenant."""
    database = client.configuration.database
    named = {"builder": builder, "tenant": tenant, "period": period}
    wanted = [f"{name} = {text(value)}" for name, value in named.items() if value]
    if search:
        wanted.append(f"startsWithCaseInsensitiveUTF8(tenant, {text(search)})")
    sql = f"""
        SELECT {", ".join(_HEAD)} FROM {database}.statements FINAL
        WHERE {" AND ".join([f"closing_id IN (SELECT closing_id FROM {database}.closed_periods)", *wanted])}
        ORDER BY period_start DESC, builder, tenant, number LIMIT {int(limit)} OFFSET {int(skip)}
    """
    rows = to_rows(client.query_arrow(sql, doing="listing statements"), STATEMENTS)
    return [StatementHead(**row) for row in rows]


def statement(client: Client, builder: str, number: int) -> StoredStatement | None:
    """One by its number."""
    found = read_statements(client, StatementQuery(builder=builder, number=number, limit=1))
    return found[0] if found else None


def notes_on(client: Client, builder: str, reference: str) -> list[dict[str, Any]]:
    """Credit notes, refunds, write-offs and chargebacks of a statement, the oldest first."""
    columns = ("sequence", "note_id", "kind", "currency", "amount", "fee", "line", "reference", "reason", "recorded_at")
    sql = f"""
        SELECT {", ".join(columns)} FROM
        (
            SELECT * FROM {client.configuration.database}.notes WHERE builder = {text(builder)} AND sequence > 0
            ORDER BY sequence, recorded_at LIMIT 1 BY sequence
        )
        WHERE statement = {text(reference)} ORDER BY sequence LIMIT {NOTES_MAX}
    """
    return to_rows(client.query_arrow(sql, doing="reading notes on a statement"), NOTES)


def postings_of(client: Client, builder: str, tenant: str, reference: str) -> list[dict[str, Any]]:
    """Who gets what of a statement."""
    sql = f"""
        SELECT toString(account) AS account, party, toString(currency) AS currency, refers_to, amount
        FROM {client.configuration.database}.postings
        WHERE builder = {text(builder)} AND document_kind = 'statement' AND tenant = {text(tenant)}
            AND document = {text(reference)}
        ORDER BY currency, account, party, refers_to LIMIT {POSTINGS_MAX}
    """
    return client.query_rows(sql, doing="reading the postings of a statement")

"""Statements of closed periods, and what is posted: read by Builder, period and tenant, as they are sorted."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text, window
from sinks.clickhouse.readers.journals import to_rows
from sinks.clickhouse.writer import ONE_BLOCK
from sinks.rows import check_rows
from sinks.statements import (
    CREDIT_DRAWS,
    POSTING_SETS,
    STATEMENT_LINES,
    STATEMENTS,
    PostedSum,
    StatementHead,
    StatementQuery,
    StoredStatement,
)

SCHEMAS = {
    "statements": STATEMENTS,
    "statement_lines": STATEMENT_LINES,
    "credit_draws": CREDIT_DRAWS,
    "posting_sets": POSTING_SETS,
}
_HEAD = tuple(StatementHead.__dataclass_fields__)
_POSTED = tuple(PostedSum.__dataclass_fields__)


def write_statement_rows(client: Client, table: str, rows: pa.Table) -> None:
    """Insert rows of one of `SCHEMAS`; equal rows written again change nothing."""
    check_rows(table, rows, SCHEMAS[table])
    if rows.num_rows:
        client.insert_arrow(table, rows, doing=f"writing {table}", settings=ONE_BLOCK)


def read_heads(client: Client, query: StatementQuery) -> list[StatementHead]:
    """Without documents."""
    answer = client.query_arrow(_sql(client, query, _HEAD), doing="reading statements")
    return [StatementHead(**row) for row in to_rows(answer, STATEMENTS)]


def read_statements(client: Client, query: StatementQuery) -> list[StoredStatement]:
    """With documents."""
    answer = client.query_arrow(_sql(client, query, (*_HEAD, "document")), doing="reading statements")
    found = []
    for row in to_rows(answer, STATEMENTS):
        document = row.pop("document")
        found.append(StoredStatement(StatementHead(**row), document))
    return found


def _sql(client: Client, query: StatementQuery, columns: Collection[str]) -> str:
    database = client.configuration.database
    wanted = [f"closing_id IN (SELECT closing_id FROM {database}.closed_periods)"]
    named = {"builder": query.builder, "tenant": query.tenant, "period": query.period}
    wanted += [f"{name} = {text(value)}" for name, value in named.items() if value]
    if query.period_start_from is not None:
        wanted.append(f"period_start >= {window(query.period_start_from)}")
    if query.period_start_to is not None:
        wanted.append(f"period_start < {window(query.period_start_to)}")
    if query.number is not None:
        wanted.append(f"number = {int(query.number)}")
    if query.after is not None:
        builder, start, tenant = query.after
        wanted.append(f"(toString(builder), period_start, tenant) > ({text(builder)}, {window(start)}, {text(tenant)})")
    return f"""
        SELECT {", ".join(columns)} FROM {database}.statements FINAL
        WHERE {" AND ".join(wanted)}
        ORDER BY builder, period_start, tenant, number LIMIT {int(query.limit)}
    """


def read_posted(client: Client, builder: str, document_kinds: Collection[str], tenant: str) -> list[PostedSum]:
    """What is posted, added up; of a tenant or ("") of all, of these kinds of documents or (none named) of any."""
    wanted = [f"builder = {text(builder)}"]
    if document_kinds:
        wanted.append(f"document_kind IN ({', '.join(map(text, document_kinds))})")
    if tenant:
        wanted.append(f"tenant = {text(tenant)}")
    keys = ", ".join(_POSTED[:-1])
    sql = f"""
        SELECT {keys}, sum(amount) AS posted FROM {client.configuration.database}.postings
        WHERE {" AND ".join(wanted)} GROUP BY {keys} ORDER BY {keys}
    """
    rows = client.query_arrow(sql, doing="adding up postings").to_pylist()
    return [PostedSum(**{name: row[name] for name in _POSTED[:-1]}, amount=row["posted"]) for row in rows]


def read_unbalanced(client: Client) -> list[dict[str, object]]:
    """Documents whose postings do not add up to 0: none, unless somebody wrote past the constraint."""
    sql = f"SELECT * FROM {client.configuration.database}.unbalanced_postings ORDER BY builder, document LIMIT 100"
    return client.query_rows(sql, doing="looking for postings that do not balance")

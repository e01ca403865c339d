"""Statements of closed periods, and what is posted: read by Builder, period and tenant, as they are sorted."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from sinks.agreements import CREDIT_GRANTS
from sinks.balances import LIVE_BALANCES
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text, window
from sinks.clickhouse.readers.journals import to_rows
from sinks.clickhouse.writer import ONE_BLOCK
from sinks.closings import Written
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
    "credit_grants": CREDIT_GRANTS,
    "live_balances": LIVE_BALANCES,
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


def read_written(client: Client, builder: str, closing_id: str) -> Written:
    """What stands of what a closing wrote, whether it is closed or not."""
    database = client.configuration.database
    mine = f"builder = {text(builder)} AND closing_id = {text(closing_id)}"
    names = ("net", "tax", "total", "paid", "due")
    sql = f"""
        SELECT toString(currency) AS unit, toInt64(count()) AS statements, min(number) AS first, max(number) AS last,
            toInt64(uniqExact(number)) AS numbers, {", ".join(f"sum({name}) AS {name}_sum" for name in names)}
        FROM {database}.statements FINAL WHERE {mine} GROUP BY unit ORDER BY unit
    """
    rows = client.query_rows(sql, doing="adding up what was written")
    [posted] = client.query_rows(
        f"""
        SELECT toInt64(count()) AS sets, toInt64(countIf(arrayExists(code ->
            arraySum((value, other) -> if(other = code, value, toDecimal128(0, 12)), amount, currency) != 0,
            arrayDistinct(currency)))) AS unbalanced
        FROM {database}.posting_sets FINAL WHERE {mine} AND document_kind = 'statement'
        """,
        doing="adding up what was posted",
    )
    return Written(
        statements=sum(row["numbers"] for row in rows),
        first_number=min((row["first"] for row in rows), default=0),
        last_number=max((row["last"] for row in rows), default=0),
        sums={row["unit"]: {name: row[f"{name}_sum"] for name in names} for row in rows},
        posting_sets=posted["sets"],
        unbalanced=posted["unbalanced"],
    )

"""Journals in ClickHouse: an insert for a place carries its token, and the table remembers tokens.

`non_replicated_deduplication_window`, and replicated tables by themselves: of several inserts under one token the
server stores the first and drops the others, whole and without an error. Where it remembers one no more, time decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.types as pt

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.books import QUORUM
from sinks.clickhouse.readers.conditions import text
from sinks.clickhouse.writer import ONE_BLOCK
from sinks.journals import SEQUENCE, Entry, Journal

R = TypeVar("R", bound=Entry)


def read_journal(client: Client, journal: Journal[R], where: Mapping[str, str]) -> list[R]:
    """What stands, in order of places; conditions are on columns by name."""
    columns = ", ".join(f"{name}" for name in (*journal.schema.names, "recorded_at"))
    conditions = [f"{name} = {text(value)}" for name, value in where.items() if name.isidentifier()]
    if SEQUENCE in journal.place:
        conditions.append(f"{SEQUENCE} > 0")  # places begin at 1
    sql = f"SELECT {columns} FROM {client.configuration.database}.{journal.table}"
    answer = client.query_arrow(
        sql + (f" WHERE {' AND '.join(conditions)}" if conditions else ""), doing=f"reading {journal.table}"
    )
    return journal.standing(journal.from_row(row) for row in to_rows(answer, journal.schema))


def newest_place(client: Client, journal: Journal[Any], where: Mapping[str, str]) -> int:
    """The last place that is taken, 0 without any."""
    conditions = "".join(f" AND {name} = {text(value)}" for name, value in where.items() if name.isidentifier())
    sql = f"""
        SELECT toInt64(max({SEQUENCE})) AS place FROM {client.configuration.database}.{journal.table}
        WHERE {SEQUENCE} > 0{conditions}
    """
    [row] = client.query_rows(sql, doing=f"reading {journal.table}")
    return int(row["place"])


def record(client: Client, journal: Journal[R], entries: Sequence[R]) -> None:
    """Insert the entries of one place under its token."""
    rows = [journal.to_row(entry) for entry in entries]
    token = {"insert_deduplication_token": journal.token(entries[0]), "deduplicate_insert": "enable"}
    client.insert_arrow(
        journal.table,
        pa.Table.from_pylist(rows, schema=journal.schema),
        doing=f"recording in {journal.table}",
        settings={**ONE_BLOCK, **token, **(QUORUM if client.configuration.cluster else {})},
    )


def to_rows(answer: pa.Table, schema: pa.Schema) -> list[dict[str, Any]]:
    """Rows of an answer, with the times that the engine sends as numbers made times again."""
    for number, name in enumerate(answer.column_names):
        if name in schema.names:
            wanted = schema.field(name).type
            found = answer.schema.field(name).type
            if pt.is_integer(found) and (pt.is_timestamp(wanted) or pt.is_date32(wanted)):
                whole = answer.column(number).cast(pa.int64() if pt.is_timestamp(wanted) else pa.int32())
                answer = answer.set_column(number, name, whole.cast(wanted))
    rows: list[dict[str, Any]] = answer.to_pylist()
    return rows

"""What was pinned for ever: epochs, books, grants. Of several rows under one name the first recorded stands.

Not promised: two workers that pin *different* content under one name within the same moment may both believe to be
first until they read again. Workers read again at every assignment.
"""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.contract import BackfillGrant, BookDigest, EpochParameters

_UTC = pa.timestamp("us", tz="UTC")
EPOCHS = pa.schema(
    [
        ("topic_epoch", pa.uint16()),
        ("topic", pa.string()),
        ("partitions", pa.uint16()),
        ("window_seconds", pa.uint32()),
        ("dedup_horizon_seconds", pa.uint32()),
        ("future_skew_seconds", pa.uint32()),
    ]
)
BOOKS = pa.schema(
    [
        ("kind", pa.string()),
        ("version", pa.string()),
        ("effective_from", _UTC),
        ("digest", pa.string()),
        ("content", pa.string()),
    ]
)
GRANTS = pa.schema(
    [
        ("grant_id", pa.string()),
        ("source", pa.string()),
        ("event_time_from", _UTC),
        ("event_time_to", _UTC),
        ("valid_from", _UTC),
        ("valid_to", _UTC),
        ("granted_by", pa.string()),
        ("reason", pa.string()),
    ]
)


def read_epoch(client: Client, topic_epoch: int) -> EpochParameters | None:
    """The parameters pinned for an epoch, None when it has none."""
    sql = f"""
        SELECT {", ".join(EPOCHS.names)} FROM {client.configuration.database}.topic_epochs
        WHERE topic_epoch = {int(topic_epoch)} ORDER BY pinned_at LIMIT 1
    """
    rows = client.query_rows(sql, doing="reading the topic epoch")
    return EpochParameters(**rows[0]) if rows else None


def pin_epoch(client: Client, parameters: EpochParameters) -> EpochParameters:
    """Record the parameters unless the epoch has some; answer what stands."""
    standing = read_epoch(client, parameters.topic_epoch)
    if standing is not None:
        return standing
    row = {name: getattr(parameters, name) for name in EPOCHS.names}
    client.insert_arrow("topic_epochs", pa.Table.from_pylist([row], schema=EPOCHS), doing="pinning the topic epoch")
    return read_epoch(client, parameters.topic_epoch) or parameters


def read_books(client: Client, kinds: Collection[str]) -> list[BookDigest]:
    """Every recorded version, sorted by kind and version."""
    sql = f"""
        SELECT {", ".join(BOOKS.names)} FROM {client.configuration.database}.books
        ORDER BY kind, version, recorded_at LIMIT 1 BY kind, version
    """
    books = [BookDigest(**row) for row in client.query_rows(sql, doing="reading the recorded books")]
    return [book for book in books if book.kind in kinds]


def pin_books(client: Client, books: Collection[BookDigest]) -> list[BookDigest]:
    """Record versions not yet known; answer what stands of their kinds."""
    kinds = {book.kind for book in books}
    known = {(book.kind, book.version) for book in read_books(client, kinds)}
    rows = [
        {name: getattr(book, name) for name in BOOKS.names} for book in books if (book.kind, book.version) not in known
    ]
    if rows:
        client.insert_arrow("books", pa.Table.from_pylist(rows, schema=BOOKS), doing="recording the books in use")
    return read_books(client, kinds)


def read_backfill_grants(client: Client) -> list[BackfillGrant]:
    """Every grant ever made, sorted by id."""
    sql = f"""
        SELECT {", ".join(GRANTS.names)} FROM {client.configuration.database}.backfill_grants
        ORDER BY grant_id, recorded_at LIMIT 1 BY grant_id
    """
    return [BackfillGrant(**row) for row in client.query_rows(sql, doing="reading the backfill grants")]


def write_backfill_grant(client: Client, grant: BackfillGrant) -> None:
    """Record one; under an id that is taken, the first stands."""
    row = {name: getattr(grant, name) for name in GRANTS.names}
    client.insert_arrow("backfill_grants", pa.Table.from_pylist([row], schema=GRANTS), doing="recording a grant")

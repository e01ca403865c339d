"""What was published: every record of the price books and rule books, their texts, and how a new one is recorded.

A publication is one insert under the token "books:<place>". The table remembers tokens
(`non_replicated_deduplication_window`, and replicated tables by themselves), so of several inserts for one place the
server stores the first and drops the others, whole and without an error: whoever recorded reads back who has the place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from billing.publication import BookDigest, Leads
from sinks.clickhouse.client import Client
from sinks.clickhouse.writer import ONE_BLOCK
from sinks.contract import BookRecords

BOOKS = pa.schema(
    [
        ("kind", pa.string()),
        ("version", pa.string()),
        ("effective_from", pa.timestamp("us", tz="UTC")),
        ("digest", pa.string()),
        ("content", pa.string()),
        ("sequence", pa.uint32()),
        ("retroactive", pa.bool_()),
        ("publication_id", pa.string()),
        ("published_by", pa.string()),
        ("reason", pa.string()),
    ]
)
HEAD = ", ".join([name for name in BOOKS.names if name != "content"] + ["recorded_at"])
# On a cluster the next reader, of whichever replica, has to find it.
QUORUM: Mapping[str, str] = {"insert_quorum_parallel": "0"}


def read_book_records(client: Client) -> BookRecords:
    """Every record, without its text."""
    database = client.configuration.database
    [clock] = client.query_rows("SELECT now64(6, 'UTC') AS now", doing="asking the store for the time")
    rows = client.query_rows(f"SELECT {HEAD} FROM {database}.books", doing="reading the recorded books")
    # After the books: an epoch that was pinned before one of them was recorded has to be among them.
    return BookRecords([BookDigest(**row) for row in rows], Leads(_epochs(client)), clock["now"])


def read_book_contents(client: Client, digests: Collection[str]) -> dict[str, str]:
    """Texts by digest."""
    if not digests:
        return {}
    named = ", ".join(f"'{digest}'" for digest in digests if digest.isalnum())
    sql = f"""
        SELECT digest, any(content) AS content FROM {client.configuration.database}.books
        WHERE digest IN ({named or "''"}) GROUP BY digest
    """
    return {row["digest"]: row["content"] for row in client.query_rows(sql, doing="reading the text of a book")}


def read_books(client: Client, kinds: Collection[str]) -> list[BookDigest]:
    """What stands, with its text, sorted by kind and version."""
    records = read_book_records(client)
    stand = [book for book in records.standing() if book.kind in kinds]
    contents = read_book_contents(client, {book.digest for book in stand})
    whole = [replace(book, content=contents[book.digest]) for book in stand]
    return sorted(whole, key=lambda book: book.name)


def record_books(client: Client, books: Sequence[BookDigest]) -> None:
    """Record versions of one kind at their places, all of them, unless somebody has the first of these places."""
    rows = [{name: getattr(book, name) for name in BOOKS.names} for book in books]
    token = {"insert_deduplication_token": f"books:{books[0].sequence}", "deduplicate_insert": "enable"}
    client.insert_arrow(
        "books",
        pa.Table.from_pylist(rows, schema=BOOKS),
        doing=f"publishing {books[0].kind}",
        settings={**ONE_BLOCK, **token, **(QUORUM if client.configuration.cluster else {})},
    )


def _epochs(client: Client) -> list[tuple[datetime, int]]:
    sql = f"""
        SELECT pinned_at, future_skew_seconds FROM {client.configuration.database}.topic_epochs
        ORDER BY topic_epoch, pinned_at LIMIT 1 BY topic_epoch
    """
    return [
        (row["pinned_at"], row["future_skew_seconds"])
        for row in client.query_rows(sql, doing="reading the topic epochs")
    ]

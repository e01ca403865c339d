"""`history`: every version that was ever published, who did it, why, and from when to when it applies."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Console

from billing.publication import BookDigest
from sinks.clickhouse import ClickHouseSink
from sinks.contract import BookRecords
from tollstream.books import nothing_published
from tollstream.publishing.kind import Kind
from tollstream.publishing.layout import add, moment, say, second, table
from tollstream.publishing.shelf import with_store

HELP = """List the published versions of the {name}, in the order in which they apply, and what applies now.

    A record that came too late, or at a place that somebody else had, is listed too: it rates nothing.
    """
NOW, BEFORE, LATER = "applies now", "before", "to come"
NEVER, OUT = "retroactive", "rates nothing"


@dataclass(frozen=True, slots=True)
class Entry:
    """A record, and what it means."""

    record: BookDigest
    state: str
    until: datetime | None  # exclusive; None: until something else is published, or it never applies


def history_command(kind: Kind) -> click.Command:
    """`tollstream <kind> history`."""

    @click.command(
        "history", epilog=f"Example: tollstream {kind.name} history --json", help=HELP.format(name=kind.name)
    )
    @click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
    def command(as_json: bool) -> None:
        async def read(sink: ClickHouseSink) -> BookRecords:
            return await sink.read_book_records()

        entries = list(history(kind, with_store(read)))
        if as_json:
            click.echo(json.dumps([_json(entry) for entry in entries], ensure_ascii=False))
        else:
            _print(Console(), kind, entries)

    return command


def history(kind: Kind, records: BookRecords) -> Iterator[Entry]:
    """By start; what never applies, and what does not stand, behind it by time of publication."""
    stand = [book for book in records.standing() if book.kind == kind.name]
    applying = sorted((book for book in stand if not book.retroactive), key=lambda book: book.effective_from)
    for book, after in itertools.zip_longest(applying, applying[1:]):
        until = after.effective_from if after else None
        begun, over = book.effective_from <= records.now, until is not None and until <= records.now
        yield Entry(book, LATER if not begun else BEFORE if over else NOW, until)
    for book in stand:
        if book.retroactive:
            yield Entry(book, NEVER, None)
    standing = {(*book.name, book.publication_id, book.digest, book.recorded_at) for book in stand}
    for book in sorted(records.records, key=lambda book: book.recorded_at):
        if book.kind == kind.name and (*book.name, book.publication_id, book.digest, book.recorded_at) not in standing:
            yield Entry(book, OUT, None)


def _print(console: Console, kind: Kind, entries: list[Entry]) -> None:
    if not entries:
        say(console, nothing_published(kind.name))
        return
    rows = table(f"{kind.name.capitalize()}, as published", "version", "applies from", "", "published", "by", "why")
    for entry in entries:
        record = entry.record
        style = "bold" if entry.state == NOW else "dim" if entry.state in (BEFORE, OUT) else ""
        start = "" if record.retroactive else moment(record.effective_from)
        cells = (record.version, start, entry.state, second(record.recorded_at), record.published_by, record.reason)
        add(rows, *cells, style=style)
    console.print(rows)


def _json(entry: Entry) -> dict[str, str | int | bool | None]:
    record = entry.record
    return {
        "kind": record.kind,
        "version": record.version,
        "effective_from": record.effective_from.isoformat(),
        "effective_until": entry.until.isoformat() if entry.until else None,
        "state": entry.state,
        "retroactive": record.retroactive,
        "number": record.sequence or None,
        "published_at": record.recorded_at.isoformat(),
        "published_by": record.published_by or None,
        "reason": record.reason or None,
        "digest": record.digest,
    }

"""`show`: the text of a published version, exactly as it was published."""

from __future__ import annotations

import json
from datetime import datetime

import click

from tollstream.books import nothing_published
from tollstream.commands.backfill import Moment
from tollstream.errors import UserError
from tollstream.publishing.kind import Kind
from tollstream.publishing.layout import book_record, moment, second
from tollstream.publishing.shelf import read_shelf, with_store

HELP = """Print a published {noun} as it was published, to the byte: into a file, it is that file again.

    Without a name it is the one that applies now, or at the time of --at. Who published it, when and why goes to
    standard error.
    """


def show_command(kind: Kind) -> click.Command:
    """`tollstream <kind> show`."""

    @click.command(
        "show", epilog=f"Example: tollstream {kind.name} show > {kind.name}.toml", help=HELP.format(noun=kind.noun)
    )
    @click.argument("version", required=False)
    @click.option("--at", type=Moment(), help="The version that applies at this time, RFC 3339.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the text in it.")
    def command(version: str | None, at: datetime | None, as_json: bool) -> None:
        if version is not None and at is not None:
            raise UserError("Name a version or a time, not both.")
        shelf = with_store(read_shelf)
        when = at or shelf.records.now
        versions = kind.of(shelf.prices, shelf.rules)
        book = versions.at(when) if version is None else versions.named(version)
        if book is None and not (versions.versions or versions.retroactive):
            raise UserError(nothing_published(kind.name))
        if book is None:
            missing = f"applies at {moment(when)}" if version is None else f"is published as {version!r}"
            raise UserError(
                f"No version of the {kind.name} {missing}: `tollstream {kind.name} history` lists those there are."
            )
        record = shelf.record(kind, book.version)
        if record is None:
            raise AssertionError(f"{book.version} was read from a record")
        if as_json:
            told = book_record(kind, book) | {
                "number": record.sequence or None,
                "published_by": record.published_by or None,
                "published_at": record.recorded_at.isoformat(),
                "reason": record.reason or None,
                "content": book.content,
            }
            click.echo(json.dumps(told, ensure_ascii=False))
            return
        by, why = record.published_by or "a worker", f": {record.reason}" if record.reason else ""
        start = "never by itself" if book.retroactive else f"from {moment(book.effective_from)}"
        click.echo(
            f"version {book.version} of the {kind.name}, applies {start}; published {second(record.recorded_at)} "
            f"by {by}{why}",
            err=True,
        )
        click.echo(book.content, nl=False)

    return command

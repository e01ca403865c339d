"""`diff`: what would a file change against what is published?"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from billing.published import Book
from tollstream.errors import UserError
from tollstream.publishing.kind import Kind
from tollstream.publishing.layout import book_record, difference_record, print_difference
from tollstream.publishing.shelf import Shelf, read_files, read_shelf, with_store

HELP = """Show what a {noun} would change, against what applies when it begins.

    If nothing does, it is compared with the newest version; --against names any other. What nobody should publish
    unread is told as a danger, and `publish` refuses it without --force. Exit code 0, difference or not.
    """


def diff_command(kind: Kind) -> click.Command:
    """`tollstream <kind> diff`."""

    @click.command(
        "diff", epilog=f"Example: tollstream {kind.name} diff {kind.name}.toml --all", help=HELP.format(noun=kind.noun)
    )
    @click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
    @click.option("--against", metavar="VERSION", help="A published version to compare with.")
    @click.option("--all", "every", is_flag=True, help="Print every change, however many there are.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
    def command(path: Path, against: str | None, every: bool, as_json: bool) -> None:
        book = one_version(kind, path)
        base = find_base(kind, with_store(read_shelf), book, against)
        difference = kind.compare(base, book)
        if as_json:
            told = book_record(kind, book) | difference_record(base, difference)
            click.echo(json.dumps(told, ensure_ascii=False))
        else:
            print_difference(Console(), kind, book, base, difference, every=every)

    return command


def one_version(kind: Kind, path: Path) -> Book:
    """The version in a file; UserError for a folder of several."""
    books = read_files(kind, path)
    if len(books) > 1:
        raise UserError(f"{path} holds {len(books)} versions: name the file of one.")
    return books[0]


def find_base(kind: Kind, shelf: Shelf, book: Book, against: str | None) -> Book | None:
    """What to compare with; UserError for a name that is not published."""
    if against is None:
        return shelf.base(kind, book)
    found = kind.of(shelf.prices, shelf.rules).named(against)
    if found is None:
        raise UserError(
            f"No version of the {kind.name} is published as {against!r}: `tollstream {kind.name} history` lists them."
        )
    return found

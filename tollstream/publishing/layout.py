"""How differences and moments are printed: tables that fold a long word at 80 columns and never cut one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.published import Book
from tollstream.publishing.kind import Difference, Kind

ROWS_MAX = 60  # of a table; --all shows the rest, --json has everything


def table(title: str, *headings: str) -> Table:
    """A table that breaks what does not fit instead of cutting it off."""
    made = Table(title=title or None, title_justify="left")
    for heading in headings:
        made.add_column(heading, overflow="fold")
    return made


def add(rows: Table, *cells: str, style: str = "") -> None:
    """A row, its words as they are: a bracket in a label is a bracket."""
    rows.add_row(*map(Text, cells), style=style or None)


def say(console: Console, *lines: str, style: str = "") -> None:
    """Sentences, wrapped at the width of the page, numbers and names as they are."""
    for line in lines:
        console.print(line, style=style or None, highlight=False, markup=False)


def moment(value: datetime) -> str:
    """2026-12-01 00:00:00Z"""
    utc = value.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}{f'.{utc:%f}' if utc.microsecond else ''}Z"


def second(value: datetime) -> str:
    """The second in which something happened."""
    return moment(value.replace(microsecond=0))


def words(kind: Kind, book: Book) -> str:
    """`version 2026-12 of the prices, from 2026-12-01 00:00:00Z, 212 entries`"""
    start = "retroactive" if book.retroactive else f"from {moment(book.effective_from)}"
    return f"version {book.version} of the {kind.name}, {start}, {kind.count(book)}"


def distance(span: timedelta) -> str:
    """`2 d 4 h`, `3 h 12 min`, `6 min 10 s`: the two largest units."""
    left = round(abs(span.total_seconds()))
    parts = []
    for unit, seconds in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, left = divmod(left, seconds)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2]) or "0 s"


def print_difference(
    console: Console, kind: Kind, book: Book, base: Book | None, difference: Difference, *, every: bool
) -> None:
    """What a version changes, against what, and how dangerous that is."""
    against = f"version {base.version}, from {moment(base.effective_from)}" if base else "nothing: it is the first one"
    say(console, f"{words(kind, book)}; against {against}:")
    if difference.empty:
        say(console, "no difference.")
        return
    counts = ", ".join(f"{number} {word}" for word, number in difference.counts.items())
    shown = difference.changes if every else difference.changes[:ROWS_MAX]
    if shown:
        rows = table(f"{counts}", "", "what", "before", "after")
        for change in shown:
            record = change.record()
            add(rows, change.kind, change.where, record["old"] or "", record["new"] or "")
        console.print(rows)
    if len(shown) < len(difference.changes):
        say(console, f"and {len(difference.changes) - len(shown)} more: --all shows them, --json has everything.")
    say(console, *difference.terms)
    say(console, *(f"danger: {danger}" for danger in difference.dangers), style="bold red")


def difference_record(base: Book | None, difference: Difference) -> dict[str, Any]:
    """For --json."""
    return {
        "against": base.version if base else None,
        "empty": difference.empty,
        "counts": dict(difference.counts),
        "changes": [dict(change.record()) for change in difference.changes],
        "terms": list(difference.terms),
        "dangers": list(difference.dangers),
    }


def book_record(kind: Kind, book: Book) -> dict[str, Any]:
    """For --json: what a version is."""
    return {
        "kind": kind.name,
        "version": book.version,
        "effective_from": book.effective_from.isoformat(),
        "retroactive": book.retroactive,
        kind.counted: kind.size(book),
        "digest": book.digest,
    }

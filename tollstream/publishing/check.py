"""`check`: is a file a valid book, would it fit what is published, and what would a pricing expert object to?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from billing.documents import Versions
from billing.errors import BillingError
from billing.loading import load_versions
from billing.prices import PriceBooks
from billing.publication import objection
from billing.published import Book, record_of
from billing.surcharges import RuleBook
from billing.surcharges.lints import LastMonth, lint, not_checked
from sinks.clickhouse import ClickHouseSink
from sinks.errors import SinkError
from sinks.publishing import MARGIN
from tollstream.last_month import read_last_month
from tollstream.publishing.kind import Kind
from tollstream.publishing.layout import add, book_record, say, second, table, words
from tollstream.publishing.shelf import Shelf, book_files, read_shelf, with_store
from tollstream.settings import load_settings
from topics.meters import MeterCatalogue, load_catalogue

COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about a file; only an error stops a publication."""

    severity: str  # error | warning | note
    code: str
    sentence: str
    rule: str = ""


@dataclass(slots=True)
class Checked:
    """A file, the book in it where it holds one, and the findings."""

    file: Path
    book: Book | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether it cannot be published."""
        return any(finding.severity == "error" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store was asked; nothing where it was not."""

    shelf: Shelf | None = None
    months: Mapping[str, LastMonth] = field(default_factory=dict)  # by the digest of the rule book


def check_command(kind: Kind) -> click.Command:
    """`tollstream <kind> check`."""

    @click.command("check", epilog=f"Example: tollstream {kind.name} check {kind.name}.toml", help=_HELP[kind.name])
    @click.argument("path", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
    @click.option("--offline", is_flag=True, help="Look at the file alone; do not ask the store.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    @click.pass_context
    def command(context: click.Context, path: Path, offline: bool, as_json: bool) -> None:
        catalogue = load_catalogue(load_settings().meters)
        checked = [_read(kind, file, catalogue) for file in book_files(path)]
        _together(checked)
        known, notes = (Known(), []) if offline else _ask(checked)
        for each in checked:
            if each.book is not None:
                each.findings += place(kind, each.book, known.shelf, catalogue) if known.shelf else []
                found, unseen = lints(each.book, catalogue, known)
                each.findings += found
                notes += unseen
        notes = list(dict.fromkeys(notes))
        if as_json:
            click.echo(json.dumps(_json(kind, checked, notes), ensure_ascii=False))
        else:
            _print(Console(), kind, checked, notes)
        context.exit(1 if any(each.wrong for each in checked) else 0)

    return command


_HELP = {
    "prices": """Validate a price book, or each one of a folder: every number exact, every meter in the catalogue.

    Asks the store too, if there is one: whether the version could be published beside what is.
    Exit code 0, or 1 when there are errors; warnings do not change it.
    """,
    "rules": """Validate a rule book, or each one of a folder, and say what a pricing expert would object to.

    Asks the store too, if there is one: whether the version could be published beside what is, and what last month's
    usage would have come to under it. docs/rules.md lists everything that is looked for.
    Exit code 0, or 1 when there are errors; warnings do not change it.
    """,
}


def _read(kind: Kind, file: Path, catalogue: MeterCatalogue) -> Checked:
    checked = Checked(file)
    try:
        [book] = load_versions(file, kind.model)
        Shelf.empty().fit(kind, [book], catalogue)
        checked.book = book
    except BillingError as error:
        checked.findings.append(Finding("error", "invalid", str(error).removeprefix(f"{file}: ")))
    return checked


def _together(checked: Sequence[Checked]) -> None:
    """Versions of a folder have to differ in name and start."""
    try:
        Versions([each.book for each in checked if each.book is not None])
    except BillingError as error:
        checked[-1].findings.append(Finding("error", "ambiguous", str(error)))


def _ask(checked: Sequence[Checked]) -> tuple[Known, list[str]]:
    """What only the store knows; a sentence where it cannot be asked."""

    async def ask(sink: ClickHouseSink) -> Known:
        return await read_known(sink, [each.book for each in checked if each.book is not None])

    try:
        return with_store(ask), []
    except SinkError as error:
        return Known(), [f"Not compared with what is published: {error}"]


async def read_known(sink: ClickHouseSink, books: Sequence[Book]) -> Known:
    """What is published, and last month's usage as the rules among `books` look at it."""
    shelf = await read_shelf(sink)
    months = {
        book.digest: await read_last_month(sink, book, shelf.records.now)
        for book in books
        if isinstance(book, RuleBook)
    }
    return Known(shelf, months)


def place(kind: Kind, book: Book, shelf: Shelf, catalogue: MeterCatalogue) -> list[Finding]:
    """Would it be published as it is?"""
    published = shelf.record(kind, book.version)
    if published is not None and published.digest == book.digest:
        by = published.published_by or "a worker"
        return [Finding("note", "published", f"published by {by} at {second(published.recorded_at)}")]
    found = []
    try:
        shelf.fit(kind, [book], catalogue)
    except BillingError as error:
        found.append(Finding("error", "misfit", str(error)))
    now, leads = shelf.records.now, shelf.records.leads
    why = objection([record_of(book)], shelf.stand, now + MARGIN, leads.at(now))
    if why is not None:
        found.append(Finding("warning", "not-now", f"It could not be published now: {why}"))
    return found


def lints(book: Book, catalogue: MeterCatalogue, known: Known) -> tuple[list[Finding], list[str]]:
    """What a pricing expert would object to in a rule book, and a sentence for what could not be looked at."""
    if not isinstance(book, RuleBook):
        return [], []
    versions = known.shelf.prices if known.shelf else PriceBooks([])
    prices = versions.at(book.effective_from) or next(iter(versions.versions), None)
    month = known.months.get(book.digest)
    found = lint(book, catalogue=catalogue, prices=prices, last_month=month)
    return (
        [Finding(each.severity.value, each.code, each.sentence, each.rule_id) for each in found],
        not_checked(prices=prices, last_month=month),
    )


def print_findings(console: Console, title: str, findings: Sequence[Finding]) -> None:
    """A table of what was found, worst first."""
    rows = table(title, "", "rule", "what was found")
    for finding in sorted(findings, key=lambda finding: list(COLOURS).index(finding.severity)):
        add(
            rows,
            finding.severity,
            finding.rule,
            f"{finding.sentence} ({finding.code})",
            style=COLOURS[finding.severity],
        )
    console.print(rows)


def _print(console: Console, kind: Kind, checked: Sequence[Checked], notes: Sequence[str]) -> None:
    for each in checked:
        say(console, f"{each.file}{': ' + words(kind, each.book) if each.book else ''}")
        if each.findings:
            print_findings(console, "", each.findings)
    say(console, *notes, style="dim")
    wrong = sum(each.wrong for each in checked)
    said = f"{wrong} of {len(checked)} files cannot be published." if wrong else f"{len(checked)} valid."
    say(console, said, style="bold red" if wrong else "green")


def _json(kind: Kind, checked: Sequence[Checked], notes: Sequence[str]) -> dict[str, Any]:
    return {
        "ok": not any(each.wrong for each in checked),
        "files": [
            {
                "file": str(each.file),
                **(book_record(kind, each.book) if each.book else {"kind": kind.name, "version": None}),
                "findings": [asdict(finding) for finding in each.findings],
            }
            for each in checked
        ],
        "not_checked": list(notes),
    }

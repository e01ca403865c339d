"""`publish`: a version becomes part of history, and applies from its effective_from on.

Nothing is recorded before everything is judged: the file by itself and beside what is published, what it changes, and
whether every worker can know it in time. Nothing is recorded either when somebody else has published since.
"""

from __future__ import annotations

import getpass
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from agents.books import LOOK_SECONDS
from billing.publication import BookDigest
from billing.published import Book, record_of
from sinks.clickhouse import ClickHouseSink
from sinks.publishing import Outcome, publish
from tollstream.errors import UserError
from tollstream.publishing.check import Finding, Known, lints, print_findings, read_known
from tollstream.publishing.kind import Difference, Kind
from tollstream.publishing.layout import (
    book_record,
    difference_record,
    distance,
    moment,
    print_difference,
    say,
    second,
    words,
)
from tollstream.publishing.shelf import Shelf, read_files, with_store
from tollstream.settings import load_settings
from topics.meters import load_catalogue

HELP = """Publish a {noun}, or each one of a folder that is not published yet. It cannot be taken back or changed.

    The version has to begin late enough for every worker to know it in time; the first ones of an empty store may begin
    in the past. What it changes is shown first. Dangers (docs/publishing.md) stop it, unless --force says that they are
    meant; so does a publication by somebody else in the meantime. Publishing the same text again does nothing.
    Exit code 0, or 2 with a sentence when nothing was published.
    """


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be published, and what it would change."""

    shelf: Shelf
    books: Sequence[Book]
    bases: Sequence[Book | None]
    differences: Sequence[Difference]
    warnings: Sequence[Finding]


def publish_command(kind: Kind) -> click.Command:
    """`tollstream <kind> publish`."""

    @click.command(
        "publish",
        epilog=f"\b\nExample: tollstream {kind.name} publish {kind.name}.toml --reason 'ticket 812' --dry-run",
        help=HELP.format(noun=kind.noun),
    )
    @click.argument("path", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
    @click.option("--by", "published_by", metavar="NAME", help="Who publishes; default: the user of this machine.")
    @click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever audits it.")
    @click.option("--force", is_flag=True, help="Publish in spite of the dangers that are shown.")
    @click.option("--dry-run", is_flag=True, help="Judge and show everything, record nothing.")
    @click.option("--all", "every", is_flag=True, help="Print every change, however many there are.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object, amounts as strings.")
    def command(
        path: Path, published_by: str | None, reason: str, force: bool, dry_run: bool, every: bool, as_json: bool
    ) -> None:
        books = read_files(kind, path)
        by = published_by if published_by is not None else getpass.getuser()
        console = Console(stderr=as_json, quiet=as_json)

        async def run(sink: ClickHouseSink) -> tuple[Plan, Outcome]:
            known = await read_known(sink, books)
            plan = _plan(kind, known, books)
            _show(console, kind, plan, every)
            to_publish = partial(
                publish,
                sink,
                [record_of(book) for book in books],
                based_on=plan.shelf.records.newest_place,
                published_by=by,
                reason=reason,
            )
            outcome = await to_publish(dry_run=True)  # what no --force helps against is told first
            _refuse_dangers(plan, force)
            return plan, outcome if dry_run else await to_publish()

        plan, outcome = with_store(run)
        if as_json:
            click.echo(json.dumps(_json(kind, plan, outcome, by, reason, dry_run), ensure_ascii=False))
            return
        for record in outcome.known:
            said = f"{record.published_by or 'a worker'} at {second(record.recorded_at)}"
            say(console, f"Version {record.version} of the {kind.name} is published already, by {said}.")
        named = "" if published_by is not None else " (the user of this machine; --by names another)"
        for record in outcome.published:
            say(console, _said(kind, record, by + named, plan, dry_run), style="green")

    return command


def _plan(kind: Kind, known: Known, books: Sequence[Book]) -> Plan:
    """Judge everything that the files and the published books can tell; BillingError, UserError."""
    shelf = known.shelf or Shelf.empty()
    catalogue = load_catalogue(load_settings().meters)
    shelf.fit(kind, books, catalogue)
    there = {(record.version, record.digest) for record in shelf.stand if record.kind == kind.name}
    new = [book for book in books if (book.version, book.digest) not in there]
    bases: list[Book | None] = []
    for number, book in enumerate(new):
        before = [each for each in new[:number] if not each.retroactive]
        bases.append(before[-1] if before else shelf.base(kind, book))
    findings = [finding for book in new for finding in lints(book, catalogue, known)[0]]
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        said = " ".join(f"{'Rule ' + each.rule + ': ' if each.rule else ''}{each.sentence}." for each in errors)
        raise UserError(f"{said} Nothing was published; `tollstream {kind.name} check` shows everything.")
    return Plan(shelf, new, bases, [kind.compare(base, book) for base, book in zip(bases, new, strict=True)], findings)


def _show(console: Console, kind: Kind, plan: Plan, every: bool) -> None:
    for book, base, difference in zip(plan.books, plan.bases, plan.differences, strict=True):
        print_difference(console, kind, book, base, difference, every=every)
    if plan.warnings:
        print_findings(console, "", plan.warnings)


def _refuse_dangers(plan: Plan, force: bool) -> None:
    dangers = [danger for difference in plan.differences for danger in difference.dangers]
    if dangers and not force:
        more = f", and {len(dangers) - 3} more" if len(dangers) > 3 else ""
        raise UserError(
            f"Nothing was published, because {'; '.join(dangers[:3])}{more}. If that is meant, publish it with --force."
        )


def _said(kind: Kind, record: BookDigest, by: str, plan: Plan, dry_run: bool) -> str:
    book = next(book for book in plan.books if book.version == record.version)
    if dry_run:
        return f"Would be published: {words(kind, book)}. Nothing was recorded."
    if record.retroactive:
        after = (
            "It never applies by itself: `tollstream rerate --from … --to …` rates past usage with it where "
            f"--{kind.name} {record.version} names it."
        )
    elif record.effective_from <= record.recorded_at:
        after = "It applies already."
    else:
        known = record.recorded_at + timedelta(seconds=LOOK_SECONDS)
        after = (
            f"It applies to events from {moment(record.effective_from)} on, in "
            f"{distance(record.effective_from - record.recorded_at)}; workers have it from {known:%H:%M:%S}Z."
        )
    return f"Published as number {record.sequence}, by {by}: {words(kind, book)}. {after}"


def _json(kind: Kind, plan: Plan, outcome: Outcome, by: str, reason: str, dry_run: bool) -> dict[str, Any]:
    changes = {
        book.version: difference_record(base, difference)
        for book, base, difference in zip(plan.books, plan.bases, plan.differences, strict=True)
    }
    return {
        "dry_run": dry_run,
        "published": [
            book_record(kind, book)
            | {"number": record.sequence or None, "published_by": by, "reason": reason}
            | {"published_at": None if dry_run else record.recorded_at.isoformat()}
            | {"difference": changes[book.version]}
            for record in outcome.published
            for book in plan.books
            if book.version == record.version
        ],
        "published_before": [record.version for record in outcome.known],
        "warnings": [{"code": each.code, "rule": each.rule, "sentence": each.sentence} for each in plan.warnings],
    }

"""From a question to the store's answer: the event behind an id, or the windows and events behind a line.

Blocking: the command asks one thing and waits for it. Errors: `UserError` with what to do, and what the store raises.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from billing.documents import BookError
from billing.errors import BillingError
from billing.explanation import (
    UsageExplanation,
    amounts_of,
    compare,
    corrections_of,
    explain_usage,
    place_of,
    target_of,
)
from billing.prices import PriceBook
from billing.publication import PRICES, RULES, BookDigest
from billing.published import Book, read_record
from billing.surcharges import RuleBook
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.books import read_books
from sinks.clickhouse.readers.events import SOURCES_MAX, find_events, find_letters, read_sources
from sinks.clickhouse.readers.lines import read_events, read_line, read_months
from sinks.lines import Line
from tollstream.errors import UserError
from tollstream.explanation.answers import EventAnswer, Found, Letter, LineAnswer, Rated, Row
from tollstream.explanation.letters import identity_in
from tollstream.explanation.words import time
from topics.block import DIMENSION_COLUMNS
from topics.identity import identity_words
from topics.meters import MeterCatalogue
from topics.times import microseconds

B = TypeVar("B", PriceBook, RuleBook)
SHOWN_SOURCES = 20
SETTLING_ATTEMPTS = 3


class NotExplainedError(UserError):
    """There is nothing to explain, or more than one thing: says what to ask instead."""


class Shelf:
    """The published books, each read when a row names it."""

    def __init__(self, books: Iterable[BookDigest]) -> None:
        self._books = {book.name: book for book in books}
        self._read: dict[tuple[str, str], Book] = {}

    def digest(self, kind: str, version: str) -> BookDigest | None:
        """As it was published; None for "" (no version applied)."""
        if version and (kind, version) not in self._books:
            raise BookError(
                f"version {version} of the {kind} rated it, and is not among the published books (`tollstream {kind} "
                "history`): without its text nobody can say why"
            )
        return self._books.get((kind, version))

    def book(self, kind: str, version: str, model: type[B]) -> B | None:
        """Its content."""
        digest = self.digest(kind, version)
        if digest is None:
            return None
        if digest.name not in self._read:
            self._read[digest.name] = read_record(digest)
        book = self._read[digest.name]
        return book if isinstance(book, model) else None

    @property
    def begins(self) -> datetime | None:
        """When the first price book begins to apply."""
        return min(
            (book.effective_from for book in self._books.values() if book.kind == PRICES and not book.retroactive),
            default=None,
        )


def explain_event(client: Client, catalogue: MeterCatalogue, event_id: str, source: str | None) -> EventAnswer:
    """Everything about the event with this id."""
    sources = [source] if source is not None else read_sources(client)
    if len(sources) > SOURCES_MAX:
        raise NotExplainedError(
            f"The ledger has more than {SOURCES_MAX:,} sources, too many to look for {event_id} under each: name "
            "its own with --source."
        )
    rows = find_events(client, [identity_words(each, event_id) for each in sources])
    mine = [row for row in rows if row["id"] == event_id and row["source"] in sources]
    by_source = sorted({row["source"] for row in mine})
    if len(by_source) > 1:
        raise NotExplainedError(_ambiguous(event_id, by_source))
    places = {(row["topic_epoch"], row["source_partition"]) for row in mine}
    letters = _letters(client, event_id, source or next(iter(by_source), None), places)
    if not mine and not letters:
        raise NotExplainedError(_unknown(event_id, source))
    targets = [(row["target_high"], row["target_low"]) for row in mine if row["kind"] != "usage"]
    if targets:
        about = find_events(client, targets)
        known = {place_of(row) for row in rows}
        rows += [row for row in about if place_of(row) not in known]
    shelf = Shelf(read_books(client, (PRICES, RULES)) if mine else ())
    return EventAnswer(
        id=event_id,
        source=next(iter(by_source), ""),
        found=tuple(found(row, rows, shelf, catalogue) for row in mine),
        letters=tuple(letters),
        catalogue=catalogue,
    )


def found(row: Row, rows: Sequence[Row], shelf: Shelf, catalogue: MeterCatalogue) -> Found:
    """A row and the usage behind it, from all rows that have or target the identities in question."""
    usage = row if row["kind"] == "usage" else target_of(row, rows)
    return Found(row, _rated(usage, rows, shelf, catalogue) if usage is not None else None)


def _rated(usage: Row, rows: Sequence[Row], shelf: Shelf, catalogue: MeterCatalogue) -> Rated:
    prices = rules = explained = None
    obstacle = ""
    try:
        explained = _explained(usage, usage, shelf, catalogue)
        prices, rules = shelf.digest(PRICES, usage["price_version"]), shelf.digest(RULES, usage["rule_version"])
    except BillingError as error:
        obstacle = str(error)

    def rerated(correction: Row) -> UsageExplanation | None:
        if correction["pricing"] not in ("rerated", "rated_later"):
            return None
        return _explained(usage, correction, shelf, catalogue)

    try:
        corrections = corrections_of(usage, rows, rerated)
    except BillingError as error:
        obstacle = obstacle or str(error)
        corrections = corrections_of(usage, rows, lambda correction: None)
    return Rated(
        row=usage,
        prices=prices,
        rules=rules,
        begins=shelf.begins,
        explained=explained,
        obstacle=obstacle,
        differences=compare(explained, usage) if explained else (),
        corrections=corrections,
        standing=corrections[-1].standing if corrections else amounts_of(usage),
    )


def _explained(usage: Row, versions: Row, shelf: Shelf, catalogue: MeterCatalogue) -> UsageExplanation:
    """The usage of one row under the versions of another: its own, or those of a re-rating."""
    return explain_usage(
        {name: usage[name] for name in DIMENSION_COLUMNS},
        {entry["key"]: entry["value"] for entry in usage["usage"] or ()},
        microseconds(usage["event_time"]),
        shelf.book(PRICES, versions["price_version"], PriceBook),
        shelf.book(RULES, versions["rule_version"], RuleBook),
        catalogue,
    )


def _letters(client: Client, event_id: str, source: str | None, places: set[tuple[int, int]]) -> list[Letter]:
    """Of an event that was billed, those of its own partition; else all."""
    letters = []
    for row in find_letters(client, event_id, sorted(places) or None):
        identity = identity_in(row)
        if identity is None:
            letters.append(Letter(row, "", is_it=False))
        elif identity[1] == event_id and source in (None, identity[0]):
            letters.append(Letter(row, identity[0], is_it=True))
    return letters


def _ambiguous(event_id: str, sources: Sequence[str]) -> str:
    shown = ", ".join(sources[:SHOWN_SOURCES]) + (", …" if len(sources) > SHOWN_SOURCES else "")
    return (
        f"{len(sources)} events have the id {event_id}, one for each of these sources: {shown}. Name one: tollstream "
        f"explain event {event_id} --source {sources[0]}"
    )


def _unknown(event_id: str, source: str | None) -> str:
    where = f" from {source}" if source is not None else ""
    return (
        f"No event {event_id}{where} is in the ledger, and no dead letter names it. Ids are compared letter by letter. "
        "An event that was published a moment ago may not be stored yet; one that was never stored was never billed."
    )


def explain_line(
    client: Client, catalogue: MeterCatalogue, line: Line, window: datetime | None, *, skip: int, limit: int | None
) -> LineAnswer:
    """The line's windows; with `window`, that one alone, and its events."""
    if window is None:
        sums = read_line(client, line)
        if not sums.windows:
            raise NotExplainedError(_empty(client, line))
        return LineAnswer(line, sums, None, skip, limit, catalogue)
    one = replace(line, start=window, end=window + timedelta(seconds=1))
    for _ in range(SETTLING_ATTEMPTS):  # a flush between two of the readings: all are made again
        sums = read_line(client, one)
        if not sums.windows:
            raise NotExplainedError(
                f"{line.builder}/{line.tenant} has no usage of that kind in a window starting {time(window)}: leave "
                "--window out, and name the period, to see the windows there are."
            )
        pages = {
            currency: read_events(client, _in(one, currency), skip=skip, limit=limit)
            for currency in sorted({each.currency for each in sums.windows})
        }
        answer = LineAnswer(one, sums, pages, skip, limit, catalogue)
        if answer.settled:
            break
    return answer


def _in(line: Line, currency: str) -> Line:
    return replace(line, narrowed={**line.narrowed, "currency": currency})


def _empty(client: Client, line: Line) -> str:
    months = read_months(client, line.builder, line.tenant)
    who = f"{line.builder}/{line.tenant}"
    if not months:
        return (
            f"Nothing is known of {who}: a line is written BUILDER/TENANT, letter by letter as in the events; "
            "an event is asked for by its id."
        )
    narrowed = ", ".join(f"{name} {value or 'none'}" for name, value in line.narrowed.items())
    return (
        f"{who} has no usage{' with ' + narrowed if narrowed else ''} from {line.start:%Y-%m-%dT%H:%MZ} to "
        f"{line.end:%Y-%m-%dT%H:%MZ}; it has some in {', '.join(months)}."
    )

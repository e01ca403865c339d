"""The books a worker rates with: read from the store, and looked at again every few seconds.

The store's records are the one truth (billing/publication.py says which of them stand). A replay has to rate as the
first run did, so a version that stands never changes, and a new one is known to every worker before the first event
that it applies to: it begins no sooner than LEAD_SECONDS + future_skew_seconds after it was recorded.
Files     are optional. What they hold and the store does not is published, by the same path and under the same rules
          as with `tollstream prices publish`; a file with another text under a known name refuses the worker.
Parsed    is each version once, in a thread: a look that finds nothing new costs three small queries.
Refused   a version that has to be known by now and cannot be used; one that showed up too late to be rated with; one
          that was rated with and is gone. A version that this worker cannot use but need not yet is told, and waits.
Stale     a worker that could not look for AGE_SECONDS_MAX takes no further block: it stops and says so.
Backfill grants are read along: they too apply from LEAD_SECONDS after they were recorded, to every worker alike.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from agents.startup import StartupError
from billing.errors import BillingError
from billing.prices import PriceBook, PriceBooks
from billing.publication import LEAD, PRICES, RULES, BookDigest
from billing.published import Book, read_record, record_of
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from sinks.contract import BackfillGrant, BookRecords, Sink
from sinks.errors import PublicationOvertakenError, PublicationRefusedError
from sinks.publishing import publish
from topics.meters import MeterCatalogue

LOG = logging.getLogger(__name__)
LEAD_SECONDS = LEAD.seconds
LOOK_SECONDS = 15.0
AGE_SECONDS_MAX = 50.0  # less than LEAD_SECONDS by what clocks may differ
OVERTAKEN_PAUSE_SECONDS = 0.2
OVERTAKEN_MAX = 50  # as many workers may bring files of their own at the same moment


class BooksError(StartupError):
    """The books cannot be what rows were or will be rated with: stop, before anything is rated otherwise."""


@dataclass(frozen=True, slots=True)
class Books:
    """What a worker rates with, from one look at the store."""

    rater: Rater
    digests: tuple[BookDigest, ...]  # of versions that apply by themselves

    @property
    def versions(self) -> list[tuple[str, str]]:
        """(kind, version) of each, sorted."""
        return sorted(digest.name for digest in self.digests)


class BookFiles:
    """Book files of a worker, read again only when one of them has changed. Blocking."""

    def __init__(self, prices: Path | None, rules: Path | None) -> None:
        self._prices, self._rules = prices, rules
        self._signature: object = None
        self._books: tuple[Book, ...] = ()

    def __call__(self) -> Sequence[Book]:
        """Every version in them; `BillingError` names file and entry."""
        signature = (_signature(self._prices), _signature(self._rules))
        if signature != self._signature:
            books: list[Book] = []
            if self._prices is not None:
                prices = PriceBooks.load(self._prices)
                books += (*prices.versions, *prices.retroactive)
            if self._rules is not None:
                rules = RuleBooks.load(self._rules)
                books += (*rules.versions, *rules.retroactive)
            self._books, self._signature = tuple(books), signature
        return self._books


def _signature(path: Path | None) -> object:
    if path is None:
        return None
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    stats = [(str(file), file.stat()) for file in files]
    return [(name, stat.st_ino, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


class Bookkeeper:
    """Holds the books in use and the grants, and how long ago they were last looked at."""

    def __init__(
        self,
        sink: Sink,
        files: Callable[[], Sequence[Book]],
        catalogue: MeterCatalogue,
        *,
        future_skew_seconds: int,
        worker: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`files` is blocking; it runs in a thread."""
        self._sink, self._files, self._catalogue, self._clock = sink, files, catalogue, clock
        self._worker = worker
        self._skew = timedelta(seconds=future_skew_seconds)
        self._looked = clock()
        self._looked_at: datetime | None = None  # the same by the store's clock
        self._parsed: dict[str, Book] = {}  # by digest
        self._verdicts: dict[str, str] = {}  # by digest: why it cannot be rated with, "" when it can
        self._failure = ""
        self.books: Books | None = None
        self.grants: list[BackfillGrant] = []
        self.unusable: dict[tuple[str, str], str] = {}  # published, not needed yet, and why it cannot be used

    @property
    def age_seconds(self) -> float:
        """Time since the store was last read, and agreed with what this worker has."""
        return self._clock() - self._looked

    async def look(self) -> Books:
        """Publish what only the files have, read what stands. BooksError, BillingError, SinkError, OSError."""
        began = self._clock()
        try:
            records = await self._published(await asyncio.to_thread(self._files))
            stand = [book for book in records.standing() if not book.retroactive]
            self._refuse_gone(stand)
            self._refuse_late(stand, records.now)
            usable = await self._usable(stand, records.now)
            books = self.books
            if books is None or books.digests != usable:
                books = Books(await asyncio.to_thread(self._rater, usable), usable)
            self.grants = await self._sink.read_backfill_grants()
        except Exception as error:
            self._failure = str(error)
            raise
        self._looked, self._looked_at, self._failure, self.books = began, records.now, "", books
        return books

    def require_fresh(self) -> None:
        """Raise BooksError when the last look is too long ago to rate anything."""
        if self.age_seconds > AGE_SECONDS_MAX:
            why = self._failure or "The store could not be asked; look at why."
            raise BooksError(
                f"Price book, rules and grants were last checked {self.age_seconds:.0f} s ago; a version published "
                f"since may apply by now, so nothing is rated after {AGE_SECONDS_MAX:g} s. {why}"
            )

    async def _published(self, files: Sequence[Book]) -> BookRecords:
        """What is recorded, once everything that the files have is."""
        for _ in range(OVERTAKEN_MAX):
            records = await self._sink.read_book_records()
            there = {(*book.name, book.digest) for book in records.standing()}
            new = [book for book in map(record_of, files) if (*book.name, book.digest) not in there]
            if not new:
                return records
            await self._fit(files, new, records)
            try:
                await publish(
                    self._sink,
                    [book for book in new if book.kind == new[0].kind],
                    based_on=records.newest_place,
                    published_by=self._worker,
                    reason="file at start" if self.books is None else "file, while running",
                )
            except PublicationOvertakenError:  # by another worker with the same file, as a rule
                await asyncio.sleep(OVERTAKEN_PAUSE_SECONDS)
            except PublicationRefusedError as error:
                raise BooksError(str(error)) from error
        raise BooksError("Others publish all the time: the versions in the files were not published. Start it again.")

    async def _fit(self, files: Sequence[Book], new: Sequence[BookDigest], records: BookRecords) -> None:
        """Refuse files that could not be rated with beside what stands: `BillingError`."""
        self._parsed.update((book.digest, book) for book in files)
        names = {book.name for book in new}
        stand = [book for book in records.standing() if book.name not in names and not book.retroactive]
        usable = await self._usable(stand, records.now)
        await asyncio.to_thread(self._rater, (*usable, *new))

    def _refuse_gone(self, stand: Sequence[BookDigest]) -> None:
        names = {book.name: book.digest for book in stand}
        for book in self.books.digests if self.books else ():
            if names.get(book.name) != book.digest:
                raise BooksError(
                    f"Version {book.version} of the {book.kind} was rated with, and the store does not have it any "
                    "more: events would be rated otherwise than before. Bring the table `books` back from a backup."
                )
        for kind in (PRICES, RULES):
            if not any(book.kind == kind for book in stand):
                raise BooksError(
                    f"The store has no {kind}, and nothing can be rated without: publish a version with `tollstream "
                    f"{kind} publish FILE --by NAME --reason TEXT`, or start with --{kind} FILE (docs/publishing.md)."
                )

    def _refuse_late(self, stand: Sequence[BookDigest], now: datetime) -> None:
        """A version that this worker sees for the first time must not apply to anything it may have rated."""
        if self.books is None or self._looked_at is None:
            return
        known = {book.name for book in self.books.digests} | self.unusable.keys()
        rated_until = min(now, self._looked_at + timedelta(seconds=AGE_SECONDS_MAX)) + self._skew
        for book in stand:
            if book.name not in known and book.effective_from <= rated_until:
                raise BooksError(
                    f"Version {book.version} of the {book.kind} showed up in the store only now, and applies from "
                    f"{book.effective_from.isoformat()}: such events may have been rated with the version before. "
                    "This worker stops; started again, it rates with the new one. `tollstream rerate` from that moment "
                    "on shows what was rated otherwise (docs/operators.md, R3)."
                )

    async def _usable(self, stand: Sequence[BookDigest], now: datetime) -> tuple[BookDigest, ...]:
        """What can be rated with; BooksError where that lacks something that may be needed before the next look."""
        unknown = [book for book in stand if book.digest not in self._verdicts]
        contents = await self._sink.read_book_contents(
            {book.digest for book in unknown if book.digest not in self._parsed}
        )
        for book in unknown:
            whole = replace(book, content=contents.get(book.digest, ""))
            self._verdicts[book.digest] = await asyncio.to_thread(self._verdict, whole)
        needed_until = now + self._skew + timedelta(seconds=AGE_SECONDS_MAX)
        self.unusable = {book.name: why for book in stand if (why := self._verdicts[book.digest])}
        for book in stand:
            if book.name in self.unusable and book.effective_from <= needed_until:
                raise BooksError(
                    f"Version {book.version} of the {book.kind} applies, and this worker cannot rate with it: "
                    f"{self.unusable[book.name]}. Give it the meters it lacks, or the version of tollstream that can "
                    "read it."
                )
        return tuple(book for book in stand if book.name not in self.unusable)

    def _verdict(self, record: BookDigest) -> str:
        """Why a version cannot be rated with, "" when it can. Blocking."""
        try:
            if record.digest not in self._parsed:
                self._parsed[record.digest] = read_record(record)
            self._rater([record])
        except BillingError as error:
            return str(error)
        return ""

    def _rater(self, books: Sequence[BookDigest]) -> Rater:
        """Blocking."""
        parsed = [self._parsed[book.digest] for book in books]
        return Rater(
            PriceBooks([book for book in parsed if isinstance(book, PriceBook)]),
            RuleBooks([book for book in parsed if isinstance(book, RuleBook)]),
            self._catalogue,
        )

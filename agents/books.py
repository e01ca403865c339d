"""The books a worker rates with: loaded, pinned in the store, and looked at again every few seconds.

A replay has to rate as the first run did, so a version that was ever used stays, word for word, and a new one is
known to every worker before the first event that it applies to. Hence
Refused   a recorded version whose file is missing or has another text; a new version that would begin sooner than
          LEAD_SECONDS + future_skew_seconds from now (the first versions of an empty store may begin in the past).
Stale     a worker that could not look again for AGE_SECONDS_MAX takes no further block: it stops and says so.
Backfill grants are read along: they too apply from LEAD_SECONDS after they were recorded, to every worker alike.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agents.startup import StartupError
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from sinks.contract import BackfillGrant, BookDigest, Sink
from topics.meters import MeterCatalogue

PRICES, RULES = "prices", "rules"
LEAD_SECONDS = 60
LOOK_SECONDS = 15.0
AGE_SECONDS_MAX = 50.0  # less than LEAD_SECONDS by what clocks may differ


class BooksError(StartupError):
    """The books cannot be what rows were or will be rated with: stop, before anything is rated otherwise."""


@dataclass(frozen=True, slots=True)
class Books:
    """One loading of all files."""

    rater: Rater
    digests: tuple[BookDigest, ...]

    @property
    def versions(self) -> list[tuple[str, str]]:
        """(kind, version) of each."""
        return [(digest.kind, digest.version) for digest in self.digests]


def load_books(prices: Path, rules: Path, catalogue: MeterCatalogue) -> Books:
    """Read and validate everything; `BillingError` names file and entry. Blocking."""
    books, rule_books = PriceBooks.load(prices), RuleBooks.load(rules)
    return Books(
        rater=Rater(books, rule_books, catalogue),
        digests=tuple(
            BookDigest(kind, each.version, each.effective_from, each.digest, each.content)
            for kind, versions in ((PRICES, books.versions), (RULES, rule_books.versions))
            for each in versions
        ),
    )


def refuse_change(
    mine: Collection[BookDigest], recorded: Collection[BookDigest], now: datetime, lead: timedelta
) -> None:
    """Raise BooksError where these files would rate some event otherwise than the recorded books did."""
    files = {(book.kind, book.version): book for book in mine}
    standing = {(book.kind, book.version): book for book in recorded}
    for name, book in standing.items():
        kind, version = name
        if name not in files:
            if book.effective_from <= now + lead:
                raise BooksError(
                    f"Version {version} of the {kind} was used, and its file is not there any more: events it applies "
                    "to would be rated otherwise. Put the file back; its text is in the store, in `books`."
                )
        elif files[name].digest != book.digest:
            raise BooksError(
                f"Version {version} of the {kind} was recorded with another text: rated history never changes by "
                "editing a file. Put the old text back (it is in the store, in `books`), and publish the change as a "
                "new version."
            )
    for name, book in files.items():
        kind, version = name
        begun = any(other.kind == kind for other in standing.values())
        if begun and name not in standing and book.effective_from < now + lead:
            raise BooksError(
                f"Version {version} of the {kind} would apply from {book.effective_from.isoformat()}, sooner than "
                f"{lead.total_seconds():g} s from now: events it applies to may have been rated already. Give it a "
                "later effective_from; the past is corrected by adjustments."
            )


class Bookkeeper:
    """Holds the books in use and the grants, and how long ago they were last looked at."""

    def __init__(
        self,
        sink: Sink,
        load: Callable[[], Books],
        *,
        future_skew_seconds: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` is blocking; it runs in a thread."""
        self._sink, self._load, self._now, self._clock = sink, load, now, clock
        self._lead = timedelta(seconds=LEAD_SECONDS + future_skew_seconds)
        self._looked = clock()
        self.books: Books | None = None
        self.grants: list[BackfillGrant] = []

    @property
    def age_seconds(self) -> float:
        """Time since files and store last agreed."""
        return self._clock() - self._looked

    async def look(self) -> Books:
        """Load, compare with the store, record what is new. BooksError, BillingError, SinkError, OSError."""
        began = self._clock()
        books = await asyncio.to_thread(self._load)
        refuse_change(books.digests, await self._sink.read_books((PRICES, RULES)), self._now(), self._lead)
        recorded = await self._sink.pin_books(books.digests)
        refuse_change(books.digests, recorded, self._now(), self._lead)  # another worker may have been first
        self.grants = await self._sink.read_backfill_grants()
        if self.books is None or self.books.digests != books.digests:
            self.books = books
        self._looked = began
        return self.books

    def require_fresh(self) -> None:
        """Raise BooksError when the last look is too long ago to rate anything."""
        if self.age_seconds > AGE_SECONDS_MAX:
            raise BooksError(
                f"Price book, rules and grants were last checked {self.age_seconds:.0f} s ago; a version published "
                f"since may apply by now, so nothing is rated after {AGE_SECONDS_MAX:g} s. Look at why: the files, or "
                "the store, cannot be read."
            )

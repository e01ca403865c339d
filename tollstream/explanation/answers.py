"""What is known about an event or a line, before anybody makes text or JSON of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing.explanation import Amounts, Correction, Difference, UsageExplanation
from billing.publication import BookDigest
from sinks.lines import Line, LineSums, Page, WindowSums, add
from topics.meters import MeterCatalogue

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rated:
    """One usage row of the ledger: why it is what it is, and what became of it since."""

    row: Row
    prices: BookDigest | None  # the versions that rated it, None where none applied
    rules: BookDigest | None
    begins: datetime | None  # when the first price book begins
    explained: UsageExplanation | None
    obstacle: str  # why it cannot be explained; "" where it is
    differences: tuple[Difference, ...]
    corrections: tuple[Correction, ...]
    standing: Amounts | None  # now, None while it waits for a price

    @property
    def holds(self) -> bool:
        """Whether everything that the ledger holds is what it has to be, to the last digit."""
        return not (self.obstacle or self.differences or any(each.differences for each in self.corrections))


@dataclass(frozen=True, slots=True)
class Found:
    """A ledger row with the id that was asked for; `rated` is that usage, or what a void or adjustment is about."""

    row: Row
    rated: Rated | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter in which the id stands; `is_it` where the event in it could be read and has this very id."""

    row: Row
    source: str
    is_it: bool


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """All about one (source, id); `source` is "" where only dead letters have it."""

    id: str
    source: str
    found: tuple[Found, ...]  # in log order: more than one only after the deduplication horizon, or for two tenants
    letters: tuple[Letter, ...]
    catalogue: MeterCatalogue

    @property
    def holds(self) -> bool:
        """Whether every row of it holds."""
        return all(each.rated is not None and each.rated.holds for each in self.found)


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """A line and its windows; with `pages` also the events of one window, a page for each currency."""

    line: Line
    sums: LineSums
    pages: Mapping[str, Page] | None  # by currency: amounts of two are never added up
    skip: int  # of the windows, or of the events of each page: so many are not shown at the beginning
    limit: int | None  # and at most so many are shown
    catalogue: MeterCatalogue

    @property
    def currencies(self) -> list[str]:
        """In which anything stands; "" for usage that waits for its first price book."""
        return sorted({each.currency for each in self.sums.windows})

    @property
    def holds(self) -> bool:
        """Whether totals and ledger agree in every window, and the events shown are all of them."""
        return self.settled and all(each.totals == each.ledger for each in self.sums.windows)

    @property
    def settled(self) -> bool:
        """Whether a window's events come to what its ledger rows come to: not where a flush fell between the two."""
        for currency, page in (self.pages or {}).items():
            windows = [each for each in self.sums.windows if each.currency == currency]
            stored = add([*(each.ledger for each in windows), *(each.pending for each in windows)])
            if (page.count, page.amounts) != (stored.ledger_rows, stored.amounts):
                return False
        return True

    def windows(self, currency: str) -> list[WindowSums]:
        """Those of one currency, by time."""
        return [each for each in self.sums.windows if each.currency == currency]

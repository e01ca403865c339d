"""Which time a page is about: a year, month or day in UTC, whose windows start in it. Words and neighbours of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_SHAPE = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) in UTC."""

    label: str
    start: datetime
    end: datetime

    @property
    def previous(self) -> Span:
        """The one before."""
        return span_at(self.start - timedelta(days=1), len(self.label))

    @property
    def following(self) -> Span:
        """The one after."""
        return span_at(self.end, len(self.label))

    @property
    def words(self) -> str:
        """For a heading."""
        formats = {4: "%Y", 7: "%B %Y", 10: "%-d %B %Y"}
        return self.start.strftime(formats[len(self.label)])

    @property
    def by_hour(self) -> bool:
        """Whether its chart has a column for each hour rather than each day."""
        return self.end - self.start <= timedelta(days=2)


def span(text: str) -> Span | None:
    """2026, 2026-10 or 2026-10-03; None where it is none of these."""
    found = _SHAPE.fullmatch(text)
    try:
        if found is None:
            return None
        start = datetime(int(found["year"]), int(found["month"] or 1), int(found["day"] or 1), tzinfo=UTC)
        return span_at(start, len(text)) if 1971 <= start.year < 2100 else None
    except ValueError:
        return None


def span_at(moment: datetime, length: int = 7) -> Span:
    """The year (4), month (7) or day (10) that holds a moment."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    label = f"{day:%Y-%m-%d}"[:length]
    if length == 10:
        return Span(label, day, day + timedelta(days=1))
    if length == 7:
        first = day.replace(day=1)
        return Span(label, first, (first + timedelta(days=31)).replace(day=1))
    first = day.replace(month=1, day=1)
    return Span(label, first, first.replace(year=first.year + 1))

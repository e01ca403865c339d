"""Billing periods: months, ISO weeks or anniversaries of a local calendar, as half-open intervals of UTC.

Units   `start` and `end` are aware UTC datetimes, [start, end); `first_day` and `end_day` are the local dates of these
        midnights, so that whole days can be counted whatever the clocks did in between.
Labels  month `2026-10`, ISO week `2026-W41`, anniversary `2026-10-17` (its first day).
Errors  `PeriodError` names what was written and what would do.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.errors import BillingError

CycleKind = Literal["month", "week", "anniversary"]
KINDS: tuple[CycleKind, ...] = ("month", "week", "anniversary")
WINDOW_SECONDS = (86_400, 3_600, 1_800, 900, 300, 60)  # the lengths that are proposed where a period does not fit
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_WEEK = re.compile(r"(\d{4})-W(\d{2})")
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_LOOKS = {
    "month": "a month is written like 2026-10",
    "week": "a week is written like 2026-W41",
    "anniversary": "an anniversary is written like 2026-10-17, its first day",
}
_DAY_LONG = timedelta(days=1)


class PeriodError(BillingError):
    """A period or cycle that does not exist, or does not fit the windows; says which, and what would do."""


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period: [start, end) in UTC, which are local midnights of `first_day` and `end_day`."""

    label: str
    start: datetime
    end: datetime
    first_day: date
    end_day: date  # the day after the last one

    @property
    def days(self) -> int:
        """Local calendar days, whatever the clocks did: what proration counts by."""
        return (self.end_day - self.first_day).days

    @property
    def word(self) -> str:
        """What a customer calls it."""
        return "week" if "W" in self.label else "month"

    @property
    def last_day(self) -> date:
        """The last day that belongs to it: the day whose exchange rate converts it."""
        return self.end_day - _DAY_LONG

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PeriodError(f"{name!r} is no time zone, such as Europe/Madrid or UTC") from None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """Where the clocks skip midnight, the moment at which they skip it: the first one of that day."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Cycle:
    """How time is cut into periods. `anchor` is the first day of an anniversary cycle, None for months and weeks.

    An anniversary on the 29th to 31st falls on the last day of months that are shorter, and on its own day again after
    them. Weeks begin on Monday (ISO 8601)."""

    kind: CycleKind = "month"
    zone: str = "UTC"
    anchor: date | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise PeriodError(f"cycle {self.kind!r}: it is one of {', '.join(KINDS)}")
        if (self.anchor is not None) != (self.kind == "anniversary"):
            needs = "needs an anchor, its first day" if self.kind == "anniversary" else "takes no anchor"
            raise PeriodError(f"a cycle of kind {self.kind} {needs}")
        _zone(self.zone)

    def starting(self, first: date) -> Period:
        """The period whose first day this is; PeriodError where none begins then."""
        if self._first(first) != first:
            raise PeriodError(
                f"no {self.kind} period begins on {first}: the one around it begins on {self._first(first)}"
            )
        following = self._following(first)
        zone = _zone(self.zone)
        return Period(self._label(first), _midnight(first, zone), _midnight(following, zone), first, following)

    def holding(self, day: date) -> Period:
        """The period that a local day belongs to."""
        return self.starting(self._first(day))

    def next(self, period: Period) -> Period:
        """The period that begins where this one ends."""
        return self.starting(period.end_day)

    def previous(self, period: Period) -> Period:
        """The period that ends where this one begins."""
        return self.holding(period.first_day - _DAY_LONG)

    def _first(self, day: date) -> date:
        if self.kind == "week":
            return day - timedelta(days=day.weekday())
        begins = self._in_month(day.year, day.month)
        if begins <= day:
            return begins
        before = day.replace(day=1) - _DAY_LONG
        return self._in_month(before.year, before.month)

    def _following(self, first: date) -> date:
        if self.kind == "week":
            return first + timedelta(days=7)
        later = first.replace(day=28) + timedelta(days=7)
        return self._in_month(later.year, later.month)

    def _in_month(self, year: int, month: int) -> date:
        """The day on which a period begins in this month."""
        wanted = self.anchor.day if self.anchor else 1
        return date(year, month, min(wanted, calendar.monthrange(year, month)[1]))

    def _label(self, first: date) -> str:
        if self.kind == "week":
            year, week, _ = first.isocalendar()
            return f"{year:04d}-W{week:02d}"
        return f"{first:%Y-%m}" if self.kind == "month" else first.isoformat()


MONTHS = Cycle()


def period_of(cycle: Cycle, moment: datetime) -> Period:
    """The period that holds a moment (aware), by the local date of the cycle's zone."""
    if moment.tzinfo is None:
        raise PeriodError(f"{moment.isoformat()} has no offset: write 2026-10-01T00:00:00Z")
    return cycle.holding(moment.astimezone(_zone(cycle.zone)).date())


def parse_period(cycle: Cycle, text: str) -> Period:
    """The period of this label; PeriodError says how one is written."""
    patterns = {"month": _MONTH, "week": _WEEK, "anniversary": _DAY}
    found = patterns[cycle.kind].fullmatch(text)
    wrong = PeriodError(f"period {text!r}: {_LOOKS[cycle.kind]}")
    if found is None:
        raise wrong
    numbers = [int(number) for number in found.groups()]
    try:
        if cycle.kind == "week":
            first = date.fromisocalendar(numbers[0], numbers[1], 1)
        else:
            first = date(*numbers) if len(numbers) == 3 else date(numbers[0], numbers[1], 1)
    except ValueError:
        raise wrong from None
    return cycle.starting(first)


def refuse_misaligned(period: Period, window_seconds: int) -> None:
    """Both bounds have to be bounds of windows, or a window would belong to two periods."""
    bounds = [int(bound.timestamp()) for bound in (period.start, period.end)]
    if all(bound % window_seconds == 0 for bound in bounds):
        return
    fitting = [seconds for seconds in WINDOW_SECONDS if all(bound % seconds == 0 for bound in bounds)]
    names = ", ".join(str(seconds) for seconds in fitting)
    raise PeriodError(
        f"period {period.label} is {period.start.isoformat()} to {period.end.isoformat()}, which cuts windows of "
        f"{window_seconds} seconds: close it in another time zone, or count in windows of {names} seconds"
        if fitting
        else f"period {period.label} begins or ends within a minute: close it in another time zone"
    )

"""The range of a simulation: [from, to) in UTC, by default the calendar month before this one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

import click

from tollstream.errors import UserError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class DayOrMoment(click.ParamType):
    """A day (midnight in UTC), or RFC 3339 with an offset."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        text = str(value)
        try:
            if _DAY.fullmatch(text):
                return datetime.combine(date.fromisoformat(text), time(), UTC)
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is no time: write a day, such as 2026-01-31, or 2026-01-31T12:00:00Z", param, ctx)
        if moment.utcoffset() is None:
            self.fail(f"{text!r} has no offset: append Z if it is UTC", param, ctx)
        return moment.astimezone(UTC)


def period(start: datetime | None, end: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """What was given, and for the rest last month's first and this month's; UserError when nothing lies between."""
    this_month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = start or (this_month - timedelta(days=1)).replace(day=1)
    end = end or this_month
    if start >= end:
        raise UserError(
            f"The range is empty: --from {start.isoformat()} is not before --to {end.isoformat()}. Without --to, the "
            "range ends with last month."
        )
    return start, end


def day(moment: datetime) -> str:
    """As short as it can be said: 2026-01-01, or with the time where there is one."""
    return f"{moment:%Y-%m-%d}" if moment.time() == time() else moment.isoformat()

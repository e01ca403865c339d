"""litellm's off-peak blocks as hours of a price entry.

There, a window is two times of day in UTC, on some weekdays of a calendar that may be another zone's; a moment is off
peak when its time is in a window and its weekday, on that calendar, is one of the rule's. Here, hours are of one zone,
and belong to the day on which they begin. So the windows are laid out minute by minute over a week of the calendar's
zone and read off again, each range of a day with the days on which it is. Possible where the zone's offset is fixed.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from billing.prices.conditions import DAYS, MINUTES_A_DAY, MINUTES_A_WEEK

PROBES = (datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC))  # one of each half of the year
WEEKDAYS = {name: number for number, day in enumerate(DAYS, start=1) for name in (day, day + "day")} | {
    "tues": 2, "tuesday": 2, "wednesday": 3, "thur": 4, "thurs": 4, "thursday": 4, "saturday": 6,
}  # fmt: skip


class UnclearHoursError(ValueError):
    """An off-peak block that cannot be laid out: the message says why."""


def off_peak_ranges(block: Mapping[str, object]) -> tuple[str, list[tuple[str, str, tuple[str, ...]]]]:
    """(zone, [(from, to, days)]) of an off-peak block."""
    zone = block.get("weekday_timezone") or "UTC"
    offset = _fixed_offset(str(zone))
    week = [False] * MINUTES_A_WEEK
    for hours, weekdays in _rules(block):
        for begin, end in hours:
            for day in range(7):
                for minute in _minutes_of_day(begin, end):
                    local = (day * MINUTES_A_DAY + minute + offset) % MINUTES_A_WEEK
                    if local // MINUTES_A_DAY + 1 in weekdays:
                        week[local] = True
    return str(zone), _read_off(week)


def _fixed_offset(zone: str) -> int:
    try:
        offsets = {moment.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset() for moment in PROBES}
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise UnclearHoursError(f"{zone!r} is no time zone") from None
    if len(offsets) != 1:
        raise UnclearHoursError(
            f"its hours are in UTC and its weekdays in {zone}, whose offset changes with the season"
        )
    return int((offsets.pop() or timedelta()) / timedelta(minutes=1))


def _rules(block: Mapping[str, object]) -> Iterator[tuple[list[tuple[int, int]], frozenset[int]]]:
    every_day = frozenset(range(1, 8))
    if "hours_utc" in block:
        yield _windows(block["hours_utc"]), every_day
    rules = block.get("windows") or ()
    if not isinstance(rules, list | tuple):
        raise UnclearHoursError("`windows` is no list")
    for rule in rules:
        if not isinstance(rule, Mapping):
            raise UnclearHoursError("a window is no table")
        yield _windows(rule.get("hours_utc")), _weekdays(rule["weekdays"]) if "weekdays" in rule else every_day


def _weekdays(value: object) -> frozenset[int]:
    listed = value if isinstance(value, list | tuple) else (value,)
    days = [WEEKDAYS.get(str(each).strip().lower(), each) for each in listed]
    if not all(isinstance(day, int) and 1 <= day <= 7 for day in days):
        raise UnclearHoursError(f"{value!r} are no weekdays")
    return frozenset(day for day in days if isinstance(day, int))


def _windows(value: object) -> list[tuple[int, int]]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise UnclearHoursError(f"{value!r} are no hours, such as 16:30-00:30")
    return [(_minute(begin), _minute(end)) for begin, _, end in (str(text).partition("-") for text in texts)]


def _minute(text: str) -> int:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60):
        raise UnclearHoursError(f"{text!r} is no time of day")
    return int(hours) * 60 + int(minutes)


def _minutes_of_day(begin: int, end: int) -> Iterator[int]:
    """The minutes of one UTC day in a window; one that ends where it begins is all of the day."""
    if begin < end:
        yield from range(begin, end)
    else:
        yield from range(end)
        yield from range(begin, MINUTES_A_DAY)


def _read_off(week: list[bool]) -> list[tuple[str, str, tuple[str, ...]]]:
    days: dict[tuple[int, int], list[str]] = {}
    for number, day in enumerate(DAYS):
        minutes = week[number * MINUTES_A_DAY : (number + 1) * MINUTES_A_DAY]
        begin = None
        for minute, inside in enumerate([*minutes, False]):
            if inside and begin is None:
                begin = minute
            elif not inside and begin is not None:
                days.setdefault((begin, minute), []).append(day)
                begin = None
    return [(_clock(begin), _clock(end), tuple(days[begin, end])) for begin, end in sorted(days)]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"

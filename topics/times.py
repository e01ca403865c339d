"""RFC 3339 times to microseconds since 1970 (UTC), one at a time and as columns.

Accepted  2026-01-31T23:59:59Z, t and z in lower case, an offset ±hh:mm, any number of decimals of a second.
          Finer than a microsecond is cut off toward the past. Years 1 to 9999 in UTC.
Refused   NAIVE_TIME without offset; INVALID_TIME otherwise: days that do not exist, leap seconds (:60), other forms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from topics.problems import problem, shown
from topics.reasons import Reason

SECOND = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME_MIN = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
TIME_MAX = (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
IRREGULAR = np.iinfo(np.int64).min  # what parse_times answers where parse_time has to look

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"([Zz]|([+-])([0-9]{2}):([0-9]{2}))?"
)


def parse_time(text: str) -> int:
    """Microseconds since 1970; raises a `problem` with NAIVE_TIME or INVALID_TIME."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise problem(Reason.INVALID_TIME, f"is {shown(text)}: write RFC 3339, such as 2026-01-31T12:00:00.5Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise problem(Reason.INVALID_TIME, f"is {shown(text)}, which is no time: {error}") from None
    if found[8] is None:
        raise problem(Reason.NAIVE_TIME, f"is {shown(text)}, which has no offset: append Z if it is UTC")
    moment = (local - EPOCH) // timedelta(seconds=1) * SECOND + int((found[7] or "0")[:6].ljust(6, "0"))
    if found[9]:
        hours, minutes = int(found[10]), int(found[11])
        if hours > 23 or minutes > 59:
            raise problem(Reason.INVALID_TIME, f"is {shown(text)}, whose offset is beyond 23:59: check the zone")
        moment -= (hours * 60 + minutes) * 60 * SECOND * (1 if found[9] == "+" else -1)
    if not TIME_MIN <= moment <= TIME_MAX:
        raise problem(Reason.INVALID_TIME, f"is {shown(text)}, outside of the years 1 to 9999 in UTC")
    return moment


def microseconds(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(time: int) -> datetime:
    """Microseconds since 1970 as a datetime in UTC."""
    return EPOCH + timedelta(microseconds=time)


def format_time(moment: datetime) -> str:
    """RFC 3339 in UTC, ending in Z, with the decimals there are."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def parse_times(texts: Sequence[str]) -> np.ndarray:
    """(n,) int64 microseconds, IRREGULAR for what is not YYYY-MM-DDThh:mm:ss[.decimals] with Z or ±hh:mm behind.

    Irregular is not wrong (t and z are allowed): ask `parse_time`. Costs about 0.1 µs a text."""
    times = np.full(len(texts), IRREGULAR, dtype=np.int64)
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    for length in np.unique(lengths).tolist():
        if not 20 <= length <= 35:
            continue
        rows = np.flatnonzero(lengths == length)
        same = texts if len(rows) == len(texts) else [texts[row] for row in rows.tolist()]
        try:
            characters = np.frombuffer("".join(same).encode("ascii"), dtype=np.uint8).reshape(-1, length)
        except UnicodeEncodeError:
            continue
        zulu = characters[:, -1] == ord("Z")
        for suffix, chosen in ((1, zulu), (6, ~zulu)):
            if chosen.any() and length - suffix >= 19 and length - suffix != 20:
                some = characters if chosen.all() else characters[chosen]
                times[rows[chosen]] = _parse_columns(np.ascontiguousarray(some.T), suffix)
    return times


def _parse_columns(columns: np.ndarray, suffix: int) -> np.ndarray:
    """Texts of one length, a row a character; `suffix` characters of zone: 1 for Z, 6 for an offset."""
    end = len(columns) - suffix
    digits = columns - np.uint8(ord("0"))  # anything else than a digit becomes more than 9
    fraction = range(20, end)
    regular = np.ones(columns.shape[1], dtype=bool)
    for place in (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, *fraction):
        regular &= digits[place] <= 9
    for place, mark in ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")):
        regular &= columns[place] == ord(mark)
    if end > 19:
        regular &= columns[19] == ord(".")
    number = digits.astype(np.int32)
    offset = np.zeros(columns.shape[1], dtype=np.int64)
    if suffix == 6:
        hours, minutes = number[end + 1] * 10 + number[end + 2], number[end + 4] * 10 + number[end + 5]
        for place in (end + 1, end + 2, end + 4, end + 5):
            regular &= digits[place] <= 9
        east, west = columns[end] == ord("+"), columns[end] == ord("-")
        regular &= (east | west) & (columns[end + 3] == ord(":")) & (hours < 24) & (minutes < 60)
        offset = np.where(west, -1, 1) * (hours.astype(np.int64) * 60 + minutes) * 60
    year = number[0] * 1000 + number[1] * 100 + number[2] * 10 + number[3]
    month, day, hour, minute, second = (number[at] * 10 + number[at + 1] for at in (5, 8, 11, 14, 17))
    regular &= (year >= 1) & (month >= 1) & (month <= 12) & (hour < 24) & (minute < 60) & (second < 60)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    month = np.where(regular, month, 1)
    regular &= (day >= 1) & (day <= _MONTH_DAYS[month] + ((month == 2) & leap))
    micro = np.zeros(columns.shape[1], dtype=np.int64)
    for step, place in enumerate(fraction[:6]):
        micro += number[place].astype(np.int64) * 10 ** (5 - step)
    days = _days_before_year(year) + _DAYS_BEFORE_MONTH[month] + ((month > 2) & leap) + day - 1 - _EPOCH_DAYS
    seconds = days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second - offset
    times = seconds * SECOND + micro
    regular &= (times >= TIME_MIN) & (times <= TIME_MAX)
    return np.where(regular, times, IRREGULAR)


_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int32)
_DAYS_BEFORE_MONTH = np.concatenate([[0, 0], np.cumsum(_MONTH_DAYS[1:12])]).astype(np.int32)


def _days_before_year(year: np.ndarray) -> np.ndarray:
    before = year - 1
    days: np.ndarray = before * 365 + before // 4 - before // 100 + before // 400
    return days


_EPOCH_DAYS = int(_days_before_year(np.array([1970]))[0])

"""What was asked: the words and options of `tollstream explain` as one question, or a sentence saying what is wrong.

Grammar   explain [event] ID [--source S]
          explain [line] BUILDER/TENANT (--period P | --from T --to T | --window T) [--feature F] [--model M] ...
An argument with `--source` is an id, one with a period or a narrowing option is a line; `event` or `line` before it
says so outright, which an id needs that reads like a line. Builder and tenant never hold a slash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sinks.lines import Line
from tollstream.errors import UserError

KINDS = ("event", "line")
_PERIOD = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?")


class QuestionError(UserError):
    """The words and options do not make one question; says which would."""


@dataclass(frozen=True, slots=True)
class Question:
    """An event, a line, or (`kind` "") an id that may turn out to be a line without a period."""

    kind: str  # event | line | ""
    what: str
    source: str | None
    line: Line | None
    window: datetime | None


def question(
    words: Sequence[str],
    source: str | None,
    period: str | None,
    since: str | None,
    until: str | None,
    window: str | None,
    narrowed: Mapping[str, str],
) -> Question:
    """`narrowed` holds the options that were given, by column."""
    if len(words) == 2 and words[0] in KINDS:
        kind, what = words
    elif len(words) == 1:
        kind, what = "", words[0]
    else:
        raise QuestionError(
            f"{' '.join(words)!r} is not one event and not one line: write an event's id, or BUILDER/TENANT with a "
            "period, `event` or `line` before it if you like."
        )
    if not what:
        raise QuestionError("The id is empty: write an event's id, or BUILDER/TENANT with a period.")
    times = [value for value in (period, since, until, window) if value is not None]
    if kind == "event" or (kind == "" and source is not None):
        if times or narrowed:
            raise QuestionError(
                f"{what} is asked for as an event: leave out the options of a line, or leave out these."
            )
        return Question("event", what, source, None, None)
    if source is not None:
        raise QuestionError("--source belongs to an event: a line is narrowed by --feature, --model and the like.")
    if kind == "" and not times and not narrowed:
        return Question("", what, None, None, None)
    builder, slash, tenant = what.partition("/")
    if not (builder and slash and tenant) or "/" in tenant:
        raise QuestionError(f"{what} is no line: write BUILDER/TENANT, such as acme/globex; an id takes no period.")
    at = _time("--window", window) if window is not None else None
    start, end = _span(period, since, until, at)
    return Question("line", what, None, Line(builder, tenant, start, end, dict(narrowed)), at)


def _span(
    period: str | None, since: str | None, until: str | None, window: datetime | None
) -> tuple[datetime, datetime]:
    if period is not None and (since is not None or until is not None):
        raise QuestionError("--period says it all: leave out --from and --to, or write these alone.")
    if period is not None:
        return _period(period)
    if since is not None and until is not None:
        start, end = _time("--from", since), _time("--to", until)
        if start >= end:
            raise QuestionError(
                f"--from {since} is not before --to {until}: windows that start in [from, to) are meant."
            )
        return start, end
    if window is not None:
        return window, window + timedelta(seconds=1)
    raise QuestionError(
        "A line needs its period: --period 2026-10 (or 2026-10-03, or 2026), or --from and --to; or --window for the "
        "events of one window."
    )


def _period(text: str) -> tuple[datetime, datetime]:
    found = _PERIOD.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        year, month, day = int(found["year"]), found["month"], found["day"]
        start = datetime(year, int(month or 1), int(day or 1), tzinfo=UTC)
        if day:
            return start, start + timedelta(days=1)
        if month:
            return start, (start + timedelta(days=31)).replace(day=1)
        return start, start.replace(year=year + 1)
    except (ValueError, OverflowError):
        raise QuestionError(f"--period {text} is no month, day or year: write 2026-10, 2026-10-03 or 2026.") from None


def _time(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if len(text) == len("2026-10-03"):
            moment = moment.replace(tzinfo=UTC)
        if moment.tzinfo is None:
            raise ValueError(text)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise QuestionError(
            f"{option} {text} is no time with offset: write 2026-10-03T14:00:00Z, or a day in UTC, 2026-10-03."
        ) from None

"""From a line of a statement to the command that explains it down to its events.

Usage lines, and adjustments of usage, are what one rule charged a tenant in a period; everything else on a statement is
made of these by the plan, and its reason says how.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from billing.periods import Period
from billing.statements import REASONS, StatementLine


def explain_command(
    builder: str, tenant: str, period: Period, line: StatementLine, closed: Mapping[str, Period]
) -> str | None:
    """`tollstream explain acme/globex --period 2026-10 --rule quill-premium`; None for lines that plans make.

    `closed` are the periods that adjustments can be about, by label."""
    kind, _, rest = line.key.partition("/")
    if kind == "usage":
        return _command(builder, tenant, period, rest)
    if kind == "adjustment":
        label, _, more = rest.partition("/")
        why, _, rule_id = more.partition("/")
        if why in REASONS and rule_id and label in closed:
            return _command(builder, tenant, closed[label], rule_id)
    return None


def explained(
    builder: str, tenant: str, period: Period, lines: Iterable[StatementLine], closed: Mapping[str, Period]
) -> dict[str, str]:
    """The commands of the lines that have one, by the line's key."""
    found = {line.key: explain_command(builder, tenant, period, line, closed) for line in lines}
    return {key: command for key, command in found.items() if command is not None}


def _command(builder: str, tenant: str, period: Period, rule_id: str) -> str:
    words = ["tollstream", "explain", f"{builder}/{tenant}", *_when(period), "--rule", rule_id]
    return shlex.join(words)


def _when(period: Period) -> list[str]:
    """As a month where it is one of UTC, which `explain` knows by its name."""
    first = datetime(period.first_day.year, period.first_day.month, 1, tzinfo=UTC)
    following = datetime(first.year + first.month // 12, first.month % 12 + 1, 1, tzinfo=UTC)
    if (period.start, period.end) == (first, following):
        return ["--period", f"{first:%Y-%m}"]
    return ["--from", _moment(period.start), "--to", _moment(period.end)]


def _moment(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")

"""What stands in the way of closing a period, and who has accepted it.

lag        what is in the log may be of the period, and is not stored (`lag.py`)
unpriced   usage of the period waits for a price: it would be missing on the statements, and come on the next ones
residual   ledger and totals of the period do not agree to the last digit: nothing should be billed before that is
           understood
earlier    there is usage before the first period that the Builder ever closes, or more of it since the last closing: it
           is on no statement
Each can be accepted, by name and for a reason, and then stands in the closing's record for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.periods import Period
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import Apart, Closing, UsageScope, Waiting
from tollstream.closing.lag import Log, lag_of
from tollstream.closing.refusal import CloseRefusedError
from tollstream.closing.sentences import moment, some

LAG, UNPRICED, RESIDUAL, EARLIER = "lag", "unpriced", "residual", "earlier"
KINDS = (LAG, UNPRICED, RESIDUAL, EARLIER)
LEDGER_ROWS = 1_000_000  # compared at once
ATTEMPTS = 3  # a flush under way is no difference: it is looked at again


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that stands in the way."""

    kind: str  # of KINDS
    sentence: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which problems somebody accepts, and who."""

    kinds: frozenset[str] = frozenset()
    by: str = ""
    reason: str = ""


async def problems(
    store: ClickHouseStatementStore,
    builder: str,
    period: Period,
    log: Log,
    done: Sequence[Closing],
    patience_seconds: float,
) -> list[Problem]:
    """Everything that stands in the way of closing a period that is over; `done` are the closings that count."""
    lag = await lag_of(store, log, period, patience_seconds)
    waiting = await store.read_waiting(builder, period.start, period.end)
    apart = await read_apart(store, builder, period)
    begins = done[0].period if done else period
    since = await store.first_usage(builder, begins.start, done[-1].cut if done else {})
    return [
        *([Problem(LAG, lag)] if lag else []),
        *_unpriced(waiting, period),
        *_residual(apart, period),
        *_earlier(since, begins),
    ]


def accept(found: Sequence[Problem], accepted: Accepted) -> dict[str, dict[str, str]]:
    """What goes on record of problems that were accepted. Raises `CloseRefusedError` where one was not."""
    standing = [problem for problem in found if problem.kind not in accepted.kinds]
    if standing:
        flags = " ".join(f"--accept-{kind}" for kind in dict.fromkeys(problem.kind for problem in standing))
        raise CloseRefusedError(
            f"{' '.join(problem.sentence for problem in standing)} Nothing was closed; whoever knows better accepts it "
            f"on record with {flags} --by NAME --reason TEXT."
        )
    record: dict[str, dict[str, str]] = {}
    for problem in found:
        held = record.setdefault(problem.kind, {"found": "", "by": accepted.by, "reason": accepted.reason})
        held["found"] = f"{held['found']} {problem.sentence}".strip()
    return record


async def read_apart(store: ClickHouseStatementStore, builder: str, period: Period) -> list[Apart]:
    """How far ledger and totals of a period are apart. A difference is believed once it was seen several times."""
    found: list[Apart] = []
    for _ in range(ATTEMPTS):
        cut = {place: each.next_offset for place, each in (await store.read_progress()).items()}
        scope = UsageScope(builder, period.start, period.end, cut)
        found = []
        for tenants in await store.plan_ledger(builder, period.start, period.end, LEDGER_ROWS):
            found += await store.read_apart(scope, tenants)
        if not found:
            break
    return found


def _unpriced(waiting: Sequence[Waiting], period: Period) -> list[Problem]:
    if not waiting:
        return []
    events = sum(each.events for each in waiting)
    kinds = [f"{each.events:,} of {each.provider or 'no provider'}/{each.model or 'no model'}" for each in waiting]
    return [
        Problem(
            UNPRICED,
            f"{events:,} events of {period.label} wait for a price ({some(kinds)}): publish one and run `tollstream "
            "rerate --unpriced`; `tollstream unpriced` shows them all.",
        )
    ]


def _residual(apart: Sequence[Apart], period: Period) -> list[Problem]:
    if not apart:
        return []
    lines = sum(each.lines for each in apart)
    amounts = [f"{each.amount:f} {each.currency or 'without currency'}" for each in apart]
    return [
        Problem(
            RESIDUAL,
            f"Ledger and totals of {period.label} are apart on {lines:,} lines, by {some(amounts)} in all amounts "
            "together: run `tollstream reconcile` and mend it first.",
        )
    ]


def _earlier(since: datetime | None, begins: Period) -> list[Problem]:
    if since is None:
        return []
    return [
        Problem(
            EARLIER,
            f"There is usage of {moment(since)} and later, before {begins.label}, the first period that is closed: it "
            "is on no statement, ever. Begin with the period that it lies in; or, if that is past, void it and publish "
            "it again with a time that is billed.",
        )
    ]

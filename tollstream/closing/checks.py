"""What stands in the way of closing a period, and who has accepted it.

lag        a partition of the log is not stored to its end, and what is stored of it is older than the period's end
unpriced   usage of the period waits for a price: it would be missing on the statements, and come on the next ones
residual   ledger and totals of the period do not agree to the last digit: nothing should be billed before that is
           understood
earlier    there is usage before the first period that the Builder ever closes, or more of it since the last closing: it
           is on no statement
Each can be accepted, by name and for a reason, and then stands in the closing's record for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.periods import Period
from gateway.emitter import EmitterSetupError
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import Apart, Closing, Progress, UsageScope, Waiting
from sinks.rerates import Partition
from tollstream.closing.refusal import CloseRefusedError

LAG, UNPRICED, RESIDUAL, EARLIER = "lag", "unpriced", "residual", "earlier"
KINDS = (LAG, UNPRICED, RESIDUAL, EARLIER)
LEDGER_ROWS = 1_000_000  # compared at once
NAMED = 5  # of many partitions or models so many are named
ATTEMPTS = 3  # a flush under way is no difference: it is looked at again

LogEnds = Callable[[], Awaitable[Mapping[Partition, int]]]  # raises EmitterSetupError where nobody says


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
    store: ClickHouseStatementStore, builder: str, period: Period, log_ends: LogEnds, done: Sequence[Closing]
) -> list[Problem]:
    """Everything that stands in the way of closing a period that is over; `done` are the closings that count."""
    ends_or_why = await _ends(log_ends)
    progress = await store.read_progress()
    waiting = await store.read_waiting(builder, period.start, period.end)
    apart = await read_apart(store, builder, period)
    begins = done[0].period if done else period
    since = await store.first_usage(builder, begins.start, done[-1].cut if done else {})
    return [
        *_lag(progress, ends_or_why, period),
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


async def _ends(log_ends: LogEnds) -> Mapping[Partition, int] | str:
    """Where the log ends, or why nobody says."""
    try:
        return await log_ends()
    except EmitterSetupError as error:
        return str(error)


def _lag(progress: Mapping[Partition, Progress], ends: Mapping[Partition, int] | str, period: Period) -> list[Problem]:
    if isinstance(ends, str):
        return [Problem(LAG, f"It is not known whether all usage of {period.label} is stored: {ends}")]
    behind = []
    for (epoch, partition), end in sorted(ends.items()):
        held = progress.get((epoch, partition))
        done = held.next_offset if held else 0
        if done < end and (held is None or held.newest < period.end):
            until = f", with records until {_moment(held.newest)}" if held else ""
            behind.append(f"partition {partition} of epoch {epoch} at offset {done:,} of {end:,}{until}")
    if not behind:
        return []
    return [
        Problem(
            LAG,
            f"Ingestion lags behind the end of {period.label}, {_moment(period.end)}: {_some(behind)}. Start workers, "
            "or wait until they have stored it.",
        )
    ]


def _unpriced(waiting: Sequence[Waiting], period: Period) -> list[Problem]:
    if not waiting:
        return []
    events = sum(each.events for each in waiting)
    kinds = [f"{each.events:,} of {each.provider or 'no provider'}/{each.model or 'no model'}" for each in waiting]
    return [
        Problem(
            UNPRICED,
            f"{events:,} events of {period.label} wait for a price ({_some(kinds)}): publish one and run `tollstream "
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
            f"Ledger and totals of {period.label} are apart on {lines:,} lines, by {_some(amounts)} in all amounts "
            "together: run `tollstream reconcile` and mend it first.",
        )
    ]


def _earlier(since: datetime | None, begins: Period) -> list[Problem]:
    if since is None:
        return []
    return [
        Problem(
            EARLIER,
            f"There is usage of {_moment(since)} and later, before {begins.label}, the first period that is closed: it "
            "is on no statement, ever. Begin with the period that it lies in; or, if that is past, void it and publish "
            "it again with a time that is billed.",
        )
    ]


def _some(words: Sequence[str]) -> str:
    more = f", and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return ", ".join(words[:NAMED]) + more


def _moment(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")

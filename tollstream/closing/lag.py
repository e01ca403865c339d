"""Whether everything that was in the log when a closing began is stored, as far as the period may need it.

behind     a partition is not stored to its end, and what is stored of it is older than the period's end
stands     records wait in a partition, and for `patience_seconds` none of them was stored: no worker runs, and nobody
           knows whether they are of the period. A partition that moves is alive; what is on its way is late usage
Offsets    behind the last record may be taken by control records of transactions, which nobody stores: whether there is
           a record is asked of the log, for partitions that stand.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Protocol

from billing.periods import Period
from gateway.emitter import EmitterSetupError
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import Progress
from sinks.rerates import Partition
from tollstream.closing.sentences import moment, some

LOOK_SECONDS = 0.2


class Log(Protocol):
    """The raw topic. Each raises `EmitterSetupError` where nobody says."""

    async def ends(self) -> Mapping[Partition, int]:
        """Where each partition ends."""

    async def holds(self, place: Partition, offset: int) -> bool:
        """Whether a record stands at this offset or behind it."""


async def lag_of(store: ClickHouseStatementStore, log: Log, period: Period, patience_seconds: float) -> str:
    """A sentence about what is not stored; "" where nothing is in the way."""
    try:
        ends = await log.ends()
        progress = await store.read_progress()
        found = _behind(progress, ends, period)
        if found:
            return (
                f"Ingestion lags behind the end of {period.label}, {moment(period.end)}: {some(found)}. Start workers, "
                "or wait until they have stored it."
            )
        found = await _standing(store, log, progress, ends, patience_seconds)
    except EmitterSetupError as error:
        return f"It is not known whether all usage of {period.label} is stored: {error}"
    if not found:
        return ""
    return (
        f"Ingestion stands still: {some(found)}, and for {patience_seconds:g} s none of it was stored. It may be usage "
        f"of {period.label}: start workers, or wait until they have stored it."
    )


def _behind(progress: Mapping[Partition, Progress], ends: Mapping[Partition, int], period: Period) -> list[str]:
    return [
        _words(place, held, end)
        for place, end in sorted(ends.items())
        if _done(held := progress.get(place)) < end and (held is None or held.newest < period.end)
    ]


async def _standing(
    store: ClickHouseStatementStore,
    log: Log,
    progress: Mapping[Partition, Progress],
    ends: Mapping[Partition, int],
    patience_seconds: float,
) -> list[str]:
    """Partitions that wait and do not move."""
    waiting = [place for place, end in ends.items() if _done(progress.get(place)) < end]
    deadline = time.monotonic() + patience_seconds
    while waiting and time.monotonic() < deadline:
        await asyncio.sleep(min(LOOK_SECONDS, patience_seconds))
        now = await store.read_progress()
        waiting = [place for place in waiting if _done(now.get(place)) == _done(progress.get(place))]
    return [
        _words(place, progress.get(place), ends[place])
        for place in sorted(waiting)
        if await log.holds(place, _done(progress.get(place)))
    ]


def _done(held: Progress | None) -> int:
    return held.next_offset if held else 0


def _words(place: Partition, held: Progress | None, end: int) -> str:
    epoch, partition = place
    until = f", with records until {moment(held.newest)}" if held else ""
    return f"partition {partition} of epoch {epoch} at offset {_done(held):,} of {end:,}{until}"

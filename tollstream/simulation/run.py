"""Reading and rating side by side: while one portion is rated, the store answers the next.

At most two portions are in memory, whatever the ledger holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence

from billing.rating import Rater
from billing.simulation import TAGS, Comparison, OfVersions, Simulation
from billing.standing import BILLED_COLUMNS, CORRECTION_COLUMNS
from sinks.usage import PORTION_ROWS, UsageLedger, UsagePortion, UsageRange, UsageRows

Progress = Callable[[int, int], None]  # (ledger rows done, of how many)


async def simulate(
    ledger: UsageLedger,
    rater: Rater,
    usage: UsageRange,
    tags: Collection[str],
    progress: Progress = lambda done, rows: None,
    portion_rows: int = PORTION_ROWS,
    of_versions: OfVersions = lambda prices, rules: None,
) -> Comparison:
    """The comparison of all usage of the range. SinkError; BillingError where amounts cannot be added."""
    portions = await ledger.plan_usage(usage, portion_rows)
    simulation = Simulation(rater, of_versions)
    done, rows = 0, sum(portion.rows for portion in portions)
    progress(done, rows)
    async for portion, answer in _read_ahead(ledger, portions, frozenset(tags).union(TAGS)):
        await asyncio.to_thread(simulation.add, answer.rows, answer.dimensions)
        done += portion.rows
        progress(done, rows)
    return simulation.comparison()


async def _read_ahead(
    ledger: UsageLedger, portions: Sequence[UsagePortion], tags: frozenset[str]
) -> AsyncIterator[tuple[UsagePortion, UsageRows]]:
    """Each portion with its rows; the next one is being read meanwhile."""
    left = iter(portions)

    async def read(portion: UsagePortion) -> tuple[UsagePortion, UsageRows]:
        # Identities are half of what has to be read, and needed only where something was corrected.
        columns = (*BILLED_COLUMNS, *(CORRECTION_COLUMNS if portion.corrections else ()))
        return portion, await ledger.read_usage(portion, tags, columns)

    def begin() -> asyncio.Task[tuple[UsagePortion, UsageRows]] | None:
        portion = next(left, None)
        return None if portion is None else asyncio.create_task(read(portion))

    reading = begin()
    try:
        while reading is not None:
            found = await reading
            reading = begin()
            yield found
    finally:
        if reading is not None:
            reading.cancel()

"""Past usage, read again: stretches of the ledger in the shape that rating takes, for whoever rates them once more.

Portions  whole tenants, or whole windows of one: a void or an adjustment stands under the tags and in the window of
          its target, so every event shares its portion with all its corrections, and no portion needs another one.
Shapes    `UsageRows.rows` has a row per ledger row of the portion, in no order: event_time (µs since 1970), kind (the
          value of `topics.block.Kind`), dimension, the columns asked for, and a usage.* column (Int64 millionths, null
          where absent, negative in a void) per meter. `dimensions` has the tags asked for; the others are "".
Bounded   a portion holds about as many rows as its reader asked for, however many the ledger has.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import polars as pl

PORTION_ROWS = 250_000

Tenant = tuple[str, str]  # (builder, tenant)


@dataclass(frozen=True, slots=True)
class UsageRange:
    """Usage with an event time in [start, end), of one Builder or ("") of all."""

    start: datetime
    end: datetime
    builder: str = ""
    unpriced: bool = False  # only what came without a price, and every correction

    @property
    def windows(self) -> tuple[datetime, datetime]:
        """Every window that can hold such usage starts in [first, second): windows divide a day of UTC."""
        start, end = self.start.astimezone(UTC), self.end.astimezone(UTC)
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight, (end + timedelta(microseconds=999_999)).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class UsagePortion:
    """Tenants from `first` to `last` (in order of bytes, both included), windows starting in [start, end)."""

    usage: UsageRange
    first: Tenant
    last: Tenant
    windows: tuple[datetime, datetime]
    rows: int  # as counted when it was planned, replays and all
    corrections: int  # of these, voids and adjustments
    shard: tuple[int, int] = (0, 1)  # (number, of how many): where one window of one tenant is too large by itself


@dataclass(frozen=True, slots=True)
class UsageRows:
    """A portion, read."""

    rows: pl.DataFrame
    dimensions: pl.DataFrame


class UsageLedger(Protocol):
    """A store that can be asked for past usage. Raises `SinkError` subclasses only."""

    async def plan_usage(self, usage: UsageRange, portion_rows: int = PORTION_ROWS) -> list[UsagePortion]:
        """Portions that together hold every ledger row of the range, each in one of them."""

    async def read_usage(self, portion: UsagePortion, tags: Collection[str], columns: Collection[str]) -> UsageRows:
        """The rows of a portion, each place once: usage of the range, and every correction in the same windows.

        `tags` are of `DIMENSION_COLUMNS`, `columns` further ones of `tables.LEDGER`."""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many ledger rows a tenant has in a range, or in one window of it."""

    rows: int
    corrections: int

    def plus(self, other: Counted) -> Counted:
        return Counted(self.rows + other.rows, self.corrections + other.corrections)


NOTHING = Counted(0, 0)


def cut(
    usage: UsageRange,
    tenants: Sequence[tuple[Tenant, Counted]],
    windows: Callable[[Tenant], Sequence[tuple[datetime, Counted]]],
    portion_rows: int,
) -> list[UsagePortion]:
    """`tenants` in order of bytes, neighbours put together up to `portion_rows`.

    A tenant that has more by itself is asked for its `windows` (in order), and these are put together likewise."""
    portions: list[UsagePortion] = []
    first: Tenant | None = None
    held, last = NOTHING, ("", "")
    for tenant, counted in tenants:
        if first is not None and held.rows + counted.rows > portion_rows:
            portions.append(UsagePortion(usage, first, last, usage.windows, held.rows, held.corrections))
            first, held = None, NOTHING
        if counted.rows > portion_rows:
            portions += _cut_windows(usage, tenant, windows(tenant), portion_rows)
            continue
        first, held, last = first or tenant, held.plus(counted), tenant
    if first is not None:
        portions.append(UsagePortion(usage, first, last, usage.windows, held.rows, held.corrections))
    return portions


def _cut_windows(
    usage: UsageRange, tenant: Tenant, windows: Sequence[tuple[datetime, Counted]], portion_rows: int
) -> list[UsagePortion]:
    portions: list[UsagePortion] = []
    start, until = usage.windows
    held = NOTHING
    for number, (_, counted) in enumerate(windows):
        held = held.plus(counted)
        following = windows[number + 1 :][:1]
        if following and held.rows + following[0][1].rows <= portion_rows:
            continue
        end = following[0][0] if following else until
        shards = -(-held.rows // portion_rows)
        portions += [
            UsagePortion(usage, tenant, tenant, (start, end), held.rows // shards, held.corrections, (shard, shards))
            for shard in range(shards)
        ]
        start, held = end, NOTHING
    return portions

"""`sinks.usage.UsageLedger` over ledger rows in memory: what a `MemorySink` holds, for simulation and for tests."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from sinks.usage import PORTION_ROWS, Counted, Tenant, UsagePortion, UsageRange, UsageRows, cut
from sinks.usage_columns import ALWAYS, usage_rows
from topics.block import DIMENSION_COLUMNS

OWNER = ("builder", "tenant")


class MemoryUsage:
    """Over rows as `MemorySink.ledger` answers them."""

    def __init__(self, ledger: pl.DataFrame) -> None:
        self._ledger = ledger

    async def plan_usage(self, usage: UsageRange, portion_rows: int = PORTION_ROWS) -> list[UsagePortion]:
        rows = self._ledger.filter(_started(*usage.windows), _wanted(usage))
        if usage.builder:
            rows = rows.filter(pl.col("builder") == usage.builder)

        def windows(tenant: Tenant) -> Sequence[tuple[datetime, Counted]]:
            return [(key[0], counted) for key, counted in _counted(rows.filter(_is(tenant)), ["window_start"])]

        tenants: list[tuple[Any, Counted]] = _counted(rows, OWNER)
        return cut(usage, tenants, windows, portion_rows)

    async def read_usage(self, portion: UsagePortion, tags: Collection[str], columns: Collection[str]) -> UsageRows:
        usage = pl.col("kind") == "usage"
        time = pl.col("event_time")
        rows = self._ledger.filter(
            _started(*portion.windows),
            _wanted(portion.usage),
            ~usage | ((time >= portion.usage.start) & (time < portion.usage.end)),
        )
        number, shards = portion.shard
        rows = rows.filter(pl.when(usage).then("identity_low").otherwise("target_low") % shards == number)
        keep = [portion.first <= owner <= portion.last for owner in rows.select(OWNER).iter_rows()]
        selected = [*ALWAYS, *(name for name in DIMENSION_COLUMNS if name in tags)]
        rows = rows.filter(pl.Series(keep, dtype=pl.Boolean)).select(list(dict.fromkeys([*selected, *columns])))
        return usage_rows(rows.to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches(), tags, columns)


def _started(start: datetime, end: datetime) -> pl.Expr:
    return (pl.col("window_start") >= start) & (pl.col("window_start") < end)


def _wanted(usage: UsageRange) -> pl.Expr:
    unpriced = (pl.col("kind") != "usage") | (pl.col("pricing") == "unpriced")
    return unpriced if usage.unpriced else pl.lit(value=True)


def _is(tenant: Tenant) -> pl.Expr:
    return (pl.col("builder") == tenant[0]) & (pl.col("tenant") == tenant[1])


def _counted(rows: pl.DataFrame, by: Sequence[str]) -> list[tuple[tuple[Any, ...], Counted]]:
    """Rows and corrections by key, in order."""
    counts = rows.group_by(by).agg(pl.len(), (pl.col("kind") != "usage").sum().alias("corrections")).sort(by)
    return [(row[: len(by)], Counted(*row[len(by) :])) for row in counts.iter_rows()]

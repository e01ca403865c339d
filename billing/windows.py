"""Window totals: absolute sums per series, window and source partition, each row guarded by the last offset it holds.

Units   window_start is seconds since 1970 (UTC) and windows are half-open, [start, start + window_seconds).
        Quantities are integers in millionths (Int128 sums); amounts Decimal(38, 12) in the series' currency.
Shapes  `WindowTotals.add(contributions)` takes one row per ledger row and answers the totals that changed, whole.
Errors  `TotalsOverflowError` before a sum could leave Decimal(38, 12); a sum is never wrapped or clipped.
Why     A total is a pure function of the log up to its version. A row is added only where its offset is greater than
        the version of the very total it goes to, so replaying any suffix of the log, onto totals of which some were
        stored before a crash and some were not, gives the same rows. See docs/decisions/003-per-row-guard.md.

`WindowTotals` is a cache over the store: what is not loaded is asked for, and forgetting is always safe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

import numpy as np
import polars as pl

from billing.errors import BillingError
from topics.block import USAGE_PREFIX

SERIES_COLUMNS = ("builder", "tenant", "workspace", "feature", "provider", "model", "mode", "rule_id", "currency")
AMOUNT_COLUMNS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
COUNT_COLUMNS = ("ledger_rows", "net_events", "unpriced_events")
KEY = ["partition", "window_start", "series"]
ROW_SCHEMA: dict[str, pl.DataType] = {
    "partition": pl.Int32(),
    "window_start": pl.Int64(),
    "series": pl.UInt32(),
    "last_offset": pl.Int64(),
    **{name: pl.Int64() for name in COUNT_COLUMNS},
    **{name: pl.Decimal(38, 12) for name in AMOUNT_COLUMNS},
}

# Decimal(38, 12) holds 26 digits before the point. Polars adds inside a group without an overflow check, so sums are
# kept a factor of ten below: 10**25.
SUM_MAX = Decimal(10) ** 25
RESIDENT_ROWS_MAX = 400_000


class TotalsOverflowError(BillingError):
    """A window total would leave Decimal(38, 12): the amounts are not money any more, stop before storing them."""


def window_start(event_time: np.ndarray, window_seconds: int) -> np.ndarray:
    """The start (seconds since 1970) of the window [start, start + window_seconds) that holds each time (µs)."""
    return (event_time // (window_seconds * 1_000_000)) * window_seconds


class SeriesRegistry:
    """Numbers for tuples of SERIES_COLUMNS, so that totals are grouped by an integer and not by nine strings."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, ...], int] = {}
        self._tuples: list[tuple[str, ...]] = []

    def __len__(self) -> int:
        return len(self._tuples)

    def number(self, series: tuple[str, ...]) -> int:
        known = self._numbers.get(series)
        if known is None:
            known = self._numbers[series] = len(self._tuples)
            self._tuples.append(series)
        return known

    def numbers(self, rows: Iterable[tuple[str, ...]]) -> np.ndarray:
        return np.fromiter((self.number(row) for row in rows), dtype=np.uint32)

    def tuples(self, numbers: Iterable[int]) -> list[tuple[str, ...]]:
        return [self._tuples[number] for number in numbers]


class WindowTotals:
    """The totals that the owned partitions touch, as one frame; loaded lazily, changed by `add`."""

    def __init__(self) -> None:
        self.series = SeriesRegistry()
        self._rows = pl.DataFrame(schema=ROW_SCHEMA)
        self._loaded: set[tuple[int, int]] = set()  # (partition, window_start)

    def make_room(self) -> None:
        """Forget everything once there is too much of it: the store has it all. Call between blocks only."""
        if self._rows.height > RESIDENT_ROWS_MAX or len(self.series) > RESIDENT_ROWS_MAX:
            self.__init__()  # type: ignore[misc]

    def forget(self, partitions: Collection[int]) -> None:
        """Drop what belongs to partitions that are no longer owned."""
        self._rows = self._rows.filter(~pl.col("partition").is_in(list(partitions)))
        self._loaded = {window for window in self._loaded if window[0] not in partitions}

    def missing(self, touched: Iterable[tuple[int, int]]) -> dict[int, list[int]]:
        """Which of the touched (partition, window_start) have to be loaded first."""
        missing: dict[int, list[int]] = {}
        for partition, start in sorted(set(touched) - self._loaded):
            missing.setdefault(partition, []).append(start)
        return missing

    def load(self, windows: Mapping[int, Collection[int]], rows: pl.DataFrame) -> None:
        """Take the stored totals of `windows` (partition -> starts): ROW_SCHEMA and usage.* (Int128) columns."""
        self._loaded.update((partition, start) for partition, starts in windows.items() for start in starts)
        if rows.height:
            self._rows = pl.concat([self._rows, rows], how="diagonal")

    def add(self, contributions: pl.DataFrame) -> pl.DataFrame:
        """Add ledger rows (ROW_SCHEMA with `offset` for `last_offset`, and usage.* Int64); answer the changed totals.

        Every touched window has to be loaded. Rows at or below their total's version change nothing."""
        fresh = self._beyond_version(contributions)
        if not fresh.height:
            return self._rows.clear()
        _refuse_overflow(fresh, rows=fresh.height)
        meters = [name for name in fresh.columns if name.startswith(USAGE_PREFIX)]
        grouped = fresh.group_by(KEY).agg(
            pl.col("offset").max().alias("last_offset"),
            pl.col(*COUNT_COLUMNS).sum(),
            pl.col(*AMOUNT_COLUMNS).sum(),
            *(pl.col(name).cast(pl.Int128).sum() for name in meters),
        )
        before = self._rows.join(grouped.select(KEY), on=KEY, how="semi")
        both = pl.concat([before, grouped], how="diagonal")
        meters = [name for name in both.columns if name.startswith(USAGE_PREFIX)]
        changed = both.group_by(KEY).agg(
            pl.col("last_offset").max(),
            pl.col(*COUNT_COLUMNS).sum(),
            pl.col(*AMOUNT_COLUMNS).sum(),
            *(pl.col(name).sum() for name in meters),
        )
        _refuse_overflow(changed, rows=1)
        others = self._rows.join(grouped.select(KEY), on=KEY, how="anti")
        self._rows = pl.concat([others, changed], how="diagonal")
        return changed

    def _beyond_version(self, contributions: pl.DataFrame) -> pl.DataFrame:
        """The per-row guard; skipped only where no resident total of the partition is as new as any row."""
        newest = dict(self._rows.group_by("partition").agg(pl.col("last_offset").max()).iter_rows())
        oldest = contributions.group_by("partition").agg(pl.col("offset").min()).iter_rows()
        if all(offset > newest.get(partition, -1) for partition, offset in oldest):
            return contributions
        versions = self._rows.select(*KEY, "last_offset")
        return (
            contributions.join(versions, on=KEY, how="left")
            .filter(pl.col("last_offset").is_null() | (pl.col("offset") > pl.col("last_offset")))
            .drop("last_offset")
        )


def _refuse_overflow(addends: pl.DataFrame, *, rows: int) -> None:
    for name in AMOUNT_COLUMNS:
        low, high = addends[name].min(), addends[name].max()
        if not isinstance(low, Decimal) or not isinstance(high, Decimal):
            continue  # all null: nothing priced in these rows
        if max(-low, high) * rows >= SUM_MAX:
            raise TotalsOverflowError(
                f"{name}: {rows} rows between {low} and {high} could leave Decimal(38, 12); nothing was stored"
            )

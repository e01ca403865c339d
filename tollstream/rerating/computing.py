"""The differences of a range, a portion of the ledger at a time: bounded memory, however many rows there are.

Cut      only ledger rows below the cut are looked at, so a computation made again after some of its own adjustments
         were stored comes to the same.
Reused   an identity is free again once its event is older than the horizon, and an adjustment finds the latest usage
         under it. So where that can have happened, changes of events whose identity was used again are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from billing.documents import EPOCH
from billing.rerating import CHANGES, COLUMNS, Outcome, Rerater, billed_so_far, differences
from billing.rerating.billed import PLACE
from billing.rerating.differences import mark_reused
from sinks.rerates import Partition, RerateStore
from sinks.usage import PORTION_ROWS, UsageLedger, UsagePortion, UsageRows
from tollstream.rerating.request import Request
from topics.block import DIMENSION_COLUMNS

_CUT_SCHEMA = {"topic_epoch": pl.UInt16(), "source_partition": pl.UInt16(), "below": pl.Int64()}


class RerateLedger(UsageLedger, RerateStore, Protocol):
    """A store that past usage is read from, and re-ratings are recorded in."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the stored part of the log reaches."""

    cut: Mapping[Partition, int]
    newest: datetime  # latest time at which Kafka appended a stored record


@dataclass(frozen=True, slots=True)
class PortionChanges:
    """`billing.rerating.differences` of a portion, and the tags that its `dimension` numbers."""

    changes: pl.DataFrame
    dimensions: pl.DataFrame
    retroactive: Mapping[tuple[str, str], int]  # (kind, version) -> events that still wait, and that it would price


Advance = Callable[[int, int], None]  # ledger rows read, of how many


async def read_progress(store: RerateStore) -> Progress:
    """Where a computation that begins now is cut."""
    found = await store.read_progress()
    cut = {(row["topic_epoch"], row["source_partition"]): row["next_offset"] for row in found.iter_rows(named=True)}
    return Progress(cut, max((row["max_record_time"] for row in found.iter_rows(named=True)), default=EPOCH))


async def compute(
    store: RerateLedger,
    request: Request,
    rerater: Rerater,
    progress: Progress,
    horizon: timedelta,
    *,
    portion_rows: int = PORTION_ROWS,
    advance: Advance = lambda done, of: None,
) -> AsyncIterator[PortionChanges]:
    """The changes of every portion of the range, one after the other."""
    planned = await store.plan_usage(request.usage, portion_rows)
    portions = [portion for portion in (_narrowed(each, request) for each in planned) if portion is not None]
    rows, done = sum(portion.rows for portion in portions), 0
    for portion in portions:
        read = await store.read_usage(portion, DIMENSION_COLUMNS, COLUMNS)
        found = await asyncio.to_thread(_changes, read, request, rerater, progress.cut)
        yield await _without_reused(found, store, progress, horizon)
        done += portion.rows
        advance(done, rows)


def _narrowed(portion: UsagePortion, request: Request) -> UsagePortion | None:
    """A portion without the tenants that nobody asked about; None where no other is in it."""
    owner = (request.builder, request.tenant)
    if not all(owner):
        return portion
    return replace(portion, first=owner, last=owner) if portion.first <= owner <= portion.last else None


def _changes(read: UsageRows, request: Request, rerater: Rerater, cut: Mapping[Partition, int]) -> PortionChanges:
    rows = read.rows
    if request.tenant:
        mine = (read.dimensions["tenant"] == request.tenant).gather(rows["dimension"])
        rows = rows.filter(mine)
    billed = billed_so_far(_below(rows, cut), read.dimensions)
    if request.unpriced:
        billed = billed.filter("waits")
    changes = differences(billed, rerater.rate(billed, read.dimensions), request.by_hand)
    waiting = changes["outcome"] == str(Outcome.WAITING)
    would = rerater.retroactive(billed.filter(waiting), changes["reason"].filter(waiting), read.dimensions)
    return PortionChanges(changes, read.dimensions, would)


def _below(rows: pl.DataFrame, cut: Mapping[Partition, int]) -> pl.DataFrame:
    limits = pl.DataFrame([(*place, below) for place, below in cut.items()], schema=_CUT_SCHEMA, orient="row")
    below = rows.join(limits, on=["topic_epoch", "source_partition"], how="inner")
    return below.filter(pl.col("source_offset") < pl.col("below")).drop("below")


async def _without_reused(
    found: PortionChanges, store: RerateStore, progress: Progress, horizon: timedelta
) -> PortionChanges:
    changes = found.changes
    changing = pl.col("outcome").is_in([str(outcome) for outcome in CHANGES])
    oldest = changes.filter(changing)["event_time"].min()
    if oldest is None:
        return found
    reach = EPOCH + timedelta(microseconds=int(str(oldest))) + horizon
    if progress.newest <= reach:
        return found
    mine = changes.select("identity_high", "identity_low", *PLACE, changing.alias("changing")).hstack(
        found.dimensions.select("builder", "tenant")[changes["dimension"].to_list()]
    )
    identities = mine.filter("changing").select("identity_high", "identity_low").to_numpy()
    later = _below(await store.find_usage(identities, reach), progress.cut)
    identity = ["builder", "tenant", "identity_high", "identity_low"]
    pairs = mine.with_row_index("row").join(later, on=identity, how="inner", suffix="_later")
    epoch, _, offset, index = PLACE
    behind = (pl.col(f"{epoch}_later") > pl.col(epoch)) | (
        (pl.col(f"{epoch}_later") == pl.col(epoch))
        & (
            (pl.col(f"{offset}_later") > pl.col(offset))
            | ((pl.col(f"{offset}_later") == pl.col(offset)) & (pl.col(f"{index}_later") > pl.col(index)))
        )
    )
    reused = pairs.filter(behind, "changing")["row"].unique()
    mask = pl.Series(range(changes.height), dtype=pl.UInt32).is_in(reused.implode())
    return replace(found, changes=mark_reused(changes, mask))

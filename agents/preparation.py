"""The stateless half of the meter: records in, rated events out, with what is refused for its time or its size.

Nothing here depends on what came before, so it may run for one block while the block before is still being stored.
Rating stands here, before admission: its result is a function of the event alone, and so are the refusals it leads
to, the same for an event and for every copy of it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from billing.rating import Rater
from sinks.contract import BackfillGrant, EpochParameters
from topics.block import DecodedBlock, Kind, RawRecord
from topics.decode import Decoder
from topics.reasons import Reason

MICROSECONDS = 1_000_000
FOR_EVER = np.iinfo(np.int64).min
# Far above any real charge for one event, far below what a block of them could overflow (billing/windows.py).
EVENT_AMOUNT_MAX = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class PreparedBlock:
    """A decoded block with one rated row per event, and the rows that must not be admitted, with the reason."""

    block: DecodedBlock
    rated: pl.DataFrame  # what `Rater.rate` answers, row by row
    refused: dict[int, tuple[Reason, str]]  # row of block.events -> why
    remembered_from: np.ndarray  # (events,) µs: accepted events with this time or a later one count as known
    seconds: dict[str, float]


def prepare(
    records: Sequence[RawRecord],
    decoder: Decoder,
    rater: Rater,
    epoch: EpochParameters,
    grants: Collection[BackfillGrant],
) -> PreparedBlock:
    """Decode and rate a block, and judge each event's time against its own record's timestamp, never a clock."""
    started = time.perf_counter()
    block = decoder.decode(records)
    decoded = time.perf_counter()
    rated = rater.rate(block.events, block.dimensions)
    refused = _implausible_amounts(block, rated)
    refused.update(_untimely(block, epoch, grants))
    done = time.perf_counter()
    return PreparedBlock(
        block, rated, refused, _remembered_from(block, epoch), {"decode": decoded - started, "rate": done - decoded}
    )


def _remembered_from(block: DecodedBlock, epoch: EpochParameters) -> np.ndarray:
    """An identity counts as known while its time is within the horizon of the record that asks. It is a property of
    the two events, not of what a worker happens to have in memory, so that every replay finds the same originals. An
    event that is itself older (a backfill) is compared with all that was ever accepted."""
    event_times = block.events["event_time"].to_numpy()
    horizon: np.ndarray = block.events["record_time"].to_numpy() - epoch.dedup_horizon_seconds * MICROSECONDS
    return np.where(event_times >= horizon, horizon, FOR_EVER)


def _untimely(
    block: DecodedBlock, epoch: EpochParameters, grants: Collection[BackfillGrant]
) -> dict[int, tuple[Reason, str]]:
    event_times = block.events["event_time"].to_numpy()
    record_times = block.events["record_time"].to_numpy()
    age = record_times - event_times
    refused: dict[int, tuple[Reason, str]] = {}
    for row in np.flatnonzero(age < -epoch.future_skew_seconds * MICROSECONDS).tolist():
        ahead = -int(age[row]) // MICROSECONDS
        refused[row] = (
            Reason.FUTURE_TIME,
            (
                f"time is {ahead} s after the record reached the log; at most {epoch.future_skew_seconds} s are "
                "allowed: set the producer's clock and send the event again"
            ),
        )
    for row in np.flatnonzero(age > epoch.dedup_horizon_seconds * MICROSECONDS).tolist():
        if not _granted(block, row, int(event_times[row]), int(record_times[row]), grants):
            refused[row] = (
                Reason.TOO_LATE,
                (
                    f"time is {int(age[row]) // MICROSECONDS} s before the record reached the log, beyond the horizon "
                    f"of {epoch.dedup_horizon_seconds} s within which a duplicate is certain to be found: ask for a "
                    "backfill"
                ),
            )
    return refused


def _granted(
    block: DecodedBlock, row: int, event_time: int, record_time: int, grants: Collection[BackfillGrant]
) -> bool:
    if not grants:
        return False
    source = block.dimensions["source"][int(block.events["dimension"][row])]
    return any(
        grant.source == source
        and _microseconds(grant.event_time_from) <= event_time < _microseconds(grant.event_time_to)
        and _microseconds(grant.valid_from) <= record_time < _microseconds(grant.valid_to)
        for grant in grants
    )


def _microseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def _implausible_amounts(block: DecodedBlock, rated: pl.DataFrame) -> dict[int, tuple[Reason, str]]:
    usage = block.events["kind"] == Kind.USAGE
    amounts = rated.select(
        pl.max_horizontal(pl.col("base_cost", "customer_charge", "builder_earnings").abs().fill_null(Decimal(0))).alias(
            "largest"
        )
    )["largest"]
    largest = amounts.max()
    if not isinstance(largest, Decimal) or largest <= EVENT_AMOUNT_MAX:
        return {}
    rows = ((amounts > EVENT_AMOUNT_MAX) & usage).arg_true().to_list()
    return {
        row: (
            Reason.QUANTITY_TOO_LARGE,
            f"the usage comes to {amounts[row]}, more than {EVENT_AMOUNT_MAX} for one event: correct the quantities",
        )
        for row in rows
    }

"""Admission: of all events with one identity in a partition, the one at the smallest offset is billed.

Rule      accepted   no accepted event at a smaller place of the partition (or in an earlier epoch) has its identity
          duplicate  one has, with the same payload: counted, not stored
          conflict   one has, with another payload: dead letter, so that nobody has to guess which was meant
Stability The rule names places, not moments: judged again after a crash, with its own rows already in the ledger, in
          blocks cut elsewhere, every event gets the verdict it got before.
Voids and adjustments are admitted only with a target; that depends on what stands before them, so the few identities
that any of them shares are judged one event after the other (agents/targets.py), all others as columns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum

import numpy as np
import polars as pl

from agents.identities import Accepted, IdentityFilter, RecentIdentities
from agents.preparation import PreparedBlock
from sinks.contract import Sink
from topics.block import Kind
from topics.reasons import Reason

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIER_EPOCH = -1  # as an offset: before every place of this epoch


class Verdict(IntEnum):
    """What becomes of an event; the value is stored in `Judgement.verdicts`."""

    UNDECIDED = 0
    ACCEPTED = 1
    DUPLICATE = 2
    REJECTED = 3


@dataclass(slots=True)
class Judgement:
    """The verdict on every event of a block, in the rows of `block.events`."""

    verdicts: np.ndarray  # uint8, Verdict
    rejected: dict[int, tuple[Reason, str]]
    originals: Originals
    in_sequence: list[int] = field(default_factory=list)  # rows left undecided for agents/targets.py, in log order


@dataclass(slots=True)
class Originals:
    """For each row, its identity group, and for each group the accepted event that comes first, if one is known."""

    group: np.ndarray  # (events,) int64; -1 for rows that were refused before
    offset: np.ndarray  # (groups,) the original's place and payload
    index: np.ndarray
    payload: np.ndarray
    stored: np.ndarray  # (groups,) bool: the original stands before this block


class Identities:
    """The identities of the owned partitions."""

    def __init__(self, sink: Sink, topic_epoch: int) -> None:
        self._sink = sink
        self._topic_epoch = topic_epoch
        self._filters: dict[int, IdentityFilter] = {}
        self._recent: dict[int, RecentIdentities] = {}
        self._since: dict[int, int] = {}  # microseconds: the filter holds every event time from here on

    async def load(self, partition: int, since: datetime) -> None:
        """Fill the partition's filter from the ledger: every identity with an event time of `since` or later."""
        identities = await self._sink.read_identities(self._topic_epoch, [partition], since)
        self._filters[partition] = IdentityFilter()
        self._filters[partition].add(identities)
        self._recent[partition] = RecentIdentities()
        self._since[partition] = (since - EPOCH) // timedelta(microseconds=1)

    def forget(self, partitions: Collection[int]) -> None:
        for partition in partitions:
            self._filters.pop(partition, None)
            self._recent.pop(partition, None)

    def remember(self, partition: int, accepted: Accepted) -> None:
        """Take what was accepted and stored; called only once the ledger has it."""
        self._filters[partition].add(accepted.identities)
        self._recent[partition].add(accepted)

    async def originals(
        self, partitions: np.ndarray, identities: np.ndarray, event_times: np.ndarray
    ) -> pl.DataFrame:
        """What is known of distinct (partition, identity) rows: `row`, `offset`, `index`, `payload`, any number each.

        The ledger is asked about events older than the filter reaches (backfills, deep replays) in any case."""
        known: list[pl.DataFrame] = []
        unresolved: list[np.ndarray] = []
        for partition in np.unique(partitions).tolist():
            rows = np.flatnonzero(partitions == partition)
            suspected = np.zeros(len(rows), dtype=bool)
            suspected[self._filters[partition].suspects(identities[rows])] = True
            rows = rows[suspected | (event_times[rows] < self._since[partition])]
            if not len(rows):
                continue
            hits, accepted = self._recent[partition].find(identities[rows])
            known.append(_known(rows[hits], accepted.offsets, accepted.indexes, accepted.payloads))
            resolved = np.zeros(len(rows), dtype=bool)
            resolved[hits] = True
            unresolved.append(rows[~resolved])
        asked = np.concatenate(unresolved) if unresolved else np.empty(0, dtype=np.int64)
        if len(asked):
            known.append(await self._ask_ledger(asked, partitions, identities))
        return pl.concat(known) if known else _known(*(np.empty(0, dtype=np.int64),) * 3, np.empty(0, np.uint64))

    async def _ask_ledger(self, rows: np.ndarray, partitions: np.ndarray, identities: np.ndarray) -> pl.DataFrame:
        found = await self._sink.find_identities(
            self._topic_epoch, np.unique(partitions[rows]).tolist(), identities[rows]
        )
        asked = pl.DataFrame(
            {
                "row": rows,
                "partition": partitions[rows].astype(np.int64),
                "identity_high": identities[rows, 0],
                "identity_low": identities[rows, 1],
            }
        )
        earlier = pl.col("topic_epoch") < self._topic_epoch
        return (
            asked.join(found, on=["identity_high", "identity_low"], how="inner")
            .filter(earlier | (pl.col("source_partition").cast(pl.Int64) == pl.col("partition")))
            .select(
                pl.col("row").cast(pl.Int64),
                pl.when(earlier).then(EARLIER_EPOCH).otherwise(pl.col("source_offset")).cast(pl.Int64).alias("offset"),
                pl.col("batch_index").cast(pl.Int64).alias("index"),
                pl.col("payload_hash").cast(pl.UInt64).alias("payload"),
            )
        )


def _known(rows: np.ndarray, offsets: np.ndarray, indexes: np.ndarray, payloads: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame(
        {"row": rows, "offset": offsets, "index": indexes, "payload": payloads},
        schema={"row": pl.Int64, "offset": pl.Int64, "index": pl.Int64, "payload": pl.UInt64},
    )


async def judge(prepared: PreparedBlock, identities: Identities) -> Judgement:
    """Apply the rule to every event that was not refused; leave what involves a target in `in_sequence`."""
    block = prepared.block
    verdicts = np.zeros(block.events.height, dtype=np.uint8)
    refused = np.fromiter(prepared.refused, dtype=np.int64, count=len(prepared.refused))
    verdicts[refused] = Verdict.REJECTED
    rows = np.flatnonzero(verdicts != Verdict.REJECTED)
    partitions = block.events["partition"].to_numpy()
    offsets = block.events["offset"].to_numpy()
    indexes = block.events["index"].to_numpy().astype(np.int64)

    group, heads = _group(rows, partitions, block.identities)
    originals = Originals(
        group, offsets[heads], indexes[heads], block.payloads[heads], np.zeros(len(heads), dtype=bool)
    )
    event_times = block.events["event_time"].to_numpy()
    _take_smaller_places(
        originals, await identities.originals(partitions[heads], block.identities[heads], event_times[heads])
    )

    in_sequence = _rows_in_sequence(block.events["kind"].to_numpy(), rows, group)
    mine = group[rows]
    original = (offsets[rows] == originals.offset[mine]) & (indexes[rows] == originals.index[mine])
    same = block.payloads[rows] == originals.payload[mine]
    verdicts[rows] = np.where(original, Verdict.ACCEPTED, np.where(same, Verdict.DUPLICATE, Verdict.REJECTED))
    verdicts[in_sequence] = Verdict.UNDECIDED
    rejected = dict(prepared.refused)
    for row in rows[~original & ~same & (verdicts[rows] == Verdict.REJECTED)].tolist():
        rejected[row] = conflict(int(originals.offset[group[row]]))
    return Judgement(verdicts, rejected, originals, in_sequence.tolist())


def conflict(offset: int) -> tuple[Reason, str]:
    """The reason for an identity that comes again with another payload."""
    where = "an earlier topic epoch" if offset == EARLIER_EPOCH else f"offset {offset} of this partition"
    return (
        Reason.CONFLICTING_DUPLICATE,
        f"the same source and id were accepted at {where} with other content: send a correction under a new id, "
        "and a void for the old one",
    )


def _group(rows: np.ndarray, partitions: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct (partition, identity) among `rows`; answer each row's number, and each group's first row."""
    group = np.full(len(partitions), -1, dtype=np.int64)
    if not len(rows):
        return group, rows
    own, high, low = partitions[rows], identities[rows, 0], identities[rows, 1]
    order = np.lexsort((high, low, own))  # stable: within a group the log's order stays
    new = np.ones(len(rows), dtype=bool)
    new[1:] = (np.diff(own[order]) != 0) | (low[order][1:] != low[order][:-1]) | (high[order][1:] != high[order][:-1])
    group[rows[order]] = np.cumsum(new) - 1
    return group, rows[order][new]


def _take_smaller_places(originals: Originals, known: pl.DataFrame) -> None:
    first = known.sort("row", "offset", "index").unique("row", keep="first", maintain_order=True)
    rows = first["row"].to_numpy()
    offset, index = first["offset"].to_numpy(), first["index"].to_numpy()
    smaller = (offset < originals.offset[rows]) | (
        (offset == originals.offset[rows]) & (index < originals.index[rows])
    )
    rows = rows[smaller]
    originals.offset[rows] = offset[smaller]
    originals.index[rows] = index[smaller]
    originals.payload[rows] = first["payload"].to_numpy()[smaller]
    originals.stored[rows] = True


def _rows_in_sequence(kinds: np.ndarray, rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    targeted = rows[kinds[rows] != Kind.USAGE]
    if not len(targeted):
        return targeted
    return rows[np.isin(group[rows], group[targeted])]


def horizon_start(max_record_time: datetime | None, horizon: timedelta) -> datetime:
    """How far back the filter has to reach for events that come after the last checkpoint."""
    return (max_record_time or EPOCH + horizon) - horizon

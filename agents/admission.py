"""Admission: of all events with one identity in a partition, the first is billed.

Original  of an event: the latest accepted event at a smaller place of the partition (or in an earlier epoch) with its
          identity, as far back as `PreparedBlock.remembered_from` reaches
Rule      accepted   it has no original
          duplicate  it has one, with the same payload: counted, not stored
          conflict   it has one, with another payload: dead letter, so that nobody has to guess which was meant
Stability The rule names places and times of the log, never moments: judged again after a crash, with its own rows
          already in the ledger, in blocks cut elsewhere, every event gets the verdict it got before.
Voids and adjustments are admitted only with a target; that depends on what stands before them, so the few identities
that any of them shares are judged one event after the other (agents/targets.py), all others as columns.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
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
# A filter reaches this much further back than it has to, so that reading the last blocks again does not mean asking
# the ledger about every event in them.
SPARE = timedelta(hours=1)
KNOWN_SCHEMA = {
    "row": pl.Int64,
    "epoch": pl.Int64,
    "partition": pl.Int64,
    "offset": pl.Int64,
    "index": pl.Int64,
    "payload": pl.UInt64,
    "event_time": pl.Int64,
}


class Verdict(IntEnum):
    """What becomes of an event; the value is stored in `Judgement.verdicts`."""

    UNDECIDED = 0
    ACCEPTED = 1
    DUPLICATE = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class Original:
    """An accepted event: its place, what it said, and when it was."""

    epoch: int
    partition: int
    offset: int
    index: int
    payload: int
    event_time: int


@dataclass(slots=True)
class Judgement:
    """The verdict on every event of a block, in the rows of `block.events`."""

    verdicts: np.ndarray  # uint8, Verdict
    rejected: dict[int, tuple[Reason, str]]
    group: np.ndarray  # (events,) int64: equal for equal (partition, identity); -1 for rows refused before
    in_sequence: list[int]  # rows left undecided for agents/targets.py, in log order
    stored: dict[int, list[Original]]  # of their groups: what was accepted before the block, in order


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
        self, partitions: np.ndarray, identities: np.ndarray, remembered_from: np.ndarray
    ) -> pl.DataFrame:
        """What was accepted with distinct (partition, identity) rows, any number each and at any place: KNOWN_SCHEMA.

        Complete for event times from each row's `remembered_from` on: the ledger is asked in any case where that is
        further back than the filter reaches (backfills, deep replays, a broker's clock that was set back)."""
        known: list[pl.DataFrame] = [pl.DataFrame(schema=KNOWN_SCHEMA)]
        unresolved: list[np.ndarray] = []
        for partition in np.unique(partitions).tolist():
            rows = np.flatnonzero(partitions == partition)
            suspected = np.zeros(len(rows), dtype=bool)
            suspected[self._filters[partition].suspects(identities[rows])] = True
            rows = rows[suspected | (remembered_from[rows] < self._since[partition])]
            if not len(rows):
                continue
            # The recent ones are the last that were accepted: whoever is among them has no later original elsewhere,
            # and an identity is accepted again only once all its earlier events are out of reach.
            hits, accepted = self._recent[partition].find(identities[rows])
            known.append(self._known(rows[hits], partition, accepted))
            resolved = np.zeros(len(rows), dtype=bool)
            resolved[hits] = True
            unresolved.append(rows[~resolved])
        asked = np.concatenate(unresolved) if unresolved else np.empty(0, dtype=np.int64)
        if len(asked):
            known.append(await self._ask_ledger(asked, partitions, identities))
        return pl.concat(known)

    def _known(self, rows: np.ndarray, partition: int, accepted: Accepted) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "row": rows,
                "epoch": np.full(len(rows), self._topic_epoch),
                "partition": np.full(len(rows), partition),
                "offset": accepted.offsets,
                "index": accepted.indexes,
                "payload": accepted.payloads,
                "event_time": accepted.event_times,
            },
            schema=KNOWN_SCHEMA,
        )

    async def _ask_ledger(self, rows: np.ndarray, partitions: np.ndarray, identities: np.ndarray) -> pl.DataFrame:
        found = await self._sink.find_identities(
            self._topic_epoch, np.unique(partitions[rows]).tolist(), identities[rows]
        )
        asked = pl.DataFrame(
            {
                "row": rows,
                "own_partition": partitions[rows].astype(np.int64),
                "identity_high": identities[rows, 0],
                "identity_low": identities[rows, 1],
            }
        )
        return (
            asked.join(found, on=["identity_high", "identity_low"], how="inner")
            .filter(
                (pl.col("topic_epoch") < self._topic_epoch)
                | (pl.col("source_partition").cast(pl.Int64) == pl.col("own_partition"))
            )
            .select(
                "row",
                pl.col("topic_epoch").alias("epoch"),
                pl.col("source_partition").alias("partition"),
                pl.col("source_offset").alias("offset"),
                pl.col("batch_index").alias("index"),
                pl.col("payload_hash").alias("payload"),
                pl.col("event_time").dt.epoch("us"),
            )
            .cast(KNOWN_SCHEMA)  # type: ignore[arg-type]
        )


async def judge(prepared: PreparedBlock, identities: Identities, topic_epoch: int) -> Judgement:
    """Apply the rule to every event that was not refused; leave what involves a target in `in_sequence`."""
    events = prepared.block.events
    verdicts = np.zeros(events.height, dtype=np.uint8)
    refused = np.fromiter(prepared.refused, dtype=np.int64, count=len(prepared.refused))
    verdicts[refused] = Verdict.REJECTED
    rows = np.flatnonzero(verdicts != Verdict.REJECTED)
    partitions = events["partition"].to_numpy().astype(np.int64)
    event_times, remembered_from = events["event_time"].to_numpy(), prepared.remembered_from

    group, heads = _group(rows, partitions, prepared.block.identities)
    first_reach, last_reach = _extremes(group[rows], remembered_from[rows], len(heads))
    known = await identities.originals(partitions[heads], prepared.block.identities[heads], first_reach)

    # Each group's original as far as it is the same for all of its rows: the stored one, or else its own first row.
    offset, index = events["offset"].to_numpy()[heads], events["index"].to_numpy()[heads].astype(np.int64)
    payload, time = prepared.block.payloads[heads], event_times[heads]
    epoch, before = np.full(len(heads), topic_epoch), np.zeros(len(heads), dtype=bool)
    stored = _before_the_block(known, offset, index, first_reach, topic_epoch)
    latest = stored.unique("row", keep="last", maintain_order=True)
    at = latest["row"].to_numpy()
    before[at] = True
    epoch[at], offset[at], index[at] = (latest[name].to_numpy() for name in ("epoch", "offset", "index"))
    payload[at], time[at] = latest["payload"].to_numpy(), latest["event_time"].to_numpy()

    in_sequence = _rows_in_sequence(events["kind"].to_numpy(), rows, group, time < last_reach)
    mine = group[rows]
    original = np.zeros(events.height, dtype=bool)
    original[heads] = ~before
    same = prepared.block.payloads[rows] == payload[mine]
    verdicts[rows] = np.where(original[rows], Verdict.ACCEPTED, np.where(same, Verdict.DUPLICATE, Verdict.REJECTED))
    verdicts[in_sequence] = Verdict.UNDECIDED
    rejected = dict(prepared.refused)
    for row in rows[verdicts[rows] == Verdict.REJECTED].tolist():
        rejected[row] = conflict(int(offset[group[row]]), earlier_epoch=bool(epoch[group[row]] < topic_epoch))
    originals: dict[int, list[Original]] = {}
    if len(in_sequence):
        wanted = stored.filter(pl.col("row").is_in(np.unique(group[in_sequence])))
        for number, *place in wanted.iter_rows():
            originals.setdefault(number, []).append(Original(*place))
    return Judgement(verdicts, rejected, group, in_sequence.tolist(), originals)


def _before_the_block(
    known: pl.DataFrame, offset: np.ndarray, index: np.ndarray, first_reach: np.ndarray, topic_epoch: int
) -> pl.DataFrame:
    """Of what is known of each group, what is in reach and stands before its first row (at `offset`, `index`), in
    order: a replay also finds itself, and what came after it."""
    row, own_offset = known["row"].to_numpy(), known["offset"].to_numpy()
    smaller = (own_offset < offset[row]) | ((own_offset == offset[row]) & (known["index"].to_numpy() < index[row]))
    earlier = known["epoch"].to_numpy() < topic_epoch
    in_reach = known["event_time"].to_numpy() >= first_reach[row]
    return known.filter((earlier | smaller) & in_reach).sort("row", "epoch", "partition", "offset", "index")


def conflict(offset: int, *, earlier_epoch: bool) -> tuple[Reason, str]:
    """The reason for an identity that comes again with another payload."""
    where = "an earlier topic epoch" if earlier_epoch else f"offset {offset} of this partition"
    return (
        Reason.CONFLICTING_DUPLICATE,
        (
            f"the same source and id were accepted at {where} with other content: send a correction under a new id, "
            "and a void for the old one"
        ),
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


def _extremes(group: np.ndarray, values: np.ndarray, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the greatest value of each group."""
    smallest = np.full(groups, np.iinfo(np.int64).max)
    greatest = np.full(groups, np.iinfo(np.int64).min)
    np.minimum.at(smallest, group, values)
    np.maximum.at(greatest, group, values)
    return smallest, greatest


def _rows_in_sequence(kinds: np.ndarray, rows: np.ndarray, group: np.ndarray, out_of_reach: np.ndarray) -> np.ndarray:
    """Rows of groups with a void or adjustment in them, or with an original that is out of reach for some rows."""
    sequential = out_of_reach.copy()
    sequential[group[rows[kinds[rows] != Kind.USAGE]]] = True
    return rows[sequential[group[rows]]] if sequential.any() else rows[:0]


def horizon_start(max_record_time: datetime | None, horizon: timedelta) -> datetime:
    """How far back the filter reaches, for events that come after the last checkpoint."""
    if max_record_time is None:
        return EPOCH
    return max(EPOCH, max_record_time - horizon - SPARE)

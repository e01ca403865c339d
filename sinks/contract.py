"""What the meter needs of a store: four idempotent writes in a stated order, and the reads that rebuild its state.

Every write takes rows that are a pure function of the log, so writing the same rows again changes nothing: a caller
whose write failed, or who does not know whether it failed, writes again or starts over from the log.
The order within a flush is the caller's (see agents/commit.py): ledger, dead letters, totals, checkpoints.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa

from billing.publication import BookDigest, Leads, standing
from sinks.reconciliation import Accounts, Residual

__all__ = ["BackfillGrant", "BookDigest", "BookRecords", "EpochParameters", "Sink"]


@dataclass(frozen=True, slots=True)
class EpochParameters:
    """What every row of an epoch depends on, pinned when the epoch starts: to change one, start a new epoch."""

    topic_epoch: int
    topic: str
    partitions: int
    window_seconds: int
    dedup_horizon_seconds: int
    future_skew_seconds: int


@dataclass(frozen=True, slots=True)
class BookRecords:
    """Every record of the books, their texts left out, whether it stands or not: `billing.publication.standing`."""

    records: list[BookDigest]
    leads: Leads  # of the topic epochs pinned so far
    now: datetime  # by the store's clock, before it was read

    def standing(self) -> list[BookDigest]:
        """What stands of it, in the order of publication."""
        return standing(self.records, self.leads)

    @property
    def newest_place(self) -> int:
        """The last place that has a record, standing or not; 0 without any."""
        return max((book.sequence for book in self.records), default=0)


@dataclass(frozen=True, slots=True)
class BackfillGrant:
    """Permission for events older than the dedup horizon, given by a person for a reason."""

    grant_id: str
    source: str  # the events' CloudEvents source it covers
    event_time_from: datetime  # [from, to)
    event_time_to: datetime
    valid_from: datetime  # judged against the record's timestamp, [from, to)
    valid_to: datetime
    granted_by: str
    reason: str


class Sink(Protocol):
    """A store of billable rows. Raises `SinkTransientError` (try again) or `SinkTerminalError` (stop), nothing else."""

    async def write_ledger(self, rows: pa.Table) -> None:
        """Store `tables.LEDGER` rows, sorted by (builder, tenant, window_start, place)."""

    async def write_dead_letters(self, rows: pa.Table) -> None:
        """Store `tables.DEAD_LETTERS` rows."""

    async def write_totals(self, rows: pa.Table) -> None:
        """Store `tables.TOTALS` rows: absolute sums; of equal keys the greatest `last_offset` is the truth."""

    async def write_checkpoints(self, rows: pa.Table) -> None:
        """Store `tables.CHECKPOINTS` rows; of one partition the greatest `next_offset` is the truth."""

    async def read_checkpoints(self, topic_epoch: int, partitions: Collection[int]) -> pl.DataFrame:
        """The newest checkpoint of each partition that has one: columns of `tables.CHECKPOINTS`."""

    async def read_identities(self, topic_epoch: int, partitions: Collection[int], since: datetime) -> np.ndarray:
        """(n, 2) uint64 identities of ledger rows of these partitions, and of every earlier epoch, with
        event_time >= since. Order and repetition do not matter: it fills a membership filter."""

    async def find_identities(
        self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
    ) -> pl.DataFrame:
        """Ledger rows of these partitions (or of an earlier epoch) with one of `identities` ((n, 2) uint64).

        Columns identity_high, identity_low, payload_hash (UInt64), event_time, topic_epoch, source_partition,
        source_offset, batch_index. The same row may stand there more than once (unmerged replays)."""

    async def find_rows(self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray) -> pl.DataFrame:
        """Whole ledger rows, once per place: those with one of `identities`, and those targeting one of them.

        Columns of `tables.LEDGER`, tags as String, `usage` as List(Struct{key, value})."""

    async def read_totals(self, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
        """The newest total of every key in the given windows (partition -> window starts), columns of
        `tables.TOTALS`, tags as String, `usage` as List(Struct{key, value})."""

    async def pin_epoch(self, parameters: EpochParameters) -> EpochParameters:
        """Record the epoch's parameters if it has none yet; answer what is recorded."""

    async def record_books(self, books: Sequence[BookDigest]) -> None:
        """Record versions of one kind, at places one after the other, under one publication_id: all of them, or none
        where somebody has recorded anything at the first of these places. Callers use `sinks.publishing`, which judges
        them first, and reads back whether they stand."""

    async def read_book_records(self) -> BookRecords:
        """Everything that was ever recorded, in any order, without the texts."""

    async def read_book_contents(self, digests: Collection[str]) -> dict[str, str]:
        """digest -> text, of those that are recorded."""

    async def read_books(self, kinds: Collection[str]) -> list[BookDigest]:
        """Every version of these kinds that stands, with its text, sorted by kind and version."""

    async def read_backfill_grants(self) -> list[BackfillGrant]:
        """Every grant ever made."""

    async def write_backfill_grant(self, grant: BackfillGrant) -> None:
        """Record a grant for ever; the first one of an id stands. Callers use `sinks.grants`, which judges it."""

    async def reconcile(
        self, topic_epoch: int, partitions: Collection[int], window_start_from: datetime | None = None
    ) -> Residual:
        """How far ledger and totals of these partitions are apart, over windows starting at or after the time given.

        Cheap enough for a worker to ask after a flush. Rows of a flush under way are no difference (see
        `sinks.reconciliation`)."""

    async def read_accounts(self) -> Accounts:
        """The figures of the whole store, for `sinks.reconciliation.findings`; reads every row of the ledger."""

    async def close(self) -> None:
        """Release connections."""

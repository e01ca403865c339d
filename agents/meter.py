"""The meter: decode, rate, admit, window, flush, for blocks of records of the partitions it owns.

It knows nothing of Faust, Kafka or ClickHouse: records come in, rows go to a `Sink`, offsets to a `Commit`. The
simulation runs this very code over an in-memory log and sink. See agents/README.md for the life of a block.

State is a cache of the store. It changes only after a flush has succeeded; after any failure it is forgotten, and
`assign` has to load it again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from agents.admission import Identities, Judgement, Verdict, horizon_start, judge
from agents.commit import Commit, DeadLetterPublisher, Flush, flush
from agents.deadline import Deadline
from agents.identities import Accepted
from agents.preparation import PreparedBlock, prepare
from agents.progress import Progress, ResumeError, advance, checkpoints_table
from agents.rejections import rejections_of
from agents.rows import (
    LedgerFrame,
    contributions,
    dead_letters_table,
    ledger_frame,
    ledger_table,
    stored_totals,
    totals_table,
)
from agents.targets import resolve_targets
from billing.rating import Rater
from billing.windows import WindowTotals, window_start
from sinks.contract import BackfillGrant, EpochParameters, Sink
from topics.block import Kind, RawRecord
from topics.decode import Decoder
from topics.reasons import Reason

type_of_compute = Callable[..., Awaitable[PreparedBlock]]


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What became of one block, for the metrics."""

    records: int
    accepted: int
    duplicates: int
    dead_lettered: dict[Reason, int]
    voids: int
    adjustments: int
    unpriced: int
    negative_earnings: int
    stage_seconds: dict[str, float]
    max_record_time: int  # microseconds since 1970
    next_offsets: dict[int, int]
    owned: bool  # False: another worker has the partitions by now; what was written is what that one writes too


class Meter:
    """Exactly-once metering of the owned partitions; one block at a time, the next one prepared meanwhile."""

    def __init__(
        self,
        *,
        decoder: Decoder,
        rater: Rater,
        sink: Sink,
        dead_letters: DeadLetterPublisher,
        epoch: EpochParameters,
        grants: Collection[BackfillGrant] = (),
        worker: str,
        flush_seconds_max: float = 60.0,
        compute: type_of_compute = asyncio.to_thread,
        deadline: Callable[[float], Deadline] = Deadline,
    ) -> None:
        self.decoder, self.rater, self.grants = decoder, rater, grants
        self._sink, self._dead_letters, self._epoch, self._worker = sink, dead_letters, epoch, worker
        self._flush_seconds_max, self._compute, self._deadline = flush_seconds_max, compute, deadline
        self._horizon = timedelta(seconds=epoch.dedup_horizon_seconds)
        self._identities = Identities(sink, epoch.topic_epoch)
        self._totals = WindowTotals()
        self._progress: dict[int, Progress] = {}

    @property
    def progress(self) -> Mapping[int, Progress]:
        """Of each owned partition, what is stored."""
        return self._progress

    async def assign(self, committed: Mapping[int, int | None]) -> None:
        """Own exactly these partitions (partition -> committed offset, None without one), with their stored state."""
        self.revoke(list(self._progress))
        stored = await self._sink.read_checkpoints(self._epoch.topic_epoch, list(committed))
        progress = dict.fromkeys(committed, Progress())
        for row in stored.to_dicts():
            progress[row["source_partition"]] = Progress.from_checkpoint(row)
        for partition, offset in committed.items():
            if offset is not None and offset > progress[partition].next_offset:
                raise ResumeError(partition=partition, committed=offset, checkpoint=progress[partition].next_offset)
            since = horizon_start(progress[partition].record_time(), self._horizon)
            await self._identities.load(partition, since)
        self._progress = progress

    def revoke(self, partitions: Collection[int]) -> None:
        """Forget partitions that are no longer owned."""
        self._identities.forget(partitions)
        self._totals.forget(partitions)
        for partition in partitions:
            self._progress.pop(partition, None)

    async def prepare(self, records: Sequence[RawRecord]) -> PreparedBlock:
        """Decode and rate, without touching state: may run while another block is being processed."""
        return await self._compute(prepare, records, self.decoder, self.rater, self._epoch, self.grants)

    async def process(
        self, prepared: PreparedBlock, commit: Commit, flushing: Callable[[], None] = lambda: None
    ) -> BlockReport:
        """Admit, window and flush a block, then commit its offsets. One call at a time.

        `flushing` is called when all is computed and only the store is waited for.
        Raises what the sink raises once the deadline is spent; then nothing is owned any more."""
        try:
            return await self._process(prepared, commit, flushing)
        except BaseException:
            self.revoke(list(self._progress))
            raise

    async def _process(self, prepared: PreparedBlock, commit: Commit, flushing: Callable[[], None]) -> BlockReport:
        clock = _StageClock(prepared.seconds)
        block = prepared.block
        starts = window_start(block.events["event_time"].to_numpy(), self._epoch.window_seconds)
        judgement = await judge(prepared, self._identities, self._epoch.topic_epoch)
        mirrored = await resolve_targets(prepared, judgement, starts, self._sink, self._epoch.topic_epoch)
        frame = ledger_frame(prepared, judgement, starts, mirrored)
        clock.stop("admit")

        self._totals.make_room()
        added = contributions(frame, self._totals)
        await self._load_totals(added)
        changed = self._totals.add(added)
        clock.stop("window")

        unpriced = (prepared.rated["pricing"] == "unpriced").to_numpy()
        progress = advance(self._progress, prepared, judgement, unpriced)
        rejections = rejections_of(prepared, judgement, self._progress)
        epoch = self._epoch.topic_epoch
        rows = Flush(
            ledger=ledger_table(frame, epoch),
            rejections=rejections,
            dead_letters=dead_letters_table(rejections, epoch),
            totals=totals_table(changed, self._totals, epoch),
            checkpoints=checkpoints_table(_moved(self._progress, progress), epoch, self._worker),
            next_offsets={partition: span.next_offset for partition, span in block.spans.items()},
        )
        clock.stop("encode")
        flushing()
        owned = await flush(
            rows, self._sink, self._dead_letters, commit, self._deadline(self._flush_seconds_max), clock.stop
        )
        if owned:
            self._remember(frame, progress)
        else:
            self.revoke(list(self._progress))
        return _report(prepared, judgement, frame, progress, clock.seconds, rows.next_offsets, owned)

    async def _load_totals(self, added: pl.DataFrame) -> None:
        touched = added.select("partition", "window_start").unique().iter_rows()
        missing = self._totals.missing(touched)
        if not missing:
            return
        asked = {
            partition: [datetime.fromtimestamp(start, UTC) for start in starts] for partition, starts in missing.items()
        }
        stored = await self._sink.read_totals(self._epoch.topic_epoch, asked)
        self._totals.load(missing, stored_totals(stored, self._totals))

    def _remember(self, frame: LedgerFrame, progress: Mapping[int, Progress]) -> None:
        self._progress.update(progress)
        rows = frame.rows
        partitions = rows["partition"].to_numpy()
        accepted = Accepted(
            np.column_stack([rows["identity_high"].to_numpy(), rows["identity_low"].to_numpy()]),
            rows["payload_hash"].to_numpy(),
            rows["offset"].to_numpy(),
            rows["index"].to_numpy().astype(np.int64),
            rows["event_time"].to_numpy(),
        )
        for partition in np.unique(partitions).tolist():
            self._identities.remember(partition, accepted.take(np.flatnonzero(partitions == partition)))


class _StageClock:
    def __init__(self, before: Mapping[str, float]) -> None:
        self.seconds = dict(before)
        self._last = time.perf_counter()

    def stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now


def _moved(before: Mapping[int, Progress], after: Mapping[int, Progress]) -> dict[int, Progress]:
    return {
        partition: state
        for partition, state in after.items()
        if state.next_offset > before[partition].next_offset or not before[partition].next_offset
    }


def _report(
    prepared: PreparedBlock,
    judgement: Judgement,
    frame: LedgerFrame,
    progress: Mapping[int, Progress],
    seconds: dict[str, float],
    next_offsets: dict[int, int],
    owned: bool,
) -> BlockReport:
    kinds = Counter(frame.rows["kind"].to_list()) if frame.rows.height else Counter[int]()
    reasons = Counter(rejection.reason for rejection in prepared.block.rejections)
    reasons.update(reason for reason, _ in judgement.rejected.values())
    usage = frame.rows.filter(pl.col("kind") == Kind.USAGE)
    return BlockReport(
        records=len(prepared.block.records),
        accepted=frame.rows.height,
        duplicates=int((judgement.verdicts == Verdict.DUPLICATE).sum()),
        dead_lettered=dict(reasons),
        voids=kinds[Kind.VOID],
        adjustments=kinds[Kind.ADJUSTMENT],
        unpriced=usage.filter(pl.col("pricing") == "unpriced").height,
        negative_earnings=usage.filter(pl.col("builder_earnings") < 0).height,
        stage_seconds=seconds,
        max_record_time=max((state.max_record_time for state in progress.values()), default=0),
        next_offsets=next_offsets,
        owned=owned,
    )

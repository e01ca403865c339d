"""How far each partition has come, and what became of its events up to there: the checkpoint, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from agents.admission import EPOCH, Judgement, Verdict
from agents.preparation import PreparedBlock
from sinks import tables
from topics.block import Kind


class ResumeError(Exception):
    """Kafka's committed offset stands beyond the checkpoint: starting there would skip events. Stop."""

    def __init__(self, *, partition: int, committed: int, checkpoint: int) -> None:
        self.partition, self.committed, self.checkpoint = partition, committed, checkpoint
        super().__init__(
            f"partition {partition}: Kafka's committed offset {committed} is beyond the checkpoint {checkpoint}, "
            f"{committed - checkpoint} records would be skipped unbilled; reset the group to {checkpoint} or earlier"
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """Cumulative counts of one partition for all offsets below next_offset, as `tables.CHECKPOINTS` keeps them."""

    next_offset: int = 0
    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    voids: int = 0
    adjustments: int = 0
    unpriced: int = 0
    max_record_time: int = 0  # microseconds; 0 before the first record

    @staticmethod
    def from_checkpoint(row: Mapping[str, Any]) -> Progress:
        counts = {name: int(row[name]) for name in COUNTS}
        moment: datetime = row["max_record_time"]
        return Progress(
            int(row["next_offset"]), **counts, max_record_time=(moment - EPOCH) // timedelta(microseconds=1)
        )

    def record_time(self) -> datetime | None:
        """The greatest record timestamp passed, if any."""
        return EPOCH + timedelta(microseconds=self.max_record_time) if self.max_record_time else None


COUNTS = ("events", "accepted", "duplicates", "dead_lettered", "voids", "adjustments", "unpriced")


class LostEventError(Exception):
    """A block's events do not add up. A defect, not a condition: nothing of the block is stored, the worker stops."""


def advance(
    before: Mapping[int, Progress], prepared: PreparedBlock, judgement: Judgement, unpriced_rows: np.ndarray
) -> dict[int, Progress]:
    """The progress after a block, for each partition in it. What was counted before a crash is not counted again."""
    block = prepared.block
    partitions = block.events["partition"].to_numpy()
    offsets = block.events["offset"].to_numpy()
    kinds = block.events["kind"].to_numpy()
    record_times = block.events["record_time"].to_numpy()
    accepted = judgement.verdicts == Verdict.ACCEPTED
    if np.any(judgement.verdicts == Verdict.UNDECIDED):
        raise LostEventError("an event has no verdict")
    expected = sum(span.events for span in block.spans.values())
    if block.events.height + len(block.rejections) != expected:
        raise LostEventError(f"{expected} events were read, {block.events.height + len(block.rejections)} decoded")
    after: dict[int, Progress] = {}
    for partition, span in block.spans.items():
        start = before[partition]
        new = (partitions == partition) & (offsets >= start.next_offset)
        unreadable = sum(
            rejection.partition == partition and rejection.offset >= start.next_offset for rejection in block.rejections
        )
        times = record_times[partitions == partition]
        refused_times = [each.record_time for each in block.rejections if each.partition == partition]
        after[partition] = replace(
            start,
            next_offset=max(start.next_offset, span.next_offset),
            events=start.events + int(new.sum()) + unreadable,
            accepted=start.accepted + int((new & accepted).sum()),
            duplicates=start.duplicates + int((new & (judgement.verdicts == Verdict.DUPLICATE)).sum()),
            dead_lettered=start.dead_lettered
            + int((new & (judgement.verdicts == Verdict.REJECTED)).sum())
            + unreadable,
            voids=start.voids + int((new & accepted & (kinds == Kind.VOID)).sum()),
            adjustments=start.adjustments + int((new & accepted & (kinds == Kind.ADJUSTMENT)).sum()),
            unpriced=start.unpriced + int((new & accepted & unpriced_rows & (kinds == Kind.USAGE)).sum()),
            max_record_time=max(start.max_record_time, int(times.max(initial=0)), *refused_times),
        )
    return after


def checkpoints_table(progress: Mapping[int, Progress], topic_epoch: int, worker: str) -> pa.Table:
    """`tables.CHECKPOINTS` rows."""
    rows = [
        {
            "topic_epoch": topic_epoch,
            "source_partition": partition,
            "next_offset": state.next_offset,
            **{name: getattr(state, name) for name in COUNTS},
            "max_record_time": state.record_time() or datetime(1970, 1, 1, tzinfo=UTC),
            "worker": worker,
        }
        for partition, state in sorted(progress.items())
    ]
    return pa.Table.from_pylist(rows, schema=tables.CHECKPOINTS)

"""The dead letters of a block: what the decoder refused and what admission refused, in log order."""

from __future__ import annotations

from collections.abc import Mapping

from agents.admission import Judgement
from agents.preparation import PreparedBlock
from agents.progress import Progress
from topics.block import Rejection
from topics.dead_letter import original_bytes


def rejections_of(prepared: PreparedBlock, judgement: Judgement, progress: Mapping[int, Progress]) -> list[Rejection]:
    """Every refused event that no checkpoint covers yet: what one covers was acknowledged before."""
    block = prepared.block
    rejections = list(block.rejections)
    if judgement.rejected:
        places = block.events.select("partition", "offset", "index", "record_time")
        records = {(record.partition, record.offset): record for record in block.records}
        for row, (reason, detail) in judgement.rejected.items():
            partition, offset, index, record_time = places.row(row)
            record = records[partition, offset]
            rejections.append(
                Rejection(
                    partition=partition,
                    offset=offset,
                    index=index,
                    record_time=record_time,
                    reason=reason,
                    detail=detail,
                    key=record.key,
                    value=original_bytes(record, index),
                    headers=tuple(record.headers),
                )
            )
    fresh = [rejection for rejection in rejections if rejection.offset >= progress[rejection.partition].next_offset]
    return sorted(fresh, key=lambda rejection: (rejection.partition, rejection.offset, rejection.index))

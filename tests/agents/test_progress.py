"""What a checkpoint counts, and what it refuses to count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from agents.admission import Identities, Judgement, Verdict, judge
from agents.preparation import PreparedBlock
from agents.progress import LostEventError, Progress, ResumeError, advance, checkpoints_table
from sinks.memory import MemorySink
from tests.support.desk import EPOCH, NOW, adjustment, prepared, usage, void
from topics.block import Span

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)


async def judged(block: PreparedBlock) -> Judgement:
    """With its corrections accepted: who targets what is of no interest here."""
    identities = Identities(MemorySink(), 1)
    await identities.load(0, EPOCH)
    judgement = await judge(block, identities, 1)
    judgement.verdicts[judgement.in_sequence] = Verdict.ACCEPTED
    return judgement


def unpriced(block: PreparedBlock) -> np.ndarray:
    return (block.rated["pricing"] == "unpriced").to_numpy()


async def moved(block: PreparedBlock, start: Progress = Progress()) -> Progress:  # noqa: B008 - frozen
    return advance({0: start}, block, await judged(block), unpriced(block))[0]


def mixed(first: int = 0) -> PreparedBlock:
    """Ten events at seven offsets."""
    return prepared(
        usage("e1"),
        usage("e1"),
        [usage("e2"), usage("e2", feature="x"), usage("e3", model="unheard-of"), usage("e4", time=NOW + 9 * MINUTE)],
        void("e9", "v1"),
        adjustment("e9", "a1"),
        b"not json",
        usage("e1"),
        first=first,
    )


async def test_every_event_is_counted_once_under_what_became_of_it() -> None:
    assert await moved(mixed(first=40), Progress(next_offset=40, events=100, accepted=90, unpriced=2)) == Progress(
        next_offset=47,
        events=110,
        accepted=95,
        duplicates=2,
        dead_lettered=3,  # the contradiction, the one from the future, the one that is no JSON
        voids=1,
        adjustments=1,
        unpriced=3,
        max_record_time=(NOW - EPOCH) // MICROSECOND,
    )


@pytest.mark.parametrize("covered", range(8))
async def test_what_a_checkpoint_covers_is_not_counted_again(covered: int) -> None:
    """Of a block that is read again, only the offsets beyond the checkpoint count; none of them is left out."""
    assert await moved(mixed(), await _up_to(covered)) == await moved(mixed())


async def _up_to(offset: int) -> Progress:
    """The counts of the block's first offsets, taken from its own verdicts."""
    block = mixed()
    judgement = await judged(block)
    keep = (block.block.events["offset"] < offset).to_numpy()
    rejections = [rejection for rejection in block.block.rejections if rejection.offset < offset]
    events = int(keep.sum()) + len(rejections)
    part = replace(
        block,
        block=replace(
            block.block,
            events=block.block.events.filter(keep),
            rejections=rejections,
            spans={0: Span(0, offset, events)},
        ),
    )
    verdicts = replace(judgement, verdicts=judgement.verdicts[keep])
    return advance({0: Progress()}, part, verdicts, unpriced(block)[keep])[0]


async def test_only_usage_can_wait_for_a_price() -> None:
    block = mixed()
    nothing_priced = np.ones(block.block.events.height, dtype=bool)
    after = advance({0: Progress()}, block, await judged(block), nothing_priced)[0]
    assert (after.accepted, after.voids + after.adjustments, after.unpriced) == (5, 2, 3)


async def test_a_checkpoint_never_moves_back() -> None:
    ahead = Progress(next_offset=99, events=99, accepted=99)
    assert await moved(mixed(), ahead) == replace(ahead, max_record_time=(NOW - EPOCH) // MICROSECOND)


async def test_record_times_only_grow_and_refused_records_have_one_too() -> None:
    start = Progress(max_record_time=(NOW + MINUTE - EPOCH) // MICROSECOND)
    assert (await moved(mixed(), start)).record_time() == NOW + MINUTE
    assert (await moved(prepared(b"not json", at=NOW + 2 * MINUTE), start)).record_time() == NOW + 2 * MINUTE
    assert Progress().record_time() is None


async def test_an_event_without_a_verdict_stops_the_worker() -> None:
    block = mixed()
    judgement = await judged(block)
    judgement.verdicts[3] = Verdict.UNDECIDED
    with pytest.raises(LostEventError, match="no verdict"):
        advance({0: Progress()}, block, judgement, unpriced(block))


@pytest.mark.parametrize("read", [9, 11])
async def test_events_that_do_not_add_up_stop_the_worker(read: int) -> None:
    block = mixed()
    spans = {0: replace(block.block.spans[0], events=read)}
    broken = replace(block, block=replace(block.block, spans=spans))
    with pytest.raises(LostEventError, match=f"{read} events were read, 10 decoded"):
        advance({0: Progress()}, broken, await judged(block), unpriced(block))


async def test_a_checkpoint_comes_back_as_it_was_written() -> None:
    progress = await moved(mixed())
    sink = MemorySink()
    await sink.write_checkpoints(checkpoints_table({3: progress, 1: Progress(next_offset=8)}, 7, "worker-a"))
    stored = (await sink.read_checkpoints(7, [1, 3])).to_dicts()
    assert [row["source_partition"] for row in stored] == [1, 3]
    assert Progress.from_checkpoint(stored[1]) == progress
    assert Progress.from_checkpoint(stored[0]) == Progress(next_offset=8)
    assert (stored[1]["worker"], stored[1]["topic_epoch"]) == ("worker-a", 7)


def test_a_resume_that_would_skip_records_says_how_many_and_where_to_go_back_to() -> None:
    error = ResumeError(partition=2, committed=50, checkpoint=44)
    assert (error.partition, error.committed, error.checkpoint) == (2, 50, 44)
    assert "6 records would be skipped" in str(error)
    assert "reset the group to 44 or earlier" in str(error)

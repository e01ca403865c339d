"""Which of several events with one identity is billed; `together` puts them into one block, or each into its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from agents.admission import SPARE, Identities, Verdict, horizon_start, judge
from sinks.memory import MemorySink
from tests.support.desk import (
    EPOCH,
    GRANT,
    HORIZON,
    NOW,
    OLD,
    Desk,
    epoch_of,
    meter_of,
    prepared,
    process,
    record_of,
    usage,
)
from tests.support.raw import Record
from topics.events import AnyEvent, UsageEvent
from topics.partitioner import partition_for

together = pytest.mark.parametrize("together", [True, False], ids=["one block", "a block each"])
HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


async def outcomes(desk: Desk, events: list[AnyEvent], together: bool) -> list[str]:
    if together:
        return await desk.take(*events)
    return [outcome for event in events for outcome in await desk.take(event)]


@together
async def test_the_first_is_billed_copies_are_counted_and_contradictions_are_kept_for_people(together: bool) -> None:
    desk = Desk()
    events: list[AnyEvent] = [usage(), usage(), usage(feature="chat"), usage()]
    assert await outcomes(desk, events, together) == ["accepted", "duplicate", "conflicting_duplicate", "duplicate"]
    assert len(desk.rows()) == 1
    assert "accepted at offset 0 of this partition" in desk.letters.published[0].detail


@together
async def test_a_contradiction_is_held_against_the_accepted_one_even_if_it_comes_twice(together: bool) -> None:
    events: list[AnyEvent] = [usage(), usage(feature="chat"), usage(feature="chat")]
    assert await outcomes(Desk(), events, together) == ["accepted", "conflicting_duplicate", "conflicting_duplicate"]


@together
@pytest.mark.parametrize(
    "other",
    [usage("e2"), usage(source="gateway-2"), usage("1-e1", source="gateway")],
    ids=["another id", "another source", "a pair that reads the same when joined"],
)
async def test_an_identity_is_the_pair_of_source_and_id(together: bool, other: UsageEvent) -> None:
    assert await outcomes(Desk(), [usage(), other], together) == ["accepted", "accepted"]


@together
async def test_an_event_of_another_tenant_under_a_known_identity_is_a_contradiction(together: bool) -> None:
    events: list[AnyEvent] = [usage(), usage(tenant="south")]
    assert await outcomes(Desk(), events, together) == ["accepted", "conflicting_duplicate"]


async def test_duplicates_inside_a_batch_are_told_from_their_original_by_the_index() -> None:
    desk = Desk()
    batch = [usage("e1"), usage("e1"), usage("e2"), usage("e1", feature="chat")]
    assert await desk.take(batch) == ["accepted", "duplicate", "accepted", "conflicting_duplicate"]
    assert await desk.take(usage("e2"), batch[:3]) == ["duplicate"] * 4
    assert [row["batch_index"] for row in desk.rows()] == [0, 2]


@together
async def test_an_event_that_was_refused_claims_no_identity(together: bool) -> None:
    early, late = usage(time=NOW + HOUR), usage(time=NOW - HORIZON - HOUR)
    assert await outcomes(Desk(), [early, late, usage()], together) == ["future_time", "too_late", "accepted"]


@pytest.mark.parametrize(
    ("age", "outcome"),
    [(HORIZON, "conflicting_duplicate"), (HORIZON + MICROSECOND, "accepted")],
    ids=["within", "beyond"],
)
@pytest.mark.parametrize("restarted", [True, False])
async def test_an_identity_is_free_again_once_its_event_is_older_than_the_horizon_of_the_record_that_asks(
    age: timedelta, outcome: str, restarted: bool
) -> None:
    """By the times of the two events: whether a worker still has the older one in memory makes no difference."""
    desk, later = Desk(), NOW + HOUR
    assert await desk.take(usage(time=later - age)) == ["accepted"]
    if restarted:
        await desk.restart()
    assert await desk.take(usage(time=later), at=later) == [outcome]


async def test_in_one_block_too_an_original_out_of_reach_does_not_count() -> None:
    """The copies within reach are held against the newer one, each by its own record's time."""
    desk = Desk()
    old, new = usage(time=NOW - HORIZON), usage(time=NOW)
    desk.log += [record_of(0, old), record_of(1, new, NOW + HOUR), record_of(2, new, NOW + HOUR)]
    await process(await desk.restart(), desk.log)
    assert [desk.outcome(offset) for offset in range(3)] == ["accepted", "accepted", "duplicate"]


async def test_a_backfilled_event_is_compared_with_everything_that_was_ever_accepted() -> None:
    desk = Desk(grants=[GRANT])
    assert await desk.take(usage(time=OLD)) == ["accepted"]
    assert await desk.take(usage(time=OLD)) == ["duplicate"]
    await desk.restart()
    later = NOW + timedelta(hours=20)
    assert await desk.take(usage(time=OLD), usage(time=OLD, feature="x"), at=later) == [
        "duplicate",
        "conflicting_duplicate",
    ]


async def test_judged_again_with_its_own_rows_in_the_ledger_every_event_gets_the_verdict_it_got_before() -> None:
    desk = Desk()
    events = usage("e1"), usage("e1"), usage("e2"), usage("e1", feature="chat")
    await desk.take(*events)
    for first, last in ((0, 4), (0, 1), (1, 4), (2, 4)):
        identities = Identities(desk.sink, 1)
        await identities.load(0, EPOCH)
        judgement = await judge(prepared(*events[first:last], first=first), identities, 1)
        expected = [Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.ACCEPTED, Verdict.REJECTED]
        assert judgement.verdicts.tolist() == expected[first:last]


def records_of(tenants: Mapping[int, str], *places: tuple[int, int, str]) -> list[Record]:
    """Usage at places (partition, offset, id), each of a tenant whose partition it is."""
    return [
        replace(record_of(offset, usage(event_id, tenant=tenants[partition])), partition=partition)
        for partition, offset, event_id in places
    ]


def tenants_of(partitions: int) -> dict[int, str]:
    return {partition_for(usage(tenant=f"t{n}").key, partitions): f"t{n}" for n in range(40)}


async def test_what_an_earlier_epoch_accepted_counts_wherever_it_stood() -> None:
    sink, tenants = MemorySink(), tenants_of(2)
    before = meter_of(sink, epoch_of(2))
    await before.assign({0: None, 1: None})
    await process(before, records_of(tenants, (0, 0, "e0"), (1, 0, "e1")))
    after = Desk(sink=sink)
    after.meter = meter_of(sink, epoch_of(topic_epoch=2), letters=after.letters)
    await after.meter.assign({0: None})
    own = {"tenant": tenants[1]}
    await after.take(usage("e1", **own), usage("e1", feature="chat", **own), usage("e2", **own))
    assert [(row["topic_epoch"], row["id"]) for row in sink.ledger.sort("id").to_dicts()] == [
        (1, "e0"),
        (1, "e1"),
        (2, "e2"),
    ]
    [letter] = after.letters.published
    assert letter.offset == 1
    assert "accepted at an earlier topic epoch" in letter.detail


async def test_the_same_identity_on_another_partition_is_another_event_every_time_it_is_read() -> None:
    """Not promised otherwise: a subject has one partition, and two subjects' gateways have sources of their own."""
    sink = MemorySink()
    records = records_of(tenants_of(2), (0, 0, "e1"), (1, 0, "e0"), (1, 1, "e1"))
    for _ in range(2):
        meter = meter_of(sink, epoch_of(2))
        await meter.assign({0: None, 1: None})
        assert (await process(meter, records)).accepted == 3
    assert sorted(sink.ledger["source_partition"]) == [0, 1, 1]


async def test_identities_that_share_one_half_are_two() -> None:
    block = prepared(usage("e1"), usage("e2"), usage("e3"))
    words = np.array([[1, 7], [2, 7], [1, 8]], dtype=np.uint64)
    identities = Identities(MemorySink(), 1)
    await identities.load(0, EPOCH)
    judgement = await judge(replace(block, block=replace(block.block, identities=words)), identities, 1)
    assert judgement.verdicts.tolist() == [Verdict.ACCEPTED] * 3


class _Asked(MemorySink):
    """Counts the identities that the ledger is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    async def find_identities(
        self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
    ) -> pl.DataFrame:
        self.asked.append(len(identities))
        return await super().find_identities(topic_epoch, partitions, identities)


async def test_the_ledger_is_asked_once_a_block_and_only_for_what_memory_cannot_tell() -> None:
    sink = _Asked()
    desk = Desk(sink=sink)
    await desk.take(*(usage(f"e{number}") for number in range(50)))
    await desk.take(*(usage(f"e{number}") for number in range(50)))
    assert sink.asked == [], "new ones are known to be new, recent ones are in memory"
    await desk.restart()
    await desk.take(*(usage(f"e{number}") for number in range(40, 60)))
    assert sink.asked == [10]


@pytest.mark.parametrize(
    ("max_record_time", "expected"),
    [
        (None, EPOCH),
        (NOW, NOW - HORIZON - SPARE),
        (EPOCH + HOUR, EPOCH),
    ],
    ids=["nothing read yet", "the horizon and an hour to spare", "never before 1970"],
)
def test_the_filter_reaches_back_as_far_as_any_coming_record_can_ask(max_record_time: Any, expected: Any) -> None:
    assert horizon_start(max_record_time, HORIZON) == expected

"""Plans on record: gone on with, refused in the way of each other, and never two for one event."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from billing.rerating import Selection
from sinks.errors import StoreUnreachableError
from sinks.memory import MemorySink
from sinks.rerates import PUBLISHED, RESUMED, Rerate, Rerates
from tests.simulation.books import rater
from tests.support.desk import HORIZON, NOW, Desk, usage
from tests.support.rerating import MemoryLedger, clock, installation, request
from tollstream.rerating import run as running
from tollstream.rerating.plans import expired, named, obstacles, record_plan, record_state, unfinished
from tollstream.rerating.publishing import adjustments
from tollstream.rerating.request import RerateRefusedError, books_of_plan, digests, plan_of, request_of
from tollstream.rerating.run import apply, preview
from tollstream.rerating.summary import Summary

WHO: dict[str, Any] = {"by": "ada", "reason": "a new price"}
CUT = {(1, 0): 10}


def plan(rerate_id: str = "r-1", **changes: Any) -> Rerate:
    fields = {
        name: changes.pop(name) for name in list(changes) if name in ("builder", "tenant", "unpriced", "start", "end")
    }
    books = rater()
    made = plan_of(
        request(**fields), rerate_id=rerate_id, **WHO, topic_epoch=1, books=digests(books.books, books.rules), cut=CUT
    )
    return replace(made, **changes)


async def ledger_with(*entries: Rerate) -> MemoryLedger:
    ledger = MemoryLedger(MemorySink(), now=clock(NOW))
    for entry in entries:
        await record_state(ledger, entry)
    return ledger


async def known_with(*entries: Rerate) -> Rerates:
    return await (await ledger_with(*entries)).read_rerates()


def test_a_plan_says_again_what_was_asked_for() -> None:
    asked = request(builder="acme", unpriced=True, selection=Selection("p3", "r1", timeline=True))
    assert request_of(plan_of(asked, rerate_id="r", **WHO, topic_epoch=1, books={}, cut={})) == asked


async def test_an_unfinished_plan_of_the_same_parameters_is_gone_on_with_and_a_finished_one_is_not() -> None:
    known = await known_with(plan("r-1", state=PUBLISHED, builder="x"), plan("r-2"), plan("r-2", state=RESUMED))
    found = unfinished(known, plan("new").parameters, HORIZON)
    assert found is not None
    assert (found.rerate_id, found.state) == ("r-2", "planned")
    assert unfinished(known, plan("new", unpriced=True).parameters, HORIZON) is None
    known = await known_with(plan("r-2"), plan("r-2", state=PUBLISHED))
    assert unfinished(known, plan("new").parameters, HORIZON) is None


async def test_a_named_plan_has_to_be_there_unfinished_and_young_enough() -> None:
    known = await known_with(plan("r-1"), plan("r-2"), plan("r-2", state=PUBLISHED))
    assert named(known, "r-1", HORIZON).rerate_id == "r-1"
    with pytest.raises(RerateRefusedError, match="r-2 is finished"):
        named(known, "r-2", HORIZON)
    with pytest.raises(RerateRefusedError, match="No re-rating 'r-3' is on record"):
        named(known, "r-3", HORIZON)
    late = replace(known, now=NOW + HORIZON - timedelta(minutes=59))
    with pytest.raises(RerateRefusedError, match="workers would refuse them as too late"):
        named(late, "r-1", HORIZON)
    assert not expired(known.entries[0], NOW + HORIZON - timedelta(minutes=61), HORIZON)


async def test_an_overlapping_plan_that_is_unfinished_is_in_the_way() -> None:
    known = await known_with(plan("r-1", builder="acme"))
    [sentence] = obstacles(plan("new"), known, CUT, HORIZON, {})
    assert "`tollstream rerate --resume r-1 --apply --by NAME --reason TEXT`" in sentence
    assert obstacles(plan("new", builder="beta"), known, CUT, HORIZON, {}) == []


async def test_a_finished_one_is_in_the_way_until_workers_have_stored_its_end() -> None:
    known = await known_with(plan("r-1"), plan("r-1", state=PUBLISHED, ends={0: 12, 1: 3}))
    [sentence] = obstacles(plan("new"), known, {(1, 0): 10, (1, 1): 7}, HORIZON, {})
    assert "workers are 2 records short of its end" in sentence
    [sentence] = obstacles(plan("new"), known, {(1, 0): 12}, HORIZON, {})
    assert "workers are 3 records short of its end" in sentence
    assert obstacles(plan("new"), known, {(1, 0): 12, (1, 1): 3}, HORIZON, {}) == []


async def test_one_that_can_never_be_finished_is_in_the_way_until_workers_have_stored_all_that_it_may_have_sent() -> (
    None
):
    known = replace(await known_with(plan("r-1")), now=NOW + HORIZON)
    [sentence] = obstacles(plan("new"), known, {(1, 0): 10}, HORIZON, {0: 11})
    assert "is not stored yet" in sentence
    assert obstacles(plan("new"), known, {(1, 0): 11}, HORIZON, {0: 11}) == []


async def test_of_many_overlapping_plans_at_once_one_is_recorded_and_equal_ones_join_it() -> None:
    ledger = MemoryLedger(MemorySink(), now=clock(NOW))
    asked = [plan(f"same-{number}") for number in range(4)] + [
        plan(f"other-{number}", builder="acme") for number in range(4)
    ]
    answers = await asyncio.gather(
        *(record_plan(ledger, each, CUT, HORIZON, {}) for each in asked), return_exceptions=True
    )
    recorded = {answer.rerate_id for answer in answers if isinstance(answer, Rerate)}
    assert len(recorded) == 1
    assert [isinstance(answer, RerateRefusedError) for answer in answers] == [False] * 4 + [True] * 4
    assert len((await ledger.read_rerates()).entries) == 1


async def test_plans_that_share_no_event_are_all_recorded() -> None:
    ledger = MemoryLedger(MemorySink(), now=clock(NOW))
    asked = [plan(f"r-{number}", builder=f"b{number}") for number in range(5)]
    await asyncio.gather(*(record_plan(ledger, each, CUT, HORIZON, {}) for each in asked))
    assert [entry.sequence for entry in (await ledger.read_rerates()).entries] == [1, 2, 3, 4, 5]


class Flaky(MemoryLedger):
    """Stores, and does not say so."""

    failures = 2

    async def record_rerate(self, entry: Rerate) -> None:
        await super().record_rerate(entry)
        if self.failures:
            self.failures -= 1
            raise StoreUnreachableError(url="http://store", doing="recording a re-rating", cause="timeout")


async def test_an_entry_whose_answer_is_lost_is_recorded_once() -> None:
    ledger = Flaky(MemorySink(), now=clock(NOW))
    recorded = await record_plan(ledger, plan("r-1"), CUT, HORIZON, {})
    assert (recorded.rerate_id, len((await ledger.read_rerates()).entries)) == ("r-1", 1)


def test_versions_published_since_the_plan_are_not_chosen_from_and_a_changed_one_is_refused() -> None:
    books = rater()
    old = plan("r-1", books={name: digest for name, digest in plan().books.items() if name != "prices p3"})
    prices, rules = books_of_plan(old, books.books, books.rules)
    assert [book.version for book in prices.versions] == ["p1", "p2"]
    assert [book.version for book in rules.versions] == ["r1", "r2", "r3"]
    with pytest.raises(RerateRefusedError, match="planned with version 'prices p1'"):
        books_of_plan(replace(old, books={**old.books, "prices p1": "another"}), books.books, books.rules)


async def test_a_preview_changes_nothing_and_says_what_is_in_the_way() -> None:
    desk = Desk()
    await desk.take(usage(model="fresh"))
    ledger = MemoryLedger(desk.sink, now=clock(NOW))
    await record_state(ledger, plan("r-1"))
    result = await preview(installation(ledger), request())
    assert (result.summary.changes, result.plan, len(result.notes)) == (1, None, 1)
    assert len((await ledger.read_rerates()).entries) == 1


async def test_nothing_is_recorded_where_nothing_changes() -> None:
    desk = Desk()
    await desk.take(usage())
    ledger = MemoryLedger(desk.sink, now=clock(NOW))
    result = await apply(installation(ledger), request(), **WHO)
    assert (result.plan, (await ledger.read_rerates()).entries) == (None, ())


async def test_what_is_in_the_way_is_said_before_anything_is_computed() -> None:
    ledger = await ledger_with(plan("r-1", builder="acme"))
    with pytest.raises(RerateRefusedError, match="--resume r-1"):
        await apply(installation(ledger), request(), **WHO)


async def test_a_plan_of_another_topic_epoch_is_not_finished_in_this_one() -> None:
    ledger = await ledger_with(plan("r-1", topic_epoch=2))
    with pytest.raises(RerateRefusedError, match="TOLLSTREAM_TOPIC_EPOCH=2"):
        await apply(installation(ledger), None, rerate_id="r-1", **WHO)


async def test_the_same_plan_makes_the_same_events_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before it was closed: what is stored of it meanwhile changes nothing."""
    desk = Desk()
    await desk.take(usage("a", model="fresh"), usage("b", model="fresh"))
    ledger = MemoryLedger(desk.sink, now=clock(NOW))
    sent: list[list[Any]] = []

    async def publish(plan: Rerate, portions: Any, *_: Any) -> Any:
        summary = Summary()
        sent.append([])
        async for portion in portions:
            summary.add(portion)
            sent[-1] += adjustments(plan, portion)
        if len(sent) == 1:
            raise KeyboardInterrupt
        return summary

    async def ends(_: Any) -> dict[int, int]:
        return {0: 4}

    monkeypatch.setattr(running, "publish", publish)
    monkeypatch.setattr(running, "_log_ends", ends)
    with pytest.raises(KeyboardInterrupt):
        await apply(installation(ledger), request(), **WHO)
    assert await desk.take(sent[0][0]) == ["accepted"]  # half of it reached the log, and the ledger
    result = await apply(installation(ledger), request(), by="bob", reason="again")
    assert result.resumed
    assert sent[0] == sent[1]
    assert await desk.take(*sent[1]) == ["duplicate", "accepted"]
    assert [(entry.state, entry.by) for entry in (await ledger.read_rerates()).entries] == [
        ("planned", "ada"), ("resumed", "bob"), ("published", "bob"),
    ]  # fmt: skip
    assert (await apply(installation(ledger), request(), **WHO)).plan is None


async def test_sums_that_are_not_those_of_the_plan_leave_it_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    await desk.take(usage("a", model="fresh"))
    ledger = MemoryLedger(desk.sink, now=clock(NOW))

    async def publish(*_: Any) -> Any:
        return Summary()

    monkeypatch.setattr(running, "publish", publish)
    with pytest.raises(RerateRefusedError, match="was planned with 1 adjustments and came to 0"):
        await apply(installation(ledger), request(), **WHO)
    assert [entry.state for entry in (await ledger.read_rerates()).entries] == ["planned"]

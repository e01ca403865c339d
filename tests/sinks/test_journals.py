"""Journals on the real engine: a place has one owner, whoever writes, however often, in whatever order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from billing.credits import Grant
from billing.periods import MONTHS, Cycle, parse_period
from sinks.agreements import GRANTS, PLANS, RATES, GrantRecord, PlanRecord, RateRecord, grant_record, grant_row
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import CLOSED, CLOSING_JOURNAL, Closing, Inputs, Words, closing_of, closing_row, covering
from sinks.journals import EPOCH, append

DAY = datetime(2026, 1, 1, tzinfo=UTC)
GRANT = Grant(
    "g-1", "globex", "top_up", "tasks", "USD", Decimal(5), Decimal("1.5"), DAY, DAY.replace(year=2027), 7, "platform",
    True, "Five tasks", "", ("r1", "r2"),
)  # fmt: skip
CLOSING = Closing(
    "acme", "c-1", parse_period(MONTHS, "2026-01"), MONTHS, 2, CLOSED, "ada", "why",
    overrides={"lag": {"found": "behind", "by": "ada", "reason": "known"}},
    cut={(1, 0): 7, (2, 40): 2**40},
    inputs=Inputs(1, 2, 3, "USD", {"2026-01": {"r1": Words("Line", "task", "Because.", "tasks")}}),
    tenants=3, frozen_rows=9, frozen_checksum=2**64 - 1, first_number=4, statements=2,
    sums={"EUR": {"net": Decimal("0.000000000001")}}, sequence=1, record_id="x",
)  # fmt: skip


@pytest.fixture
async def store(database: ClickHouseConfiguration) -> AsyncIterator[ClickHouseStatementStore]:
    store = await ClickHouseStatementStore.connect(database)
    yield store
    await store.close()


def plan(version: str, builder: str = "acme") -> PlanRecord:
    return PlanRecord(builder, version, DAY, "ab" * 32, "text", "ada", "why")


def test_an_entry_is_read_as_it_was_recorded() -> None:
    row = {**closing_row(CLOSING), "recorded_at": DAY}
    assert closing_of(row) == replace(CLOSING, recorded_at=DAY)
    weekly = Cycle("anniversary", "Europe/Madrid", date(2026, 1, 31))
    other = replace(CLOSING, cycle=weekly, period=parse_period(weekly, "2026-02-28"))
    assert closing_of({**closing_row(other), "recorded_at": EPOCH}) == other
    record = GrantRecord("acme", GRANT, "ada", "why", sequence=4, record_id="x")
    assert grant_record({**grant_row(record), "recorded_at": EPOCH}) == record


async def test_entries_come_back_from_the_engine_as_they_were(store: ClickHouseStatementStore) -> None:
    await store.record(CLOSING_JOURNAL, [CLOSING])
    [closing] = await store.read_journal(CLOSING_JOURNAL, {"builder": "acme"})
    assert replace(closing, recorded_at=EPOCH) == CLOSING
    record = GrantRecord("acme", GRANT, "ada", "why", sequence=1, record_id="x")
    await store.record(GRANTS, [record])
    [grant] = await store.read_journal(GRANTS, {"builder": "acme"})
    assert replace(grant, recorded_at=EPOCH) == record
    assert await store.read_journal(GRANTS, {"builder": "other"}) == []


async def test_of_two_entries_for_one_place_the_first_has_it_whole(store: ClickHouseStatementStore) -> None:
    first = [RateRecord(date(2026, 1, day), "USD", "EUR", Decimal(1), "ECB", "ada", "", 1, "one") for day in (1, 2)]
    second = [RateRecord(date(2026, 1, day), "USD", "GBP", Decimal(2), "ECB", "bob", "", 1, "two") for day in (1, 2, 3)]
    await store.record(RATES, first)
    await store.record(RATES, second)
    await store.record(RATES, first)
    assert [each.quote for each in await store.read_journal(RATES, {})] == ["EUR", "EUR"]


async def test_where_the_engine_forgot_a_token_time_decides(store: ClickHouseStatementStore) -> None:
    entries = [
        replace(plan("later"), sequence=1, record_id="b", recorded_at=DAY.replace(hour=2)),
        replace(plan("first"), sequence=1, record_id="a", recorded_at=DAY.replace(hour=1)),
        replace(plan("second"), sequence=2, record_id="c", recorded_at=DAY),
    ]
    assert [each.version for each in PLANS.standing(entries)] == ["first", "second"]


async def test_many_at_once_get_a_place_each_and_nobody_is_lost(store: ClickHouseStatementStore) -> None:
    async def one(number: int) -> list[PlanRecord]:
        return await append(store, PLANS, {"builder": "acme"}, lambda _: [plan(f"v{number}")])

    recorded = await asyncio.gather(*(one(number) for number in range(8)))
    stand = await store.read_journal(PLANS, {"builder": "acme"})
    assert [each.sequence for each in stand] == list(range(1, 9))
    assert sorted(each.version for each in stand) == [f"v{number}" for number in range(8)]
    assert all(len(mine) == 1 for mine in recorded)
    assert await store.newest_place(PLANS, {"builder": "acme"}) == 8
    assert await store.newest_place(PLANS, {"builder": "other"}) == 0


async def test_whoever_judges_sees_what_stands_before_each_attempt(store: ClickHouseStatementStore) -> None:
    seen: list[list[str]] = []

    def judge(standing: list[PlanRecord]) -> list[PlanRecord]:
        seen.append([each.version for each in standing])
        return [] if len(seen) > 1 else [plan("mine")]

    await append(store, PLANS, {"builder": "acme"}, lambda _: [plan("theirs")])
    assert [each.version for each in await append(store, PLANS, {"builder": "acme"}, judge)] == ["mine"]
    assert await append(store, PLANS, {"builder": "acme"}, judge) == []
    assert seen == [["theirs"], ["theirs", "mine"]]


def test_ranges_leave_nobody_out() -> None:
    assert covering([]) == [("", "\U0010ffff")]
    assert covering(["m", "m"]) == [("", "\U0010ffff")]
    ranges = covering(["b", "b", "m", "z"])
    assert ranges == [("", "b"), ("b\x00", "m"), ("m\x00", "\U0010ffff")]
    for name in ("", "a", "b", "ba", "m", "m\x00", "zz", "é"):
        assert sum(first <= name <= last for first, last in ranges) == 1

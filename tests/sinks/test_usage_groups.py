"""Usage for a trial of rules, from the real engine: what is added up, what is kept apart, and what is left out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.surcharges.lints import UsageGroup
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.readers import usage_groups
from tests.support import rows
from tests.support.lints import book, findings, rule
from tests.support.rows import WINDOW, ledger_row, void_row
from tollstream.last_month import read_last_month

JANUARY, FEBRUARY = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
REQUESTS = {"requests"}


@pytest.fixture
async def store(database: ClickHouseConfiguration) -> AsyncIterator[ClickHouseSink]:
    sink = await ClickHouseSink.connect(database)
    yield sink
    await sink.close()


async def _groups(store: ClickHouseSink, *written: dict[str, Any]) -> tuple[UsageGroup, ...]:
    await store.write_ledger(rows.ledger(written))
    return await store.read_usage_groups(JANUARY, FEBRUARY, REQUESTS)


async def test_equal_tags_are_one_group_with_sums_and_extremes(store: ClickHouseSink) -> None:
    [group] = await _groups(
        store,
        ledger_row(1, base_cost=Decimal("0.000000000001"), usage={"requests": Decimal(2), "input_tokens": Decimal(7)}),
        ledger_row(2, base_cost=Decimal("0.5"), usage={"requests": Decimal("0.25"), "output_tokens": Decimal(1)}),
    )
    assert (group.events, group.rated_events, group.currency) == (2, 2, "USD")
    assert (group.base_cost, group.base_least, group.base_most) == (
        Decimal("0.500000000001"), Decimal("0.000000000001"), Decimal("0.5"),
    )  # fmt: skip
    assert group.usage == {"requests": Decimal("2.25"), "input_tokens": Decimal(7), "output_tokens": Decimal(1)}
    assert (group.usage_least["requests"], group.usage_most["requests"]) == (Decimal("0.25"), Decimal(2))
    assert group.tags == {
        "tenant": "north", "workspace": "", "builder": "acme", "feature": "chat", "workflow": "", "action": "",
        "provider": "openai", "model": "gpt-a", "mode": "standard", "route": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    "tag", ["tenant", "workspace", "builder", "feature", "workflow", "action", "provider", "model", "mode", "route"]
)
async def test_what_a_rule_can_tell_apart_is_kept_apart(store: ClickHouseSink, tag: str) -> None:
    groups = await _groups(store, ledger_row(1), ledger_row(2, **{tag: "other"}))
    assert sorted(group.tags[tag] == "other" for group in groups) == [False, True]


async def test_what_no_rule_can_tell_apart_is_added_up(store: ClickHouseSink) -> None:
    others = {"region": "eu", "deployment": "d", "business_unit": "b", "status": "aborted", "rule_id": "another"}
    [group] = await _groups(store, *(ledger_row(n, **{name: value}) for n, (name, value) in enumerate(others.items())))
    assert group.events == len(others)


async def test_events_with_and_without_a_meter_of_the_rules_are_kept_apart(store: ClickHouseSink) -> None:
    with_it, without = ledger_row(1), ledger_row(2, usage={"input_tokens": Decimal(1)})
    groups = await _groups(store, with_it, without, ledger_row(3, usage={"output_tokens": Decimal(1)}))
    assert sorted((sorted(group.meters), group.events) for group in groups) == [([], 2), (["requests"], 1)]


async def test_a_void_takes_its_target_off_and_sets_no_extreme(store: ClickHouseSink) -> None:
    taken_back = ledger_row(1, base_cost=Decimal("0.3"))
    [group] = await _groups(store, taken_back, ledger_row(2, base_cost=Decimal("0.2")), void_row(3, taken_back))
    assert (group.events, group.base_cost, group.base_least) == (1, Decimal("0.2"), Decimal("0.2"))
    assert group.usage["requests"] == 1
    assert group.usage_least["requests"] == 1


async def test_unpriced_usage_counts_as_emitted_and_has_no_base(store: ClickHouseSink) -> None:
    unpriced = {"pricing": "unpriced", "unpriced_reason": "no_rule", "rule_id": "", **rows.NULL_AMOUNTS}
    groups = await _groups(store, ledger_row(1), ledger_row(2, **unpriced))
    assert sorted((group.events, group.rated_events) for group in groups) == [(1, 0), (1, 1)]
    [waiting] = [group for group in groups if not group.rated_events]
    assert (waiting.base_cost, waiting.unpriced_usage["requests"]) == (Decimal(0), Decimal(1))
    assert not waiting.usage


async def test_other_months_and_rows_written_again_do_not_count(store: ClickHouseSink) -> None:
    once = ledger_row(1)
    await store.write_ledger(rows.ledger([once]))
    groups = await _groups(
        store, once, ledger_row(2, window_start=FEBRUARY), ledger_row(3, window_start=JANUARY - timedelta(hours=1)),
        ledger_row(4, window_start=FEBRUARY - timedelta(hours=1)), ledger_row(5, window_start=JANUARY),
    )  # fmt: skip
    assert sum(group.events for group in groups) == 3


async def test_a_month_that_is_read_in_stretches_adds_up_to_the_same(
    store: ClickHouseSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for number in range(60):
        tags = {"tenant": f"t{number % 3}", "model": f"m{number % 2}"}
        usage = {"input_tokens": Decimal(number + 1)} | ({"requests": Decimal(number % 7)} if number % 5 else {})
        start = JANUARY + timedelta(days=number % 30, hours=number % 24)
        written.append(ledger_row(number, window_start=start, base_cost=Decimal(number) / 1000, usage=usage, **tags))
    whole = await _groups(store, *written, void_row(99, written[-1]))
    for rows_per_query in (1, 7, 30):
        monkeypatch.setattr(usage_groups, "ROWS_PER_QUERY", rows_per_query)
        assert await store.read_usage_groups(JANUARY, FEBRUARY, REQUESTS) == whole
    assert sum(group.events for group in whole) == 59
    assert len(whole) == 12


@pytest.mark.parametrize("now", [FEBRUARY, datetime(2026, 2, 28, 23, 59, tzinfo=UTC)])
async def test_last_month_is_the_calendar_month_before_and_feeds_the_lints(
    store: ClickHouseSink, now: datetime
) -> None:
    written = [
        ledger_row(n, base_cost=Decimal("0.02"), builder="quill", model="nw-large", provider="northwind")
        for n in (1, 2)
    ]
    await store.write_ledger(rows.ledger(written))
    losing = book(rule("a", "unit_price"))
    month = await read_last_month(store, losing, now)
    assert (month.name, month.start, month.end) == ("2026-01", JANUARY, FEBRUARY)
    assert WINDOW.month == 1
    found = findings(losing, last_month=month)
    assert list(found) == ["loses-money"]
    assert "2 events of 2026-01 cost USD 0.04 and would be charged USD 0.02" in found["loses-money"].sentence
    assert (await read_last_month(store, losing, datetime(2026, 1, 1, tzinfo=UTC))).name == "2025-12"

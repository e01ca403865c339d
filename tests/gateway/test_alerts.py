"""What a gateway knows of its tenants, by the alerts that it has read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from gateway.alerts import AlertFollower, AlertsUnavailableError, SyncAlertFollower
from topics.administration import create_topics
from topics.alerts import AlertEvent, encode_alert
from topics.catalogue import TopicSpec

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
NOW = datetime(2026, 10, 17, 12, tzinfo=UTC)


def alert(threshold: int, **changes: Any) -> AlertEvent:
    fields = {
        "id": uuid4().hex, "source": "tollstream/alerts", "time": NOW, "builder": "acme", "tenant": "globex",
        "period": "2026-10", "period_start": OCTOBER, "period_end": NOVEMBER, "kind": "cap", "item": "cap",
        "label": "Spend cap", "unit": "USD", "used": Decimal(threshold), "limit": Decimal(100), "threshold": threshold,
        "change": "reached", "occurrence": 1, "past_cap": "stop" if changes.get("kind", "cap") == "cap" else None,
    }  # fmt: skip
    return AlertEvent.model_validate(fields | changes)


def follower(*alerts: AlertEvent, now: datetime = NOW) -> AlertFollower:
    found = AlertFollower("127.0.0.1:1", clock=lambda: now)
    for each in alerts:
        found.take(each)
    return found


def test_of_a_tenant_without_alerts_nothing_is_known() -> None:
    state = follower().state("acme", "globex")
    assert (state.alerts, state.stop, state.warnings) == ((), None, ())


def test_the_latest_alert_of_each_item_counts() -> None:
    known = follower(alert(50), alert(80), alert(50, kind="allowance", item="pro/tasks"), alert(100))
    state = known.state("acme", "globex")
    assert [(each.item, each.threshold) for each in state.warnings] == [("cap", 100), ("pro/tasks", 50)]
    assert state.stop is not None
    assert known.state("acme", "initech").alerts == ()
    assert known.state("other", "globex").alerts == ()


@pytest.mark.parametrize("past_cap", ["builder", "continue", None])
def test_a_cap_that_only_warns_stops_nobody(past_cap: str | None) -> None:
    state = follower(alert(100, past_cap=past_cap)).state("acme", "globex")
    assert state.stop is None
    assert [each.threshold for each in state.warnings] == [100]


def test_who_falls_back_below_the_cap_may_go_on() -> None:
    state = follower(alert(100), alert(80, change="fallen")).state("acme", "globex")
    assert state.stop is None
    assert [each.threshold for each in state.warnings] == [80]
    assert follower(alert(100), alert(0, change="fallen", limit=None)).state("acme", "globex").alerts == ()


def test_caps_and_allowances_end_with_their_period_and_credits_do_not() -> None:
    told = (alert(100), alert(80, kind="allowance", item="pro/tasks"), alert(100, kind="credit", item="gift"))
    assert len(follower(*told, now=NOVEMBER - timedelta(microseconds=1)).state("acme", "globex").alerts) == 3
    after = follower(*told, now=NOVEMBER).state("acme", "globex")
    assert [each.item for each in after.alerts] == ["gift"]
    assert after.stop is None


def test_what_is_over_takes_no_memory_once_something_new_is_told() -> None:
    known = follower(alert(100), now=NOVEMBER)
    known.take(
        alert(50, kind="allowance", item="pro/tasks", period="2026-11", period_end=datetime(2026, 12, 1, tzinfo=UTC))
    )
    assert [item for _, item in known._latest["acme/globex"]] == ["pro/tasks"]


@pytest.fixture
async def topic(bootstrap_servers: str) -> str:
    name = f"alerts-{uuid4().hex[:8]}"
    await create_topics(bootstrap_servers, [TopicSpec(name, 1, retention_ms=-1)])
    return name


async def publish(bootstrap_servers: str, topic: str, *alerts: AlertEvent, commit: bool = True) -> None:
    """As a watcher does, or as one that gives up."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=f"w-{topic}") as producer:
        await producer.begin_transaction()
        for each in alerts:
            message = encode_alert(each)
            await producer.send_and_wait(topic, message.value, key=message.key, headers=list(message.headers))
        await (producer.commit_transaction() if commit else producer.abort_transaction())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.05)


async def test_a_gateway_knows_what_was_published_before_it_and_follows(bootstrap_servers: str, topic: str) -> None:
    await publish(bootstrap_servers, topic, alert(50), alert(80))
    await publish(bootstrap_servers, topic, alert(100), commit=False)
    async with AlertFollower(bootstrap_servers, topic=topic, clock=lambda: NOW) as alerts:
        assert [each.threshold for each in alerts.state("acme", "globex").alerts] == [80], "what was aborted never was"
        await publish(bootstrap_servers, topic, alert(100))
        await until(lambda: alerts.state("acme", "globex").stop is not None)
        assert alerts.age_seconds < 30


async def test_a_record_that_is_no_alert_stops_nothing(bootstrap_servers: str, topic: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        await producer.send_and_wait(topic, b"hello")
    await publish(bootstrap_servers, topic, alert(100))
    async with AlertFollower(bootstrap_servers, topic=topic, clock=lambda: NOW) as alerts:
        assert alerts.state("acme", "globex").stop is not None


def test_code_without_an_event_loop_has_the_same(bootstrap_servers: str) -> None:
    name = f"alerts-{uuid4().hex[:8]}"
    asyncio.run(create_topics(bootstrap_servers, [TopicSpec(name, 1, retention_ms=-1)]))
    asyncio.run(publish(bootstrap_servers, name, alert(100, period_end=datetime(2999, 1, 1, tzinfo=UTC))))
    with SyncAlertFollower(bootstrap_servers, topic=name) as alerts:
        assert alerts.state("acme", "globex").stop is not None
        assert alerts.age_seconds < 30


async def test_a_topic_that_is_not_there_is_a_sentence(bootstrap_servers: str) -> None:
    with pytest.raises(AlertsUnavailableError, match="topics create"):
        async with AlertFollower(bootstrap_servers, topic=f"none-{uuid4().hex[:8]}"):
            raise AssertionError("entered")


def test_a_broker_that_is_away_is_a_sentence() -> None:
    with (
        pytest.raises(AlertsUnavailableError, match="correct the address"),
        SyncAlertFollower("127.0.0.1:1", start_seconds_max=3),
    ):
        raise AssertionError("entered")

"""The topic of alerts against a real broker: one writer, whose record is the topic."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from billing.periods import MONTHS, period_of
from billing.statements import Standing
from tests.chaos.log import read_records
from tollstream.alerts.levels import TenantNow, alerts_of
from tollstream.alerts.log import AlertLog, AlertLogError, FencedError, UnconfirmedError
from tollstream.alerts.record import AlertRecord
from topics.administration import create_topics
from topics.alerts import AlertEvent, decode_alert
from topics.catalogue import TopicSpec

NOW = datetime(2026, 10, 17, 12, tzinfo=UTC)


@pytest.fixture
async def topic(bootstrap_servers: str) -> str:
    name = f"alerts-{uuid4().hex[:8]}"
    await create_topics(bootstrap_servers, [TopicSpec(name, 1, retention_ms=-1)])
    return name


def log(bootstrap_servers: str, topic: str, **settings: Any) -> AlertLog:
    return AlertLog(bootstrap_servers, AlertRecord(), transactional_id=topic, topic=topic, **settings)


def cap(tenant: str, used: int) -> TenantNow:
    standing = Standing("cap", "cap", "Spend cap", "USD", Decimal(used), Decimal(100))
    return TenantNow("acme", tenant, period_of(MONTHS, NOW), (standing,), "stop")


def missing(into: AlertLog, *now: TenantNow) -> list[AlertEvent]:
    """What the record of this log lacks."""
    return [event for each in now for event in alerts_of(each, into.record.of(each.builder, each.tenant), NOW)]


async def told(bootstrap_servers: str, topic: str) -> list[tuple[str, int]]:
    """(tenant, threshold) as a consumer sees them."""
    events = [decode_alert(record.value) for record in await read_records(bootstrap_servers, topic)]
    assert len({event.id for event in events}) == len(events)
    return [(event.tenant, event.threshold) for event in events]


async def test_what_is_published_is_in_the_record_and_whoever_opens_next_reads_it(
    bootstrap_servers: str, topic: str
) -> None:
    async with log(bootstrap_servers, topic) as first:
        assert await first.open() == 0
        await first.publish(missing(first, cap("globex", 85), cap("initech", 10)))
        assert missing(first, cap("globex", 85)) == []
        await first.publish(missing(first, cap("globex", 100)))
    async with log(bootstrap_servers, topic) as second:
        assert await second.open() == 3
        assert missing(second, cap("globex", 100)) == []
        assert second.record.next_offset == first.record.next_offset
        assert await second.open() == 0, "opened again it reads only what is new"
    assert await told(bootstrap_servers, topic) == [("globex", 50), ("globex", 80), ("globex", 100)]


async def test_who_opens_last_publishes_and_the_other_learns_it_and_repeats_nothing(
    bootstrap_servers: str, topic: str
) -> None:
    async with log(bootstrap_servers, topic) as slow, log(bootstrap_servers, topic) as fast:
        await slow.open()
        late = missing(slow, cap("globex", 85))
        await fast.open()
        await fast.publish(missing(fast, cap("globex", 85)))
        with pytest.raises(FencedError, match="has taken over"):
            await slow.publish(late)
        with pytest.raises(UnconfirmedError, match="after `open`"):
            await slow.publish(late)
        await slow.open()
        assert missing(slow, cap("globex", 85)) == []
        await slow.publish(missing(slow, cap("globex", 100)))
    assert await told(bootstrap_servers, topic) == [("globex", 50), ("globex", 80), ("globex", 100)]


async def test_what_a_writer_left_open_is_never_seen_and_does_not_hold_up_the_next_one(
    bootstrap_servers: str, topic: str
) -> None:
    first, second = log(bootstrap_servers, topic), log(bootstrap_servers, topic)
    await first.open()
    producer = first._producer
    assert producer is not None
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"half an alert", partition=0)
    await second.open()
    assert second.record.next_offset == 0, "what was not committed is no record"
    await second.publish(missing(second, cap("globex", 60)))
    await first.close()
    await second.close()
    assert await told(bootstrap_servers, topic) == [("globex", 50)]


async def test_behind_a_strangers_open_transaction_nothing_is_guessed(bootstrap_servers: str, topic: str) -> None:
    first = log(bootstrap_servers, topic)
    await first.open()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=f"stranger-{topic}") as stranger:
        await stranger.begin_transaction()
        await stranger.send_and_wait(topic, b"mine", partition=0)
        await first.publish(missing(first, cap("globex", 60)))  # stands behind it: committed, and not to be seen yet
        second = log(bootstrap_servers, topic, answer_seconds_max=3)
        with pytest.raises(UnconfirmedError, match="stranger's transaction"):
            await second.open()
        await stranger.commit_transaction()
    assert await second.open() == 2
    assert missing(second, cap("globex", 60)) == []
    await first.close()
    await second.close()


async def test_more_alerts_than_a_transaction_takes_are_all_published_once(bootstrap_servers: str, topic: str) -> None:
    crowd = [cap(f"t{number}", 100) for number in range(400)]
    async with log(bootstrap_servers, topic) as first:
        await first.open()
        await first.publish(missing(first, *crowd))
    async with log(bootstrap_servers, topic) as second:
        assert await second.open() == 1200
        assert missing(second, *crowd) == []
        assert len(second.record) == 400


async def test_a_broker_that_does_not_answer_is_an_error_with_a_sentence() -> None:
    silent = log("127.0.0.1:1", "usage.alerts", answer_seconds_max=3)
    with pytest.raises(UnconfirmedError, match=r"Kafka at 127\.0\.0\.1:1 did not"):
        await silent.open()


async def test_a_topic_that_is_missing_or_has_several_partitions_is_refused(bootstrap_servers: str) -> None:
    name = f"alerts-{uuid4().hex[:8]}"
    with pytest.raises(AlertLogError, match="topics create"):
        await log(bootstrap_servers, name).open()
    await create_topics(bootstrap_servers, [replace(TopicSpec(name, 1, retention_ms=-1), partitions=2)])
    with pytest.raises(AlertLogError, match="has 2 partitions"):
        await log(bootstrap_servers, name).open()


async def test_a_topic_that_was_made_anew_is_noticed(bootstrap_servers: str, topic: str) -> None:
    async with log(bootstrap_servers, topic) as first:
        first.record.pass_over(1000)
        with pytest.raises(AlertLogError, match="made anew"):
            await first.open()


async def test_watchers_that_race_publish_each_alert_once(bootstrap_servers: str, topic: str) -> None:
    """Four of them, each opening and publishing whatever its record lacks, fenced by one another all the time."""
    usage = {f"t{number}": 0 for number in range(30)}
    fenced = 0

    async def watch(done: asyncio.Event) -> None:
        nonlocal fenced
        mine = log(bootstrap_servers, topic)
        while not done.is_set():
            try:
                await mine.open()
                for _ in range(3):
                    lacking = missing(mine, *(cap(tenant, used) for tenant, used in usage.items()))
                    if lacking:
                        await mine.publish(lacking)
                    await asyncio.sleep(0.02)
            except FencedError:
                fenced += 1
        await mine.close()

    done = asyncio.Event()
    watchers = [asyncio.create_task(watch(done)) for _ in range(4)]
    for step in range(1, 21):
        await asyncio.sleep(0.15)
        for number, tenant in enumerate(usage):
            usage[tenant] = max(usage[tenant], min(100, step * (3 + number % 5)))
    await asyncio.sleep(2)
    done.set()
    await asyncio.gather(*watchers)
    async with log(bootstrap_servers, topic) as last:
        await last.open()
        await last.publish(missing(last, *(cap(tenant, used) for tenant, used in usage.items())))
    expected = {(tenant, each) for tenant, used in usage.items() for each in (50, 80, 100) if used >= each}
    seen = await told(bootstrap_servers, topic)
    assert sorted(seen) == sorted(expected)
    assert fenced > 5, "nobody raced"

"""The transport and the pump on a real broker: every record once and in order, and nobody commits but us."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict

import pytest
from aiokafka import AIOKafkaProducer

from agents.pump import Limits, PositionError
from tests.support.membership import (
    Member,
    Place,
    Store,
    committed_offsets,
    create_topic,
    publish,
    until,
)


def group() -> str:
    return f"group-{uuid.uuid4().hex[:8]}"


def in_order(places: list[Place]) -> bool:
    by_partition: dict[int, list[int]] = defaultdict(list)
    for partition, offset in places:
        by_partition[partition].append(offset)
    return all(offsets == sorted(offsets) for offsets in by_partition.values())


async def test_every_record_arrives_once_and_in_order_and_is_committed(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 3)
    published = await publish(bootstrap_servers, topic, 9_000, 3)
    member = Member(bootstrap_servers, topic, group(), Store())
    await member.start()
    await until(lambda: len(member.store.places) >= len(published))
    await member.stop()
    assert sorted(member.store.places) == sorted(published)
    assert in_order(member.store.places)
    assert await committed_offsets(bootstrap_servers, member.group) == {0: 3000, 1: 3000, 2: 3000}


async def test_faust_commits_nothing_on_its_own_neither_running_nor_stopping(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 2)
    await publish(bootstrap_servers, topic, 1_000, 2)
    member = Member(bootstrap_servers, topic, group(), Store())
    await member.start()
    member.meter.commit_blocks = False
    await until(lambda: len(member.store.places) >= 1_000)
    await asyncio.sleep(3)  # longer than Faust's stock commit interval of 2.8 s
    assert await committed_offsets(bootstrap_servers, member.group) == {}
    await member.stop()
    assert await committed_offsets(bootstrap_servers, member.group) == {}


async def test_after_a_rebalance_fetching_starts_at_the_committed_offset_and_nothing_is_lost(
    bootstrap_servers: str,
) -> None:
    topic = await create_topic(bootstrap_servers, 4)
    store, name = Store(), group()
    first, second = (Member(bootstrap_servers, topic, name, store) for _ in range(2))
    published = await publish(bootstrap_servers, topic, 20_000, 4)
    await first.start()
    first.meter.seconds_per_block = 0.3  # so that the rebalance falls into the middle of a block
    await until(lambda: len(store.places) >= 3_000)
    await second.start()
    await until(lambda: bool(second.meter.assigned) and len(first.meter.assigned) >= 2)
    assert len(store.places) < len(published)
    first.meter.seconds_per_block = 0
    published += await publish(bootstrap_servers, topic, 2_000, 4)
    await until(lambda: len(set(store.places)) >= len(published))
    await first.stop()
    published += await publish(bootstrap_servers, topic, 2_000, 4)
    await until(lambda: len(set(store.places)) >= len(published))
    await second.stop()
    assert sorted(set(store.places)) == sorted(published)
    assert len(store.places) == len(published)  # every block in flight was committed before the partitions moved
    for member in (first, second):
        committed = {item for assignment in member.meter.assigned for item in assignment.items()}
        for partition, offset in member.meter.first_after_assignment:
            assert (partition, offset) in committed or (offset == 0 and (partition, None) in committed)
    assert set(second.meter.assigned[-1]) == {0, 1, 2, 3}


async def test_a_commit_for_a_partition_that_is_not_ours_is_refused_and_not_silently_dropped(
    bootstrap_servers: str,
) -> None:
    topic = await create_topic(bootstrap_servers, 2)
    member = Member(bootstrap_servers, topic, group(), Store())
    await member.start()
    await until(lambda: bool(member.meter.assigned))
    consumer = member.membership.consumer
    assert await consumer.commit_owned(topic, {0: 5, 1: 5}, 10)
    assert not await consumer.commit_owned(topic, {0: 6, 7: 6}, 10)
    assert await committed_offsets(bootstrap_servers, member.group) == {0: 5, 1: 5}
    await member.stop()


async def test_records_of_an_aborted_transaction_are_not_read_and_leave_no_gap(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 1)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, transactional_id=uuid.uuid4().hex)
    await producer.start()
    kept: list[Place] = []
    try:
        for number in range(6):
            await producer.begin_transaction()
            for _ in range(10):
                record = await producer.send_and_wait(topic, b"v", key=b"k", partition=0)
                if number % 2:
                    kept.append((record.partition, record.offset))
            await (producer.commit_transaction() if number % 2 else producer.abort_transaction())
    finally:
        await producer.stop()
    kept += await publish(bootstrap_servers, topic, 10, 1)
    member = Member(bootstrap_servers, topic, group(), Store())
    await member.start()
    await until(lambda: len(member.store.places) >= len(kept))
    await member.stop()
    assert member.store.places == kept


async def test_a_log_that_was_cut_off_before_it_was_billed_stops_the_worker(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 1)
    await publish(bootstrap_servers, topic, 100, 1)
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
    from aiokafka.structs import TopicPartition

    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=40)})
    await admin.close()
    member = Member(bootstrap_servers, topic, group(), Store())
    await member.start()
    with pytest.raises(PositionError, match="records 0 to 39 were not delivered"):
        await asyncio.wait_for(member.pump.failure, 60)
    assert member.store.places == []
    await member.app.stop()


async def test_a_slow_meter_holds_the_fetcher_back_instead_of_filling_memory(bootstrap_servers: str) -> None:
    topic = await create_topic(bootstrap_servers, 1)
    await publish(bootstrap_servers, topic, 60_000, 1)
    member = Member(bootstrap_servers, topic, group(), Store(), Limits(block_records=2_000, block_seconds=0.05))
    await member.start()
    member.meter.seconds_per_block = 1.0
    await until(lambda: bool(member.store.places))
    await asyncio.sleep(0.5)
    taken = member.pump._expected[0].offset
    assert taken <= 4 * 2_000  # in flight, prepared, waiting, and the one that tipped it over
    member.meter.seconds_per_block = 0
    await until(lambda: len(member.store.places) >= 60_000)
    await member.stop()

"""The group's offsets are set elsewhere: back is safe, ahead is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.chaos.scenario import SIZE, Scenario, scenario

pytestmark = pytest.mark.timeout(400 * SIZE)


async def commit(run: Scenario, offsets: dict[int, int]) -> None:
    """As an operator does it: while no worker runs."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=run.installation.bootstrap_servers, group_id=run.installation.name, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = {TopicPartition(run.installation.topic, number): offset for number, offset in offsets.items()}
        consumer.assign(list(places))
        await consumer.commit(places)
    finally:
        await consumer.stop()


async def replay(run: Scenario, offsets: dict[int, int]) -> None:
    """Commit these, and let a worker read on from there to the end."""
    ends = await run.stored()
    await commit(run, offsets)
    worker = run.crew.hire()
    await asyncio.to_thread(worker.facts)
    async with asyncio.timeout(90):
        while sum(value for name, value in worker.metrics().items() if name[0] == "tollstream_records_total") < sum(
            end - offsets[partition] for partition, end in ends.items()
        ):
            await asyncio.sleep(0.1)
    await run.stop()


async def test_a_log_that_is_read_again_from_anywhere_changes_no_value_and_a_commit_ahead_is_refused(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario("replay", bootstrap_servers, clickhouse_url, tmp_path, events=8_000) as run:
        run.crew.hire()
        await run.publish(seconds=1)
        await run.catch_up()
        await run.stop()
        await run.judge()
        before = await run.fingerprint()
        assert all(rows[0]["rows"] > 0 for rows in before.values())
        ends = await run.stored()
        for offsets in (dict.fromkeys(ends, 0), {each: run.draw.randrange(end) for each, end in ends.items()}):
            await replay(run, offsets)
            assert await run.fingerprint() == before, run.told(f"a replay from {offsets} changed something")
            await run.judge()

        ahead = min(ends)
        await run.publish(seconds=0.5, share=(0.0, 0.2))
        await commit(run, ends | {ahead: ends[ahead] + 1})
        worker = run.crew.hire()
        assert await asyncio.to_thread(worker.wait_ended, 60) == 1
        sentence = (
            f"partition {ahead}: Kafka's committed offset {ends[ahead] + 1} is beyond the checkpoint {ends[ahead]}"
        )
        assert sentence in worker.log_text
        assert await run.fingerprint() == before, run.told("a worker that refused to start stored something")

"""The store is killed, hangs, and fails after it has applied what it was asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.stack import EmbeddedStack
from tests.chaos.proxy import Fate, LyingFront
from tests.chaos.scenario import SIZE, scenario

pytestmark = pytest.mark.timeout(400 * SIZE)
PATIENT = {"clickhouse_timeout_seconds": 60}


async def test_a_store_that_is_killed_and_started_again_holds_every_event_once(
    stack: EmbeddedStack, bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario("store-killed", bootstrap_servers, clickhouse_url, tmp_path, events=8_000) as run:
        run.crew.hire(), run.crew.hire()
        await run.publish(seconds=1, share=(0.0, 0.2))
        await run.progress()
        publishing = asyncio.create_task(run.publish(seconds=5, share=(0.2, 1.0)))
        for _ in range(1 + SIZE):
            await run.pause(0.0, 2.0)
            try:
                await asyncio.to_thread(stack.clickhouse.kill)
                await run.pause(0.0, 1.0)
            finally:
                await asyncio.to_thread(stack.clickhouse.start)
        await publishing
        await run.catch_up()
        await run.stop()
        await run.judge()


async def test_a_store_that_hangs_longer_than_its_clients_wait_holds_every_event_once(
    stack: EmbeddedStack, bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario(
        "store-hangs", bootstrap_servers, clickhouse_url, tmp_path, events=8_000, clickhouse_timeout_seconds=2
    ) as run:
        run.crew.hire(), run.crew.hire()
        await run.publish(seconds=1, share=(0.0, 0.2))
        await run.progress()
        publishing = asyncio.create_task(run.publish(seconds=6, share=(0.2, 1.0)))
        for _ in range(1 + SIZE):
            await run.pause(0.0, 2.0)
            try:
                stack.clickhouse.pause()
                await run.pause(3.0, 5.0)  # requests under way are given up, and carried out all the same afterwards
            finally:
                stack.clickhouse.resume()
        await publishing
        await run.relieve(**PATIENT)
        await run.catch_up()
        await run.stop()
        await run.judge()


async def test_a_store_that_applies_and_then_fails_holds_every_event_once(
    bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario(
        "store-lies", bootstrap_servers, clickhouse_url, tmp_path, events=12_000, clickhouse_timeout_seconds=3
    ) as run:
        async with LyingFront(clickhouse_url, str(run.draw.random())) as front:
            run.installation.write_settings(clickhouse_url=front.url)
            run.crew.hire(), run.crew.hire()
            await run.publish(seconds=8)
            await run.catch_up()
            await run.relieve(clickhouse_url=clickhouse_url, **PATIENT)
            await front.settle()
            await run.stop()
            print(dict(front.fates))
            applied = sum(front.fates[fate] for fate in Fate if fate.name.startswith("APPLIED"))
            assert applied >= 5, f"too few inserts failed to show anything: {front.fates}"
        await run.judge()


async def test_a_store_away_for_longer_than_a_flush_may_take_ends_the_workers_and_the_next_ones_finish(
    stack: EmbeddedStack, bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario(
        "store-away",
        bootstrap_servers,
        clickhouse_url,
        tmp_path,
        events=8_000,
        flush_seconds_max=2,
        clickhouse_timeout_seconds=1,
    ) as run:
        run.crew.hire()
        await run.publish(seconds=1, share=(0.0, 0.2))
        await run.progress()
        publishing = asyncio.create_task(run.publish(seconds=8, share=(0.2, 1.0)))
        try:
            stack.clickhouse.pause()
            codes = [await asyncio.to_thread(worker.wait_ended) for worker in run.crew.members]
        finally:
            stack.clickhouse.resume()
        assert codes == [1], run.told(f"exit codes {codes}")
        run.installation.write_settings(flush_seconds_max=60, **PATIENT)
        await publishing
        await run.catch_up()
        assert run.crew.ended == [1]
        await run.stop()
        await run.judge()

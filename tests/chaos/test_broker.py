"""The broker dies and comes back while gateways publish and workers read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.embedded.stack import EmbeddedStack
from tests.chaos.scenario import SIZE, scenario

pytestmark = pytest.mark.timeout(400 * SIZE)


async def test_a_broker_that_is_killed_and_started_again_loses_and_doubles_nothing(
    stack: EmbeddedStack, bootstrap_servers: str, clickhouse_url: str, tmp_path: Path
) -> None:
    async with scenario("broker", bootstrap_servers, clickhouse_url, tmp_path, events=10_000) as run:
        run.crew.hire(), run.crew.hire()
        await run.publish(seconds=2, share=(0.0, 0.3))
        await run.progress()
        publishing = asyncio.create_task(run.publish(seconds=8, share=(0.3, 1.0)))
        await run.pause(0.5, 2.0)
        try:
            await asyncio.to_thread(stack.kafka.kill)
            await run.pause(0.0, 2.0)
        finally:
            await asyncio.to_thread(stack.kafka.start)
        await publishing
        assert run.gateway.repeated > 0, "the broker was away at a moment when nobody published"
        await run.catch_up()
        await run.stop()
        await run.judge()

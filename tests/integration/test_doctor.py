"""The doctor before a real broker and a real store: what is missing, and then nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from tollstream.diagnosis import services
from tollstream.settings import Settings
from tollstream.store import clickhouse_configuration
from topics import administration


@pytest.fixture
def settings(bootstrap_servers: str, clickhouse_url: str) -> Iterator[Settings]:
    """An epoch and a database that nobody else uses."""
    chosen = Settings(
        kafka_bootstrap_servers=bootstrap_servers,
        clickhouse_url=clickhouse_url,
        clickhouse_database=f"doctor_{uuid4().hex}",
        topic_epoch=41_000 + uuid4().int % 1000,
        partitions=3,
    )
    yield chosen
    client = Client.connect(clickhouse_configuration(chosen))
    client.command(f"DROP DATABASE IF EXISTS {chosen.clickhouse_database} SYNC", doing="cleaning up")
    client.close()


def _levels(settings: Settings) -> dict[str, str]:
    return {each.check: each.level for each in [*services.broker(settings), *services.store(settings)]}


async def test_topics_and_schema_are_missed_and_then_found(settings: Settings) -> None:
    before = await asyncio.to_thread(_levels, settings)
    assert before == {"kafka": "ok", "topics": "fail", "clickhouse": "ok", "schema": "fail"}
    await administration.create(settings.kafka_bootstrap_servers, settings.topic_epoch, settings.partitions)
    await asyncio.to_thread(migrate, clickhouse_configuration(settings))
    after = await asyncio.to_thread(_levels, settings)
    published = {"published prices": "warn", "published rules": "warn"}
    assert after == {"kafka": "ok", "topics": "ok", "clickhouse": "ok", "schema": "ok"} | published
    with_file = settings.model_copy(update={"prices": Path("prices.toml")})  # the first worker publishes it
    found = await asyncio.to_thread(_levels, with_file)
    assert (found["published prices"], found["published rules"]) == ("ok", "warn")


async def test_another_number_of_partitions_is_a_failure_with_both_numbers(settings: Settings) -> None:
    await administration.create(settings.kafka_bootstrap_servers, settings.topic_epoch, settings.partitions)
    _, topics = await asyncio.to_thread(services.broker, settings.model_copy(update={"partitions": 4}))
    assert topics.level == "fail"
    assert "has 3 partitions, 4 are wanted" in topics.found

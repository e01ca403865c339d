"""Sinks to test: the one in memory, and ClickHouse with a database of its own per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.contract import Sink
from sinks.memory import MemorySink


@pytest.fixture
def empty_database(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    """A database name that nobody else uses, dropped afterwards."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


@pytest.fixture
def database(empty_database: ClickHouseConfiguration) -> ClickHouseConfiguration:
    """The same with the schema in it."""
    migrate(empty_database)
    return empty_database


@pytest.fixture
def client(database: ClickHouseConfiguration) -> Iterator[Client]:
    """For questions that no reader asks."""
    client = Client.connect(database)
    yield client
    client.close()


@pytest.fixture(params=["memory", "clickhouse"])
async def sink(request: pytest.FixtureRequest) -> AsyncIterator[Sink]:
    """Each sink in turn: one contract."""
    chosen: Sink
    if request.param == "memory":
        chosen = MemorySink()
    else:
        chosen = await ClickHouseSink.connect(request.getfixturevalue("database"))
    yield chosen
    await chosen.close()

"""Sinks to test: the one in memory, and ClickHouse with tables that are empty for every test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.contract import Sink
from sinks.memory import MemorySink


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests here that ask for the engine carry the mark of those that do."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "clickhouse_url" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.integration)


@pytest.fixture
def empty_database(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    """A database name that nobody else uses, dropped afterwards."""
    yield from _database(clickhouse_url)


@pytest.fixture(scope="session")
def migrated_database(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    """A database with the schema in it, for the whole session: migrating costs more than most tests."""
    for configuration in _database(clickhouse_url):
        migrate(configuration)
        yield configuration


@pytest.fixture
def database(migrated_database: ClickHouseConfiguration) -> ClickHouseConfiguration:
    """The schema, and no rows."""
    client = Client.connect(migrated_database)
    sql = f"""
        SELECT DISTINCT table FROM system.parts
        WHERE database = '{migrated_database.database}' AND active AND table != 'schema_migrations'
    """
    for row in client.query_rows(sql, doing="looking for rows of other tests"):
        client.command(f"TRUNCATE TABLE {migrated_database.database}.{row['table']} SYNC", doing="emptying tables")
    client.close()
    return migrated_database


def _database(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


@pytest.fixture
def client(database: ClickHouseConfiguration) -> Iterator[Client]:
    """For questions that no reader asks."""
    client = Client.connect(database)
    yield client
    client.close()


@pytest.fixture(params=["memory", pytest.param("clickhouse", marks=pytest.mark.integration)])
async def sink(request: pytest.FixtureRequest) -> AsyncIterator[Sink]:
    """Each sink in turn: one contract."""
    chosen: Sink
    if request.param == "memory":
        chosen = MemorySink()
    else:
        chosen = await ClickHouseSink.connect(request.getfixturevalue("database"))
    yield chosen
    await chosen.close()

"""Stores for payouts and disputes: the one in memory, and ClickHouse, its tables empty for every test that asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from tests.support.settlement import ClosableStore, MemorySettlement


@pytest.fixture(scope="session")
def settlement_schema(clickhouse_url: str) -> Iterator[ClickHouseConfiguration]:
    """A database with the schema in it, for the whole session."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    yield configuration
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


@pytest.fixture
def settlement_database(settlement_schema: ClickHouseConfiguration) -> ClickHouseConfiguration:
    """The schema, and no rows."""
    client = Client.connect(settlement_schema)
    sql = f"""
        SELECT DISTINCT table FROM system.parts
        WHERE database = '{settlement_schema.database}' AND active AND table != 'schema_migrations'
    """
    for row in client.query_rows(sql, doing="looking for rows of other tests"):
        client.command(f"TRUNCATE TABLE {settlement_schema.database}.{row['table']} SYNC", doing="emptying tables")
    client.close()
    return settlement_schema


@pytest.fixture
async def engine(settlement_database: ClickHouseConfiguration) -> AsyncIterator[ClickHouseSettlementStore]:
    """The real one."""
    store = await ClickHouseSettlementStore.connect(settlement_database)
    yield store
    await store.close()


@pytest.fixture
def store(request: pytest.FixtureRequest) -> ClosableStore:
    """The one in memory, unless the test says `on_the_engine_too`."""
    if getattr(request, "param", "memory") == "memory":
        return MemorySettlement()
    found: ClosableStore = request.getfixturevalue("engine")
    return found


# For what the store itself has to get right: places that one writer gets, sums, and what a set of postings may be.
on_the_engine_too = pytest.mark.parametrize(
    "store", ["memory", pytest.param("clickhouse", marks=pytest.mark.integration)], indirect=True
)

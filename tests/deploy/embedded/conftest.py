"""A database, a client and a table of the test's own, in the shared store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import clickhouse_connect
import pytest
from clickhouse_connect.driver.client import Client

COLUMNS = (
    "id UInt64, amount Decimal(38, 12), at DateTime64(6, 'UTC'), usage Map(LowCardinality(String), Decimal(38, 6)), "
    "tag LowCardinality(String), note Nullable(String)"
)


@pytest.fixture(scope="module")
def database(clickhouse_url: str) -> Iterator[str]:
    """A database of the module's own."""
    name = f"front_{uuid.uuid4().hex[:8]}"
    client = clickhouse_connect.get_client(dsn=clickhouse_url)
    client.command(f"CREATE DATABASE {name}")
    yield name
    client.command(f"DROP DATABASE {name} SYNC")
    client.close()


@pytest.fixture
def client(clickhouse_url: str, database: str) -> Iterator[Client]:
    """clickhouse-connect, in that database, in a session of its own."""
    connected = clickhouse_connect.get_client(dsn=clickhouse_url, database=database, tz_mode="aware")
    yield connected
    connected.close()


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    """An empty table of every type that money needs."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    client.command(f"CREATE TABLE {name} ({COLUMNS}) ENGINE = MergeTree ORDER BY id SETTINGS fsync_after_insert = 1")
    yield name
    client.command(f"DROP TABLE {name} SYNC")

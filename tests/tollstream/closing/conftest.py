"""A desk over the real engine, with empty tables for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sinks.clickhouse.client import Client
from tests.support.closing_desk import ClosingDesk, emptied, migrated


@pytest.fixture(scope="session")
def closing_client(clickhouse_url: str) -> Iterator[Client]:
    """A database with the schema in it, for the whole session."""
    with migrated(clickhouse_url) as client:
        yield client


@pytest.fixture
def desk(closing_client: Client) -> ClosingDesk:
    """Nothing has happened yet."""
    return ClosingDesk(emptied(closing_client))

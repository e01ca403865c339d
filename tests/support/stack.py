"""One embedded stack per test session: started by the first test that asks for it, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import EmbeddedStack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """Kafka and ClickHouse, running. Shared: use topics, databases and consumer groups of your own.

    A test that kills or pauses a server brings it back, or starts a stack of its own.
    """
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def bootstrap_servers(stack: EmbeddedStack) -> str:
    """The shared broker, host:port."""
    return stack.endpoints.bootstrap_servers


@pytest.fixture(scope="session")
def clickhouse_url(stack: EmbeddedStack) -> str:
    """The shared store."""
    return stack.endpoints.clickhouse_url

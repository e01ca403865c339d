"""One stack per test session: started by the first test that asks for it, stopped at the end.

`--stack=docker` runs the same tests on the real servers in containers.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.embedded.stack import EmbeddedStack, Endpoints

OPTION = "--stack"


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """The embedded Kafka and ClickHouse, for tests that kill or pause a server: they bring it back afterwards.

    Shared: use topics, databases and consumer groups of your own.
    """
    if request.config.getoption(OPTION) != "embedded":
        pytest.skip("kills or pauses servers, which it knows how to do with embedded ones only")
    with EmbeddedStack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="session")
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    """Kafka and ClickHouse, running, embedded or in containers. Shared as `stack` is."""
    if request.config.getoption(OPTION) == "docker":
        from tests.support import containers  # half a second that no other run needs

        with containers.started() as running:
            yield running
    else:
        embedded: EmbeddedStack = request.getfixturevalue("stack")
        yield embedded.endpoints


@pytest.fixture(scope="session")
def bootstrap_servers(endpoints: Endpoints) -> str:
    """The shared broker, host:port."""
    return endpoints.bootstrap_servers


@pytest.fixture(scope="session")
def clickhouse_url(endpoints: Endpoints) -> str:
    """The shared store."""
    return endpoints.clickhouse_url

"""A console over the small world: a store with it, the application, and a client for each role's token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tests.support import console_world
from tollstream.console import tokens
from tollstream.console.access import Role
from tollstream.console.scope import tables_of
from tollstream.console.web import application
from topics.meters import load_catalogue

WHO: Mapping[str, tuple[Role, str, str]] = {
    "operator": (Role.OPERATOR, "", ""),
    "quill": (Role.BUILDER, "quill", ""),
    "folio": (Role.BUILDER, "folio", ""),
    "quill/globex": (Role.TENANT, "quill", "globex"),
    "folio/globex": (Role.TENANT, "folio", "globex"),
}
T = TypeVar("T")
HTML = {"Accept": "text/html"}


@dataclass(frozen=True, slots=True)
class World:
    """A store with the world in it, and the tokens."""

    configuration: ClickHouseConfiguration
    tokens: Mapping[str, str]


@pytest.fixture(scope="session")
def world(clickhouse_url: str) -> Iterator[World]:
    """Built once; nothing changes it but tokens that a test makes for itself."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    _run(console_world.build(configuration))
    yield World(configuration, _run(_tokens(configuration)))
    drop(configuration)


@pytest.fixture(scope="session")
def empty_world(clickhouse_url: str) -> Iterator[World]:
    """The schema, and tokens; nothing else."""
    configuration = ClickHouseConfiguration(clickhouse_url, database=f"test_{uuid4().hex}")
    migrate(configuration)
    yield World(configuration, _run(_tokens(configuration)))
    drop(configuration)


def _run(made: Coroutine[Any, Any, T]) -> T:
    """In a thread of its own: the one that drives a browser has a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, made).result()


def drop(configuration: ClickHouseConfiguration) -> None:
    """All of it."""
    client = Client.connect(configuration)
    client.command(f"DROP DATABASE IF EXISTS {configuration.database} SYNC", doing="cleaning up")
    client.close()


async def _tokens(configuration: ClickHouseConfiguration) -> dict[str, str]:
    store = await ClickHouseStatementStore.connect(configuration)
    made = {}
    for name, (role, builder, tenant) in WHO.items():
        given = {"label": name, "expires_at": None, "by": "ana", "reason": "a test"}
        made[name], _ = await tokens.create(store, role, builder, tenant, **given)  # type: ignore[arg-type]
    await store.close()
    return made


@asynccontextmanager
async def running(configuration: ClickHouseConfiguration, *, secure: bool = False) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    """The console, at the world's time."""
    client = Client.connect(configuration)
    app = application(client, load_catalogue(), tables_of(client), secure=secure, now=lambda: console_world.NOW)
    try:
        async with TestClient(TestServer(app)) as console:
            yield console
    finally:
        client.close()


Ask = Callable[..., AbstractAsyncContextManager[ClientResponse]]


def asking(console: TestClient, world: World) -> Ask:  # type: ignore[type-arg]
    """Ask for a path as somebody."""

    def ask(path: str, who: str) -> AbstractAsyncContextManager[ClientResponse]:
        headers = {**HTML, "Authorization": f"Bearer {world.tokens[who]}"}
        return console.get(path, headers=headers, allow_redirects=False)

    return ask

"""The store of statements that the settings name, opened for one question."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.settings import Settings, load_settings
from tollstream.store import clickhouse_configuration

Answer = TypeVar("Answer")


def with_statements(
    ask: Callable[[ClickHouseStatementStore], Awaitable[Answer]], settings: Settings | None = None
) -> Answer:
    """The answer of the store."""

    async def run() -> Answer:
        store = await ClickHouseStatementStore.connect(clickhouse_configuration(settings or load_settings()))
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(run())

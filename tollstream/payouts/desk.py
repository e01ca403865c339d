"""From a verb to the store and back: who asks, at which time, and the answer."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

Answer = TypeVar("Answer")


def with_store(ask: Callable[[ClickHouseSettlementStore], Awaitable[Answer]]) -> Answer:
    """The answer of the store that the settings name."""

    async def run() -> Answer:
        store = await ClickHouseSettlementStore.connect(clickhouse_configuration(load_settings()))
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(run())


def user() -> str:
    """The user of this machine, where nobody is named."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return "unknown"

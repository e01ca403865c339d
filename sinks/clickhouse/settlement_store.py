"""`sinks.payable.SettlementStore` in ClickHouse: what the store of statements does, and the questions about payees."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from sinks.clickhouse.client import Client
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.readers import payable
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.payable import Balance, Charged, Payable


class ClickHouseSettlementStore(ClickHouseStatementStore):
    """One per process; `connect` makes it, `close` releases it."""

    @classmethod
    async def connect(cls, configuration: ClickHouseConfiguration) -> ClickHouseSettlementStore:
        """`SinkError` when nobody answers."""
        return cls(await asyncio.to_thread(Client.connect, configuration))

    async def read_payable(self, accounts: Collection[str], builder: str | None) -> list[Payable]:
        return await self._client.run(payable.read_payable, self._client, accounts, builder)

    async def read_posted_documents(self, builder: str, kinds: Collection[str]) -> set[tuple[str, str]]:
        return await self._client.run(payable.read_posted_documents, self._client, builder, kinds)

    async def read_charged(self, builder: str, number: int) -> Charged | None:
        return await self._client.run(payable.read_charged, self._client, builder, number)

    async def read_balance(self) -> list[Balance]:
        return await self._client.run(payable.read_balance, self._client)

"""The contract, on ClickHouse: each method hands its question to the writer or a reader, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from billing.surcharges.lints import UsageGroup
from sinks.clickhouse.client import Client
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.readers import books as published
from sinks.clickhouse.readers import checkpoints, pins, reconciliation, rerates, totals, usage_groups, usage_rows
from sinks.clickhouse.readers import identities as ledger
from sinks.clickhouse.writer import write_rows
from sinks.contract import BackfillGrant, BookDigest, BookRecords, EpochParameters
from sinks.reconciliation import Accounts, Residual
from sinks.rerates import Rerate, Rerates, Waiting
from sinks.usage import PORTION_ROWS, UsagePortion, UsageRange, UsageRows


class ClickHouseSink:
    """See `sinks.contract.Sink`. One per process; `connect` makes it, `close` releases it."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @classmethod
    async def connect(cls, configuration: ClickHouseConfiguration) -> ClickHouseSink:
        """A sink whose schema is there already (`tollstream schema migrate`); `SinkError` when nobody answers."""
        return cls(await asyncio.to_thread(Client.connect, configuration))

    async def write_ledger(self, rows: pa.Table) -> None:
        await self._client.run(write_rows, self._client, "usage_ledger", rows)

    async def write_dead_letters(self, rows: pa.Table) -> None:
        await self._client.run(write_rows, self._client, "dead_letters", rows)

    async def write_totals(self, rows: pa.Table) -> None:
        await self._client.run(write_rows, self._client, "usage_totals", rows)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        await self._client.run(write_rows, self._client, "checkpoints", rows)

    async def read_checkpoints(self, topic_epoch: int, partitions: Collection[int]) -> pl.DataFrame:
        return await self._client.run(checkpoints.read_checkpoints, self._client, topic_epoch, partitions)

    async def read_identities(self, topic_epoch: int, partitions: Collection[int], since: datetime) -> np.ndarray:
        return await self._client.run(ledger.read_identities, self._client, topic_epoch, partitions, since)

    async def find_identities(
        self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
    ) -> pl.DataFrame:
        return await self._client.run(ledger.find_identities, self._client, topic_epoch, partitions, identities)

    async def find_rows(self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray) -> pl.DataFrame:
        return await self._client.run(ledger.find_rows, self._client, topic_epoch, partitions, identities)

    async def read_totals(self, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
        return await self._client.run(totals.read_totals, self._client, topic_epoch, windows)

    async def pin_epoch(self, parameters: EpochParameters) -> EpochParameters:
        return await self._client.run(pins.pin_epoch, self._client, parameters)

    async def record_books(self, books: Sequence[BookDigest]) -> None:
        await self._client.run(published.record_books, self._client, books)

    async def read_book_records(self) -> BookRecords:
        return await self._client.run(published.read_book_records, self._client)

    async def read_book_contents(self, digests: Collection[str]) -> dict[str, str]:
        return await self._client.run(published.read_book_contents, self._client, digests)

    async def read_books(self, kinds: Collection[str]) -> list[BookDigest]:
        return await self._client.run(published.read_books, self._client, kinds)

    async def read_backfill_grants(self) -> list[BackfillGrant]:
        return await self._client.run(pins.read_backfill_grants, self._client)

    async def write_backfill_grant(self, grant: BackfillGrant) -> None:
        await self._client.run(pins.write_backfill_grant, self._client, grant)

    async def reconcile(
        self, topic_epoch: int, partitions: Collection[int], window_start_from: datetime | None = None
    ) -> Residual:
        return await self._client.run(
            reconciliation.reconcile, self._client, topic_epoch, partitions, window_start_from
        )

    async def read_accounts(self) -> Accounts:
        return await self._client.run(reconciliation.read_accounts, self._client)

    async def plan_usage(self, usage: UsageRange, portion_rows: int = PORTION_ROWS) -> list[UsagePortion]:
        return await self._client.run(usage_rows.plan_usage, self._client, usage, portion_rows)

    async def read_usage(self, portion: UsagePortion, tags: Collection[str], columns: Collection[str]) -> UsageRows:
        return await self._client.run(usage_rows.read_usage, self._client, portion, tags, columns)

    async def read_usage_groups(
        self, start: datetime, end: datetime, meters: Collection[str]
    ) -> tuple[UsageGroup, ...]:
        """Usage of windows starting in [start, end), added up by what surcharge rules can tell apart."""
        return await self._client.run(usage_groups.read_usage_groups, self._client, start, end, meters)

    async def read_rerates(self) -> Rerates:
        return await self._client.run(rerates.read_rerates, self._client)

    async def record_rerate(self, entry: Rerate) -> None:
        await self._client.run(rerates.record_rerate, self._client, entry)

    async def read_progress(self) -> pl.DataFrame:
        return await self._client.run(rerates.read_progress, self._client)

    async def find_usage(self, identities: np.ndarray, recorded_after: datetime) -> pl.DataFrame:
        return await self._client.run(rerates.find_usage, self._client, identities, recorded_after)

    async def count_rerated(self, rerate_id: str) -> int:
        return await self._client.run(rerates.count_rerated, self._client, rerate_id)

    async def read_waiting(self, *, by_builder: bool = False, builder: str = "") -> list[Waiting]:
        return await self._client.run(rerates.read_waiting, self._client, by_builder, builder)

    async def close(self) -> None:
        self._client.close()

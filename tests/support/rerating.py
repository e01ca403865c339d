"""A ledger in memory that past usage is rated again from, with the simulation's books."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from billing.rerating import Rerater
from gateway.emitter import EmitterConfiguration
from sinks.memory import MemorySink
from sinks.memory_rerates import MemoryRerates
from sinks.memory_usage import MemoryUsage
from sinks.usage import UsagePortion, UsageRange
from tests.simulation.books import START, rater
from tests.support.desk import HORIZON
from tollstream.rerating.computing import PortionChanges, compute, read_progress
from tollstream.rerating.request import Request
from tollstream.rerating.run import Installation
from topics.meters import load_catalogue


class MemoryLedger(MemoryRerates):
    """Both halves of what a re-rating asks of a store."""

    def __init__(self, sink: MemorySink, **settings: Any) -> None:
        super().__init__(sink, **settings)

    async def plan_usage(self, usage: UsageRange, portion_rows: int = 1000) -> list[UsagePortion]:
        return await MemoryUsage(self._sink.ledger).plan_usage(usage, portion_rows)

    async def read_usage(self, portion: UsagePortion, *asked: Any) -> Any:
        return await MemoryUsage(self._sink.ledger).read_usage(portion, *asked)


def request(**changes: Any) -> Request:
    """All usage of the simulation's time."""
    fields: dict[str, Any] = {"start": START - timedelta(days=6), "end": START + timedelta(days=6)}
    return Request(**fields | changes)


async def changes(
    ledger: MemoryLedger, asked: Request, horizon: timedelta = HORIZON, **settings: Any
) -> list[PortionChanges]:
    """What every portion comes to."""
    books = rater()
    rerater = Rerater(books.books, books.rules, asked.selection)
    progress = await read_progress(ledger)
    return [portion async for portion in compute(ledger, asked, rerater, progress, horizon, **settings)]


def outcomes(found: list[PortionChanges]) -> dict[str, str]:
    """Event id -> what becomes of it."""
    return {row["id"]: row["outcome"] for portion in found for row in portion.changes.to_dicts()}


def installation(ledger: MemoryLedger, **changes: Any) -> Installation:
    """One whose broker nobody asks."""
    books = rater()
    fields: dict[str, Any] = {
        "store": ledger,
        "prices": books.books,
        "rules": books.rules,
        "catalogue": load_catalogue(),
        "emitter": EmitterConfiguration(bootstrap_servers="127.0.0.1:1"),
        "topic_epoch": 1,
        "partitions": 1,
        "horizon": HORIZON,
    }
    return Installation(**fields | changes)


def clock(*moments: datetime) -> Any:
    """A store's clock that says these, and the last one for ever."""
    left = list(moments)
    return lambda: left.pop(0) if len(left) > 1 else left[0]

"""The published rule books: what they say to customers."""

from __future__ import annotations

import asyncio

from billing.publication import RULES
from billing.published import books_of
from billing.surcharges import RuleBooks
from sinks.clickhouse import ClickHouseSink
from tollstream.settings import Settings
from tollstream.store import clickhouse_configuration


async def published_rules(settings: Settings) -> RuleBooks:
    """Every version that stands; none published: usage keeps the ids of its rules."""
    sink = await ClickHouseSink.connect(clickhouse_configuration(settings))
    try:
        records = await sink.read_books((RULES,))
    finally:
        await sink.close()
    _, rules = await asyncio.to_thread(books_of, records)
    return rules

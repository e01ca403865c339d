"""Last month's usage from the store, for the lints that try a rule book on it before it is published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing.surcharges import RuleBook
from billing.surcharges.lints import LastMonth
from sinks.clickhouse import ClickHouseSink


async def read_last_month(sink: ClickHouseSink, book: RuleBook, now: datetime) -> LastMonth:
    """Usage of the calendar month before `now`, UTC, grouped by what the rules of `book` can tell apart."""
    end = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    start = (end - timedelta(days=1)).replace(day=1)
    meters = {rule.meter for rule in book.rules if rule.meter is not None}
    return LastMonth(start, end, await sink.read_usage_groups(start, end, meters))

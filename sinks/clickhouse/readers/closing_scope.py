"""Parts of WHERE that say which usage a closing looks at."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sinks.clickhouse.readers.conditions import text, window
from sinks.closings import TenantRange, UsageScope
from sinks.rerates import Partition


def windows(scope: UsageScope, start: datetime) -> str:
    """Windows of the Builder from `start` to the end of the period."""
    return f"builder = {text(scope.builder)} AND window_start >= {window(start)} AND window_start < {window(scope.end)}"


def earlier(scope: UsageScope) -> str:
    """Windows of closed periods."""
    return f"window_start >= {window(scope.earlier[0])} AND window_start < {window(scope.start)}"


def grown(scope: UsageScope) -> str:
    """Totals of closed periods that hold usage beyond the cut of the closing before."""
    return f"builder = {text(scope.builder)} AND {earlier(scope)} AND last_offset >= {offset(scope.previous_cut)}"


def period(scope: UsageScope) -> str:
    """Start of the closed period that a window belongs to, in seconds."""
    starts = ", ".join(str(int(start.timestamp())) for start in scope.earlier)
    return f"toUInt32(roundDown(toUnixTimestamp(window_start), [{starts}]))"


def offset(cut: Mapping[Partition, int]) -> str:
    """The offset at which a row's partition is cut; 0 for one that had no row."""
    if not cut:
        return "0"
    places = ", ".join(f"toUInt32({epoch * 65_536 + partition})" for epoch, partition in cut)
    offsets = ", ".join(f"toInt64({int(offset)})" for offset in cut.values())
    return f"transform(toUInt32(topic_epoch) * 65536 + source_partition, [{places}], [{offsets}], toInt64(0))"


def between(tenants: TenantRange) -> str:
    """Tenants of a range, or those that are named."""
    if isinstance(tenants, frozenset):
        return f"tenant IN ({', '.join(map(text, sorted(tenants))) or text('')})"
    first, last = tenants
    return f"tenant = {text(first)}" if first == last else f"tenant >= {text(first)} AND tenant <= {text(last)}"

"""What was used in some windows, added up by what surcharge rules can tell apart?

One pass over the windows, a row per set of tags and of meters: as many as there are kinds of usage, not events. Voids
are taken off, adjustments are left out: they change amounts, and say nothing about usage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.surcharges.lints.last_month import TAGS, ZERO, UsageGroup
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import window


def read_usage_groups(
    client: Client, start: datetime, end: datetime, meters: Collection[str]
) -> tuple[UsageGroup, ...]:
    """Of windows starting in [start, end); groups are told apart by which of `meters` their events have."""
    tags = ", ".join(TAGS)
    named = ", ".join(f"toString({tag}) AS {tag}" for tag in TAGS)
    sql = f"""
        SELECT
            {named}, toString(currency) AS currency, pricing = 'rated' AS rated,
            arraySort(arrayFilter(
                meter -> has(splitByChar(',', {{meters:String}}), meter), arrayMap(toString, mapKeys(usage))
            )) AS meters,
            toInt64(sum(if(kind = 'usage', 1, -1))) AS events,
            sumMap(usage) AS quantities,
            ifNull(sum(base_cost), 0) AS base,
            ifNull(minIf(base_cost, kind = 'usage'), 0) AS base_least,
            ifNull(maxIf(base_cost, kind = 'usage'), 0) AS base_most,
            minMapIf(usage, kind = 'usage') AS usage_least,
            maxMapIf(usage, kind = 'usage') AS usage_most
        FROM {client.configuration.database}.usage_ledger FINAL
        WHERE window_start >= {window(start)} AND window_start < {window(end)} AND kind IN ('usage', 'void')
        GROUP BY {tags}, currency, rated, meters
        ORDER BY {tags}, currency, rated, meters
        SETTINGS do_not_merge_across_partitions_select_final = 1
    """
    found = client.query_arrow(
        sql, doing="adding up usage for a trial of the rules", parameters={"meters": ",".join(sorted(meters))}
    )
    return tuple(_group(row) for row in found.to_pylist())


def _group(row: Mapping[str, Any]) -> UsageGroup:
    rated = bool(row["rated"])
    usage, least, most = (_quantities(row[name]) for name in ("quantities", "usage_least", "usage_most"))
    return UsageGroup(
        tags={tag: row[tag] for tag in TAGS},
        meters=frozenset(row["meters"]),
        currency=row["currency"] if rated else "",
        events=row["events"],
        rated_events=row["events"] if rated else 0,
        usage=usage if rated else {},
        unpriced_usage={} if rated else usage,
        base_cost=row["base"] if rated else ZERO,
        base_least=row["base_least"] if rated else ZERO,
        base_most=row["base_most"] if rated else ZERO,
        usage_least=least if rated else {},
        usage_most=most if rated else {},
    )


def _quantities(entries: Collection[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """A map as Arrow hands it over."""
    return dict(entries)

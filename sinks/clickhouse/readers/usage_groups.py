"""What was used in some windows, added up by what surcharge rules can tell apart?

A row per set of tags and of meters: as many as there are kinds of usage, not events. Voids are taken off, adjustments
are left out: they change amounts, and say nothing about usage. Whole days are read together as long as a query stays
well within the store's timeout, and what they answer is added up here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.money import EXACT
from billing.surcharges.lints.last_month import TAGS, ZERO, UsageGroup
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import window

ROWS_PER_QUERY = 2_000_000  # some 5 seconds on one core
Key = tuple[tuple[str, ...], frozenset[str], str, bool]


def read_usage_groups(
    client: Client, start: datetime, end: datetime, meters: Collection[str]
) -> tuple[UsageGroup, ...]:
    """Of windows starting in [start, end); groups are told apart by which of `meters` their events have."""
    groups: dict[Key, UsageGroup] = {}
    for first, last in _stretches(client, start, end):
        for row in _read(client, first, last, meters):
            rated = bool(row["rated"])
            key = tuple(row[tag] for tag in TAGS), frozenset(row["meters"]), row["currency"], rated
            known = groups.get(key)
            groups[key] = _group(row, rated) if known is None else _together(known, _group(row, rated))
    return tuple(groups[key] for key in sorted(groups, key=lambda key: (key[0], sorted(key[1]), key[2:])))


def _stretches(client: Client, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) cut at midnights of UTC, neighbours together up to ROWS_PER_QUERY."""
    sql = f"""
        SELECT toInt64(toUnixTimestamp(toStartOfDay(window_start))) AS day, toInt64(count()) AS rows
        FROM {client.configuration.database}.usage_ledger
        WHERE window_start >= {window(start)} AND window_start < {window(end)}
        GROUP BY day ORDER BY day
    """
    first, held = start, 0
    for found in client.query_rows(sql, doing="counting the rows of a month"):
        day = max(datetime.fromtimestamp(found["day"], start.tzinfo), start)
        if held and held + found["rows"] > ROWS_PER_QUERY:
            yield first, day
            first, held = day, 0
        held += found["rows"]
    if held:
        yield first, end


def _read(client: Client, start: datetime, end: datetime, meters: Collection[str]) -> list[dict[str, Any]]:
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
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def _together(one: UsageGroup, other: UsageGroup) -> UsageGroup:
    """The same kind of usage on other days."""
    return replace(
        one,
        events=one.events + other.events,
        rated_events=one.rated_events + other.rated_events,
        usage=_merged(EXACT.add, one.usage, other.usage),
        unpriced_usage=_merged(EXACT.add, one.unpriced_usage, other.unpriced_usage),
        base_cost=EXACT.add(one.base_cost, other.base_cost),
        base_least=min(one.base_least, other.base_least),
        base_most=max(one.base_most, other.base_most),
        usage_least=_merged(min, one.usage_least, other.usage_least),
        usage_most=_merged(max, one.usage_most, other.usage_most),
    )


def _merged(
    join: Callable[[Decimal, Decimal], Decimal], one: Mapping[str, Decimal], other: Mapping[str, Decimal]
) -> dict[str, Decimal]:
    """Meter by meter; one that only one side has is taken as it is."""
    found = dict(one)
    for meter, quantity in other.items():
        found[meter] = join(found[meter], quantity) if meter in found else quantity
    return found


def _group(row: Mapping[str, Any], rated: bool) -> UsageGroup:
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

"""What stands in the way of closing a period: flushes under way, usage without a price, ledger and totals apart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.closing_scope import between, offset, windows
from sinks.clickhouse.readers.conditions import text, window
from sinks.clickhouse.readers.frozen import FINAL_SETTINGS, KEY, NET, NOTHING
from sinks.closings import Apart, TenantRange, UsageScope, Waiting
from sinks.rerates import Partition


def totals_ahead(client: Client, scope: UsageScope) -> int:
    """Totals in scope that hold usage beyond the cut: a flush was under way, or one has come since."""
    sql = f"""
        SELECT toInt64(count()) AS rows FROM {client.configuration.database}.usage_totals
        WHERE {windows(scope, scope.earlier[0] if scope.earlier else scope.start)}
            AND last_offset >= {offset(scope.cut)}
    """
    [row] = client.query_rows(sql, doing="looking for totals beyond the cut")
    return int(row["rows"])


def read_waiting(client: Client, builder: str, start: datetime, end: datetime) -> list[Waiting]:
    """Usage of windows in [start, end) that waits for a price."""
    sql = f"""
        SELECT toString(unpriced_reason) AS reason, toString(w.provider) AS provider, toString(w.model) AS model,
            toInt64(sum(w.net_events)) AS events, toInt64(uniqExact(w.tenant)) AS tenants
        FROM {client.configuration.database}.unpriced_usage AS w
        WHERE builder = {text(builder)} AND window_start >= {window(start)} AND window_start < {window(end)}
        GROUP BY reason, provider, model ORDER BY events DESC, reason, provider, model
    """
    rows = client.query_rows(sql, doing="looking for usage without a price")
    return [Waiting(**row) for row in rows]


def read_apart(client: Client, scope: UsageScope, tenants: TenantRange) -> list[Apart]:
    """Ledger below the cut against totals, of the period alone, line by line as statements would bill them."""
    database = client.configuration.database
    where = f"{windows(scope, scope.start)} AND {between(tenants)}"
    differ = " OR ".join(["events != 0", *(f"{name}_apart != 0" for name in tables.AMOUNTS), "uneven != 0"])
    sql = f"""
        SELECT toString(currency) AS unit, toInt64(count()) AS lines, toInt64(sum(abs(events))) AS apart_events,
            toString(sum({" + ".join(f"abs({name}_apart)" for name in tables.AMOUNTS)} + uneven)) AS apart
        FROM
        (
            SELECT tenant, {KEY}, sum(net) AS events,
                {", ".join(f"sum(toDecimal256({name}, 12)) AS {name}_apart" for name in tables.AMOUNTS)},
                sum(toDecimal256(imbalance, 12)) AS uneven
            FROM
            (
                SELECT tenant, {KEY}, toInt64({NET}) AS net,
                    {", ".join(f"ifNull({name}, {NOTHING}) AS {name}" for name in tables.AMOUNTS)},
                    abs(customer_charge - provider_reward - platform_fee - builder_earnings) AS imbalance
                FROM {database}.usage_ledger FINAL
                WHERE {where} AND source_offset < {offset(scope.cut)}
                UNION ALL
                SELECT tenant, {KEY}, -net_events AS net, {", ".join(f"-{name} AS {name}" for name in tables.AMOUNTS)},
                    {NOTHING} AS imbalance
                FROM {database}.usage_totals FINAL WHERE {where}
            )
            GROUP BY tenant, {KEY}
            HAVING {differ}
        )
        GROUP BY unit ORDER BY unit SETTINGS {FINAL_SETTINGS}
    """
    rows = client.query_rows(sql, doing="comparing ledger and totals")
    return [Apart(row["unit"], row["lines"], row["apart_events"], Decimal(row["apart"])) for row in rows]


def first_usage(client: Client, builder: str, before: datetime, since: Mapping[Partition, int]) -> datetime | None:
    """Start of the first window before a moment whose totals have grown beyond a cut; None where none has."""
    sql = f"""
        SELECT toInt64(count()) AS rows, toInt64(toUnixTimestamp(min(window_start))) AS second
        FROM {client.configuration.database}.usage_totals
        WHERE builder = {text(builder)} AND window_start < {window(before)} AND last_offset >= {offset(since)}
    """
    [row] = client.query_rows(sql, doing="looking for usage before the first period")
    return datetime.fromtimestamp(row["second"], UTC) if row["rows"] else None

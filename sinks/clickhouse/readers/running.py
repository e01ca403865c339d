"""What live balances ask: who has plans, credits and closings, whose totals have grown, and what waits for a price.

Cost      `read_places` reads four small columns. `read_grown` reads three columns of the totals of the windows asked
          about, without FINAL: an older version of a row only names a tenant once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.closing_scope import between, offset, windows
from sinks.clickhouse.readers.conditions import text, window
from sinks.closings import TenantRange, UsageScope
from sinks.rerates import Partition

CLOSED = "state = 'closed'"


class Places(NamedTuple):
    """The newest place of each journal of a Builder, of closings that of the last one closed; 0 for nothing."""

    plans: int = 0
    grants: int = 0
    closings: int = 0
    rates: int = 0  # of the installation


def read_places(client: Client) -> dict[str, Places]:
    """By Builder, of all who have a plan book or a credit."""
    database = client.configuration.database
    journals = {"plans": ("plan_books", "true"), "grants": ("credit_grants", "true"), "closings": ("closings", CLOSED)}
    parts = [
        f"SELECT '{name}' AS journal, toString(builder) AS owner, maxIf(sequence, {counts}) AS place "
        f"FROM {database}.{table} GROUP BY builder"
        for name, (table, counts) in journals.items()
    ]
    parts.append(f"SELECT 'rates' AS journal, '' AS owner, max(sequence) AS place FROM {database}.fx_rates")
    rates = 0
    found: dict[str, dict[str, int]] = {}
    for row in client.query_rows(" UNION ALL ".join(parts), doing="looking for plans, credits and closings"):
        if row["journal"] == "rates":
            rates = row["place"]
        else:
            found.setdefault(row["owner"], {})[row["journal"]] = row["place"]
    return {
        builder: Places(rates=rates, **places)
        for builder, places in found.items()
        if "plans" in places or "grants" in places
    }


def read_grown(
    client: Client, builders: Collection[str], since: Mapping[Partition, int], window_start_from: datetime | None
) -> dict[str, set[str]]:
    """Tenants of these Builders with a total that holds usage at or beyond the offsets; of all windows, or of those
    that start at a time or later."""
    if not builders:
        return {}
    wanted = [f"builder IN ({', '.join(map(text, sorted(builders)))})", f"last_offset >= {offset(since)}"]
    if window_start_from is not None:
        wanted.append(f"window_start >= {window(window_start_from)}")
    sql = f"""
        SELECT toString(t.builder) AS builder, groupUniqArray(toString(t.tenant)) AS tenants
        FROM {client.configuration.database}.usage_totals AS t WHERE {" AND ".join(wanted)} GROUP BY t.builder
    """
    rows = client.query_rows(sql, doing="looking for totals that have grown")
    return {row["builder"]: set(row["tenants"]) for row in rows}


def read_granted_since(client: Client, builder: str, place: int) -> set[str]:
    """Tenants who were granted something behind a place."""
    sql = f"""
        SELECT DISTINCT tenant FROM {client.configuration.database}.credit_grants
        WHERE builder = {text(builder)} AND sequence > {int(place)}
    """
    return {row["tenant"] for row in client.query_rows(sql, doing="looking for new credits")}


def read_beginnings(client: Client, builder: str) -> tuple[datetime | None, datetime | None]:
    """Start of the Builder's first window with usage, and when the first credit was granted; None for none."""
    database = client.configuration.database
    sql = f"""
        SELECT toInt64(toUnixTimestamp(min(window_start))) AS second, toInt64(count()) AS rows, 1 AS place
        FROM {database}.usage_totals WHERE builder = {text(builder)}
        UNION ALL
        SELECT toInt64(toUnixTimestamp(min(granted_at))), toInt64(count()), 2
        FROM {database}.credit_grants WHERE builder = {text(builder)}
    """
    usage, credit = (
        datetime.fromtimestamp(row["second"], UTC) if row["rows"] else None
        for row in client.query_rows(f"SELECT * FROM ({sql}) ORDER BY place", doing="looking for the first usage")
    )
    return usage, credit


def is_waiting(client: Client, scope: UsageScope, tenants: TenantRange) -> bool:
    """Whether any of these tenants has usage in scope that waits, or waited, for a price."""
    first = scope.earlier[0] if scope.earlier else scope.start
    sql = f"""
        SELECT 1 AS found FROM {client.configuration.database}.usage_totals
        WHERE {windows(scope, first)} AND {between(tenants)} AND rule_id = '' LIMIT 1
    """
    return bool(client.query_rows(sql, doing="looking for usage that waits for a price"))

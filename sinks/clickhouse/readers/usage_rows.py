"""Which usage was there in a range, and what was it billed? A portion at a time, as columns that rating takes.

A portion is a range of the sort key, so the server reads it once and in order, and FINAL merges no more than it. The
answer is Arrow as the engine has it: tags as dictionaries, nothing compressed, in large blocks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import moment, window
from sinks.usage import Counted, Tenant, UsagePortion, UsageRange, UsageRows, cut
from sinks.usage_columns import ALWAYS, usage_rows
from topics.block import DIMENSION_COLUMNS

_COUNTS = "toInt64(count()) AS rows, toInt64(countIf(kind != 'usage')) AS corrections"
_ARROW = {
    "output_format_arrow_string_as_string": "1",
    "output_format_arrow_low_cardinality_as_dictionary": "1",
    "output_format_arrow_compression_method": "none",
}


def plan_usage(client: Client, usage: UsageRange, portion_rows: int) -> list[UsagePortion]:
    """Counts by tenant, from the sort key alone; by window only for tenants that are too large for one portion."""
    where = f"{_windows(*usage.windows)} AND {_wanted(usage)}"
    if usage.builder:
        where += " AND builder = {builder:String}"
    sql = f"""
        SELECT toString(builder) AS builder, toString(tenant) AS tenant, {_COUNTS}
        FROM {_table(client)} WHERE {where} GROUP BY builder, tenant ORDER BY builder, tenant
    """
    found = client.query_arrow(sql, doing="planning a read of the ledger", parameters={"builder": usage.builder})
    tenants = [((row["builder"], row["tenant"]), _counted(row)) for row in found.to_pylist()]

    def windows(tenant: Tenant) -> Sequence[tuple[datetime, Counted]]:
        return _windows_of(client, usage, tenant)

    return cut(usage, tenants, windows, portion_rows)


def read_usage(client: Client, portion: UsagePortion, tags: Collection[str], columns: Collection[str]) -> UsageRows:
    """The rows of a portion; corrections that come in while it is read are read next time."""
    selected = [*ALWAYS, *(name for name in DIMENSION_COLUMNS if name in tags)]
    selected += [name for name in columns if name not in selected]
    start, end = (moment(time) for time in (portion.usage.start, portion.usage.end))
    conditions = [_windows(*portion.windows), _tenants(portion), _wanted(portion.usage)]
    conditions.append(f"(kind != 'usage' OR (event_time >= {start} AND event_time < {end}))")
    number, shards = portion.shard
    if shards > 1:
        conditions.append(f"if(kind = 'usage', identity_low, target_low) % {int(shards)} = {int(number)}")
    sql = f"SELECT {', '.join(selected)} FROM {_table(client)} FINAL WHERE {' AND '.join(conditions)}"
    names = ("first_builder", "first_tenant", "last_builder", "last_tenant")
    answer = client.query_bytes(
        sql,
        fmt="ArrowStream",
        doing="reading usage from the ledger",
        settings=_ARROW,
        parameters=dict(zip(names, (*portion.first, *portion.last), strict=True)),
    )
    return usage_rows(pa.ipc.open_stream(answer), tags, columns)


def _windows_of(client: Client, usage: UsageRange, tenant: Tenant) -> list[tuple[datetime, Counted]]:
    sql = f"""
        SELECT toInt64(toUnixTimestamp(window_start)) AS start, {_COUNTS}
        FROM {_table(client)}
        WHERE {_windows(*usage.windows)} AND {_wanted(usage)}
            AND builder = {{builder:String}} AND tenant = {{tenant:String}}
        GROUP BY start ORDER BY start
    """
    parameters = {"builder": tenant[0], "tenant": tenant[1]}
    found = client.query_arrow(sql, doing="planning a read of the ledger", parameters=parameters).to_pylist()
    return [(datetime.fromtimestamp(row["start"], UTC), _counted(row)) for row in found]


def _table(client: Client) -> str:
    return f"{client.configuration.database}.usage_ledger"


def _counted(row: dict[str, int]) -> Counted:
    return Counted(row["rows"], row["corrections"])


def _windows(start: datetime, end: datetime) -> str:
    return f"window_start >= {window(start)} AND window_start < {window(end)}"


def _wanted(usage: UsageRange) -> str:
    return "(kind != 'usage' OR pricing = 'unpriced')" if usage.unpriced else "true"


def _tenants(portion: UsagePortion) -> str:
    """Spelt out column by column: of tuples the server would not know which part of the sort key they mean."""
    if portion.first == portion.last:
        return "builder = {first_builder:String} AND tenant = {first_tenant:String}"
    if portion.first[0] == portion.last[0]:
        return "builder = {first_builder:String} AND tenant >= {first_tenant:String} AND tenant <= {last_tenant:String}"
    return (
        "builder >= {first_builder:String} AND builder <= {last_builder:String}"
        " AND (builder > {first_builder:String} OR tenant >= {first_tenant:String})"
        " AND (builder < {last_builder:String} OR tenant <= {last_tenant:String})"
    )

"""Usage as closings need it: totals of a period added up by what statements tell apart, and what changed since.

Exact     With no total beyond the cut (`totals_ahead`), what is copied is the ledger below the cut, to the last digit.
Changes   of a tenant's closed period: totals now, less what was billed. Only those are looked at in which a total has
          grown since the cut of the closing before. Ledger rows since that cut say what voids and re-ratings did of it;
          the rest is late usage, so that the three always add up to the difference.
Moved     Usage that waits for a price counts for nobody, whether a rule is known for it or not: `_waits` takes off what
          totals count of it under its rule. It stays there with its quantities when it is rated, and its amounts stand
          where the later rating put them. Statements count it there: `_moved` brings quantities to amounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from sinks import tables
from sinks.clickhouse.client import READ_SETTINGS, Client
from sinks.clickhouse.readers.closing_scope import between, earlier, grown, offset, period, windows
from sinks.clickhouse.readers.conditions import text, window
from sinks.clickhouse.readers.journals import to_rows
from sinks.closings import CLOSING_USAGE, Frozen, TenantRange, UsageScope

FINAL_SETTINGS = ", ".join(f"{name} = {value}" for name, value in READ_SETTINGS.items() if name != "wait_end_of_query")
_KEYS = ("rule_id", "provider", "feature", "currency")
KEY = ", ".join(_KEYS)
_AMOUNTS = ", ".join(tables.AMOUNTS)
_PLACE = "topic_epoch, source_partition, source_offset, batch_index"
_NONE = "CAST(map(), 'Map(LowCardinality(String), Decimal(38, 6))')"
NOTHING = "toDecimal128(0, 12)"
# What counts for nobody yet: usage that waits for a price. What somebody corrected by hand of it has amounts.
_EVENTS = "if(rule_id = '', 0, net_events) AS events"
_USAGE = f"if(rule_id = '', {_NONE}, usage) AS counted"
_NEGATED = "mapApply((meter, quantity) -> (meter, -quantity), {})"
NET = "multiIf(kind = 'usage', 1, kind = 'void', -1, 0)"


_ROW = f"tenant, window_start, {KEY}, events, counted, {_AMOUNTS}"
_ZEROS = ", ".join(f"{NOTHING} AS {name}" for name in tables.AMOUNTS)
_SUMS = ", ".join(
    [f"{KEY}, toInt64(sum(events)) AS net, sumMap(counted) AS quantities"]
    + [f"sum({name}) AS {name}_sum" for name in tables.AMOUNTS]
)
_ANYTHING = " OR ".join(
    ["net != 0", "arrayExists(quantity -> quantity != 0, mapValues(quantities))"]
    + [f"{name}_sum != 0" for name in tables.AMOUNTS]
)
_NAMED = ", ".join(
    [f"tenant, period_start, reason, {KEY}, net AS net_events, quantities AS usage"]
    + [f"{name}_sum AS {name}" for name in tables.AMOUNTS]
)


def read_tenants(client: Client, scope: UsageScope) -> list[tuple[str, int]]:
    """Tenants with usage in the period, or with a closed period whose totals have grown, and how many totals they have
    there, in order of bytes."""
    totals = f"{client.configuration.database}.usage_totals"
    wanted = f"({windows(scope, scope.start)})" + (f" OR ({grown(scope)})" if scope.earlier else "")
    sql = f"""
        SELECT toString(t.tenant) AS name, toInt64(count()) AS rows FROM {totals} AS t
        WHERE {wanted} GROUP BY name ORDER BY name
    """
    rows = client.query_arrow(sql, doing="listing tenants")
    return list(zip(rows.column("name").to_pylist(), rows.column("rows").to_pylist(), strict=True))


def has_moved(client: Client, scope: UsageScope) -> bool:
    """Whether any usage in scope waits for a price, or was rated after it had waited."""
    sql = f"""
        SELECT 1 AS found FROM {client.configuration.database}.usage_ledger
        WHERE {windows(scope, scope.earlier[0] if scope.earlier else scope.start)}
            AND pricing IN ('unpriced', 'rated_later') LIMIT 1
    """
    return bool(client.query_rows(sql, doing="looking for usage that waits or was rated later"))


def freeze(client: Client, scope: UsageScope, closing_id: str, tenants: TenantRange, moved: bool) -> None:
    """Copy the usage of some tenants under a closing's id. Written once: whoever is interrupted takes another id."""
    target = f"{client.configuration.database}.closing_usage"
    for sql in _selects(client, scope, tenants, moved):
        client.command(
            f"""
            INSERT INTO {target} ({", ".join(CLOSING_USAGE.names)})
            SELECT {text(scope.builder)}, {text(closing_id)}, {", ".join(CLOSING_USAGE.names[2:])} FROM ({sql})
            SETTINGS {FINAL_SETTINGS}
            """,
            doing="freezing usage",
        )


def read_current(client: Client, scope: UsageScope, tenants: TenantRange, moved: bool) -> pa.Table:
    """What `freeze` would copy, without copying it. Columns of `CLOSING_USAGE` from tenant on, in their order."""
    sql = " UNION ALL ".join(f"({select})" for select in _selects(client, scope, tenants, moved))
    return _added_up(client, f"({sql})")


def read_frozen(client: Client, builder: str, closing_id: str, tenants: TenantRange) -> pa.Table:
    """What `freeze` copied, in the same shape."""
    source = f"""
        (SELECT * FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id = {text(closing_id)} AND {between(tenants)})
    """
    return _added_up(client, source)


def frozen_tenants(client: Client, builder: str, closing_id: str) -> list[str]:
    """In order of bytes."""
    sql = f"""
        SELECT DISTINCT tenant FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id = {text(closing_id)} ORDER BY tenant
    """
    return list(client.query_arrow(sql, doing="listing frozen tenants").column("tenant").to_pylist())


def frozen_rules(client: Client, builder: str, closing_id: str) -> list[tuple[datetime, str]]:
    """(start of the period, rule) of everything frozen."""
    sql = f"""
        SELECT DISTINCT period_start, toString(rule_id) AS rule_id FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id = {text(closing_id)} ORDER BY period_start, rule_id
    """
    rows = to_rows(client.query_arrow(sql, doing="listing frozen rules"), CLOSING_USAGE)
    return [(row["period_start"], row["rule_id"]) for row in rows]


def frozen_currencies(client: Client, builder: str, closing_id: str) -> list[str]:
    """What usage is charged in; "" for what was corrected while it waited for a price."""
    sql = f"""
        SELECT DISTINCT toString(currency) AS currency FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id = {text(closing_id)} ORDER BY currency
    """
    return [row["currency"] for row in client.query_rows(sql, doing="listing currencies")]


def frozen(client: Client, builder: str, closing_id: str) -> Frozen:
    """How much is frozen: a copy that is not what it was is found out."""
    sql = f"""
        SELECT count() AS rows, sum(cityHash64(tenant, period_start, reason, {KEY}, net_events,
            toString(mapSort(usage)), {", ".join(f"toString({name})" for name in tables.AMOUNTS)})) AS checksum
        FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id = {text(closing_id)}
    """
    [row] = client.query_rows(sql, doing="adding up the frozen copy")
    return Frozen(row["rows"], row["checksum"])


def read_billed(
    client: Client, builder: str, closing_ids: Sequence[str], changed: Sequence[tuple[str, datetime]]
) -> pa.Table:
    """What these closings have billed of (tenant, start of period): columns as `read_frozen`, reasons added up."""
    wanted = ", ".join(f"({text(tenant)}, {window(start)})" for tenant, start in changed)
    names = ", ".join(sorted({text(tenant) for tenant, _ in changed}))
    source = f"""
        (SELECT * REPLACE ('' AS reason) FROM {client.configuration.database}.closing_usage
        WHERE builder = {text(builder)} AND closing_id IN ({", ".join(map(text, closing_ids))})
            AND tenant IN ({names}) AND (tenant, period_start) IN ({wanted}))
    """
    return _added_up(client, source)


def _selects(client: Client, scope: UsageScope, tenants: TenantRange, moved: bool) -> list[str]:
    """Columns of `CLOSING_USAGE` from tenant on: the period's own usage, and the changes of earlier ones."""
    selects = [_own(client, scope, tenants, moved)]
    if scope.earlier:
        selects.append(_changes(client, scope, tenants, moved))
    return selects


def _own(client: Client, scope: UsageScope, tenants: TenantRange, moved: bool) -> str:
    start = window(scope.start)
    rows = _of_totals(client, f"{windows(scope, scope.start)} AND {between(tenants)}")
    if moved:
        for more in (_moved, _waits):
            more_rows = f"SELECT {_ROW} FROM ({more(client, scope, tenants)}) WHERE window_start >= {start}"
            rows = f"SELECT {_ROW} FROM ({rows}) UNION ALL {more_rows}"
    return f"""
        SELECT {_NAMED} FROM
        (
            SELECT tenant, {start} AS period_start, '' AS reason, {_SUMS}
            FROM ({rows}) GROUP BY tenant, {KEY} HAVING {_ANYTHING}
        )
    """


def _changes(client: Client, scope: UsageScope, tenants: TenantRange, moved: bool) -> str:
    """now - billed as late usage; what voids and re-ratings did of it taken off there, and put under their own name."""
    database = client.configuration.database
    at = period(scope)
    mine = f"builder = {text(scope.builder)} AND {between(tenants)}"
    have_grown = f"""
        SELECT DISTINCT toString(tenant), {at} FROM {database}.usage_totals WHERE {grown(scope)} AND {between(tenants)}
    """
    where = f"{mine} AND {earlier(scope)} AND (toString(tenant), {at}) IN ({have_grown})"
    now = f"SELECT {_ROW}, {at} AS period, 'late' AS why FROM ({_of_totals(client, where)})"
    billed = f"""
        SELECT tenant, period_start AS window_start, {KEY}, -net_events AS events,
            {_NEGATED.format("usage")} AS counted,
            {", ".join(f"-b.{name} AS {name}" for name in tables.AMOUNTS)}, toUInt32(b.period_start) AS period,
            'late' AS why
        FROM {database}.billed_usage AS b WHERE {mine} AND (b.tenant, toUInt32(b.period_start)) IN ({have_grown})
    """
    since = f"source_offset >= {offset(scope.previous_cut)} AND source_offset < {offset(scope.cut)}"
    corrected = f"""
        SELECT toString(l.tenant) AS tenant, window_start, {KEY},
            if(rule_id = '' OR pricing = 'unpriced' OR kind != 'void', 0, -1) AS events,
            if(rule_id = '' OR pricing = 'unpriced', {_NONE}, usage) AS counted,
            {", ".join(f"ifNull(l.{name}, {NOTHING}) AS {name}" for name in tables.AMOUNTS)},
            {at} AS period, if(kind = 'void', 'void', 'rerate') AS why
        FROM
        (
            SELECT * FROM {database}.usage_ledger WHERE {where} AND kind != 'usage' AND {since} LIMIT 1 BY {_PLACE}
        ) AS l
    """
    parts = [now, billed, _under_its_own_name(corrected)]
    if moved:
        brought = f"""
            SELECT {_ROW}, {at} AS period, 'rerate' AS why, since FROM ({_moved(client, scope, tenants)})
            WHERE {earlier(scope)} AND (tenant, {at}) IN ({have_grown})
        """
        parts.append(f"SELECT * EXCEPT since REPLACE ('late' AS why) FROM ({brought})")
        parts.append(_under_its_own_name(f"SELECT * EXCEPT since FROM ({brought}) WHERE since"))
        parts.append(
            f"""
            SELECT {_ROW}, {at} AS period, 'late' AS why FROM ({_waits(client, scope, tenants)})
            WHERE {earlier(scope)} AND (tenant, {at}) IN ({have_grown})
            """
        )
    rows = " UNION ALL ".join(f"SELECT {_ROW}, period, why FROM ({part})" for part in parts)
    return f"""
        SELECT {_NAMED} FROM
        (
            SELECT tenant, toDateTime(period, 'UTC') AS period_start, why AS reason, {_SUMS}
            FROM ({rows}) GROUP BY tenant, period, why, {KEY} HAVING {_ANYTHING}
        )
    """


def _under_its_own_name(rows: str) -> str:
    """Each row as what it is, and taken off what is late."""
    signed = ", ".join(f"if(own, r.{name}, -r.{name}) AS {name}" for name in ("events", *tables.AMOUNTS))
    counted = f"if(own, r.counted, {_NEGATED.format('r.counted')}) AS counted"
    return f"""
        SELECT r.tenant AS tenant, r.window_start AS window_start, {KEY}, {signed}, {counted}, r.period AS period,
            if(own, r.why, 'late') AS why
        FROM ({rows}) AS r ARRAY JOIN [true, false] AS own
    """


def _of_totals(client: Client, where: str) -> str:
    return f"""
        SELECT toString(t.tenant) AS tenant, window_start, {KEY}, {_EVENTS}, {_USAGE}, {_AMOUNTS}
        FROM (SELECT * FROM {client.configuration.database}.usage_totals FINAL WHERE {where}) AS t
    """


def _moved(client: Client, scope: UsageScope, tenants: TenantRange) -> str:
    """Usage that was rated later, below the cut; `since`: after the cut of the closing before."""
    ledger = f"{client.configuration.database}.usage_ledger"
    where = f"{windows(scope, scope.earlier[0] if scope.earlier else scope.start)} AND {between(tenants)}"
    return f"""
        SELECT toString(a.tenant) AS tenant, a.window_start AS window_start, a.rule_id AS rule_id,
            a.provider AS provider, a.feature AS feature, a.currency AS currency, toInt64(1) AS events,
            u.usage AS counted, a.since AS since, {_ZEROS}
        FROM
        (
            SELECT tenant, window_start, {KEY}, target_high, target_low,
                source_offset >= {offset(scope.previous_cut)} AS since
            FROM {ledger} WHERE {where} AND pricing = 'rated_later' AND source_offset < {offset(scope.cut)}
            LIMIT 1 BY {_PLACE}
        ) AS a
        INNER JOIN
        (
            SELECT tenant, window_start, identity_high, identity_low, usage
            FROM {ledger} WHERE {where} AND kind = 'usage' AND pricing = 'unpriced'
            LIMIT 1 BY {_PLACE}
        ) AS u
        ON a.tenant = u.tenant AND a.window_start = u.window_start
            AND a.target_high = u.identity_high AND a.target_low = u.identity_low
    """


def _waits(client: Client, scope: UsageScope, tenants: TenantRange) -> str:
    """Usage that came without a price and with a rule, below the cut: what totals count of it, taken off again."""
    where = f"{windows(scope, scope.earlier[0] if scope.earlier else scope.start)} AND {between(tenants)}"
    return f"""
        SELECT toString(w.tenant) AS tenant, window_start, {KEY}, toInt64(-({NET})) AS events,
            {_NEGATED.format("w.usage")} AS counted, {_ZEROS}
        FROM
        (
            SELECT * FROM {client.configuration.database}.usage_ledger
            WHERE {where} AND pricing = 'unpriced' AND rule_id != '' AND source_offset < {offset(scope.cut)}
            LIMIT 1 BY {_PLACE}
        ) AS w
    """


def _added_up(client: Client, source: str) -> pa.Table:
    amounts = ", ".join(f"sum(s.{name}) AS {name}" for name in tables.AMOUNTS)
    sql = f"""
        SELECT tenant, period_start, toString(s.reason) AS reason,
            {", ".join(f"toString(s.{name}) AS {name}" for name in _KEYS)},
            toInt64(sum(s.net_events)) AS net_events, sumMap(s.usage) AS usage, {amounts}
        FROM {source} AS s
        GROUP BY tenant, period_start, reason, {KEY}
        ORDER BY tenant, period_start, reason, {KEY} SETTINGS {FINAL_SETTINGS}
    """
    return client.query_arrow(sql, doing="reading usage to be billed")

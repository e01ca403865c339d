"""Usage and what it costs, from the totals: by day or hour, by tenant, by rule and feature; amounts never mixed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

from billing.money import EXACT
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import text, window
from sinks.tables import AMOUNTS
from tollstream.console.periods import Span

GroupName = Literal["builder", "tenant", "feature", "model", "rule", "provider", "use"]
# What a row is about: columns of usage_totals.
GROUPS: dict[GroupName, tuple[str, ...]] = {
    "builder": ("builder",),
    "tenant": ("builder", "tenant"),
    "feature": ("builder", "feature"),
    "model": ("builder", "provider", "model"),
    "rule": ("builder", "rule_id"),
    "provider": ("provider", "model"),
    "use": ("rule_id", "feature", "provider", "model"),
}
TAGS = ("feature", "provider", "model")  # what the customers of a row are asked by
ORDERS = {
    "charge": "sum(customer_charge) DESC",
    "earnings": "sum(builder_earnings) ASC",
    "reward": "sum(provider_reward) DESC",
    "events": "net_events_sum DESC",
}
_SUMS = ", ".join(f"toString(sum({name})) AS {name}_sum" for name in AMOUNTS)


@dataclass(frozen=True, slots=True)
class Group:
    """Usage of one kind in one currency."""

    key: tuple[str, ...]
    currency: str
    events: int
    unpriced: int
    amounts: dict[str, Decimal]
    tenants: int  # about so many; 0 where nobody counted them
    usage: dict[str, Decimal]

    @property
    def charge(self) -> Decimal:
        """What tenants pay."""
        return self.amounts["customer_charge"]

    @property
    def earnings(self) -> Decimal:
        """What the Builder earns."""
        return self.amounts["builder_earnings"]

    @property
    def reward(self) -> Decimal:
        """What providers get."""
        return self.amounts["provider_reward"]

    @property
    def fee(self) -> Decimal:
        """What the platform keeps."""
        return self.amounts["platform_fee"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a day or an hour came to in one currency."""

    start: datetime
    currency: str
    events: int
    unpriced: int
    amounts: dict[str, Decimal]


def groups(
    client: Client,
    by: GroupName,
    builder: str,
    tenant: str,
    span: Span,
    order: str = "charge",
    search: str = "",
    limit: int = 50,
    skip: int = 0,
    usage: bool = False,
    narrowed: Mapping[str, str] = MappingProxyType({}),
) -> list[Group]:
    """Rows of one kind, ordered by an amount; ties by key. `narrowed`: only usage with these tags."""
    columns = GROUPS[by]
    named = ", ".join(f"toString({column}) AS {column}_key" for column in columns)
    keys = ", ".join(columns)
    wanted = [*_where(builder, tenant, span), *_searched(columns, search), *_narrowed(narrowed)]
    meters = "sumMap(usage)" if usage else "map()"
    customers = "uniq(builder, tenant)" if by == "builder" else "0"
    sql = f"""
        SELECT {named}, toString(currency) AS code, toInt64(sum(net_events)) AS net_events_sum,
            toInt64(sum(unpriced_events)) AS unpriced_sum, {_SUMS}, toInt64({customers}) AS tenants,
            {meters} AS quantities
        FROM {client.configuration.database}.usage_totals FINAL
        WHERE {" AND ".join(wanted)}
        GROUP BY {keys}, currency
        ORDER BY {ORDERS[order]}, {keys}, currency
        LIMIT {int(limit)} OFFSET {int(skip)}
    """
    rows = client.query_rows(sql, doing="adding up usage for the console")
    return [_group(row, columns) for row in rows]


def moments(
    client: Client,
    builder: str,
    tenant: str,
    span: Span,
    by: GroupName = "builder",
    search: str = "",
    narrowed: Mapping[str, str] = MappingProxyType({}),
) -> list[Moment]:
    """By day, of a day by hour; of what `groups` would list. At most the days of a year, for each currency."""
    unit = "window_start" if span.by_hour else "toStartOfDay(window_start)"
    wanted = [*_where(builder, tenant, span), *_searched(GROUPS[by], search), *_narrowed(narrowed)]
    sql = f"""
        SELECT toInt64(toUnixTimestamp({unit})) AS start, toString(currency) AS code,
            toInt64(sum(net_events)) AS net_events_sum, toInt64(sum(unpriced_events)) AS unpriced_sum, {_SUMS}
        FROM {client.configuration.database}.usage_totals FINAL
        WHERE {" AND ".join(wanted)}
        GROUP BY start, currency ORDER BY start, currency
    """
    return [
        Moment(
            datetime.fromtimestamp(row["start"], UTC),
            row["code"],
            row["net_events_sum"],
            row["unpriced_sum"],
            _amounts(row),
        )
        for row in client.query_rows(sql, doing="adding up usage by day")
    ]


def sums(found: Iterable[Moment]) -> list[Group]:
    """Of all moments, a row a currency."""
    parts: dict[str, list[Moment]] = {}
    for each in found:
        parts.setdefault(each.currency, []).append(each)
    return [
        Group(
            key=(),
            currency=currency,
            events=sum(each.events for each in some),
            unpriced=sum(each.unpriced for each in some),
            amounts={name: _sum(each.amounts[name] for each in some) for name in AMOUNTS},
            tenants=0,
            usage={},
        )
        for currency, some in sorted(parts.items())
    ]


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total


def newest_month(client: Client, builder: str, tenant: str) -> str:
    """The last month with usage, YYYY-MM; "" where there is none."""
    wanted = [f"builder = {text(builder)}"] if builder else []
    wanted += [f"tenant = {text(tenant)}"] if tenant else []
    sql = f"""
        SELECT formatDateTime(max(window_start), '%Y-%m') AS month, toInt64(count()) AS found
        FROM {client.configuration.database}.usage_totals WHERE {" AND ".join(wanted) or "true"}
    """
    [row] = client.query_rows(sql, doing="looking for the newest usage")
    return str(row["month"]) if row["found"] else ""


def builders(client: Client, limit: int = 200) -> list[str]:
    """Who has usage or a plan, for a list to choose from."""
    database = client.configuration.database
    sql = f"""
        SELECT DISTINCT name FROM
        (
            SELECT DISTINCT toString(builder) AS name FROM {database}.usage_totals
            UNION ALL SELECT DISTINCT toString(builder) AS name FROM {database}.closings
        ) ORDER BY name LIMIT {int(limit)}
    """
    return [row["name"] for row in client.query_rows(sql, doing="listing Builders")]


def _where(builder: str, tenant: str, span: Span) -> list[str]:
    wanted = [f"window_start >= {window(span.start)}", f"window_start < {window(span.end)}"]
    if builder:
        wanted.append(f"builder = {text(builder)}")
    if tenant:
        wanted.append(f"tenant = {text(tenant)}")
    return wanted


def _searched(columns: Collection[str], search: str) -> list[str]:
    """The last column begins with what somebody typed, whatever its case."""
    if not search:
        return []
    column = list(columns)[-1]
    return [f"startsWithCaseInsensitiveUTF8(toString({column}), {text(search)})"]


def _narrowed(tags: Mapping[str, str]) -> list[str]:
    return [f"{name} = {text(value)}" for name, value in tags.items() if name in TAGS]


def _group(row: dict[str, Any], columns: Collection[str]) -> Group:
    return Group(
        key=tuple(row[f"{column}_key"] for column in columns),
        currency=row["code"],
        events=row["net_events_sum"],
        unpriced=row["unpriced_sum"],
        amounts=_amounts(row),
        tenants=row["tenants"],
        usage={meter: quantity for meter, quantity in sorted(dict(row["quantities"]).items()) if quantity},
    )


def _amounts(row: dict[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(row[f"{name}_sum"]) for name in AMOUNTS}

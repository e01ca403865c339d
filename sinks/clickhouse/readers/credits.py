"""Grants that stand, and what statements drew of them, for a range of tenants.

A grant stands if it is the first of its id, and either whoever recorded it has the place, or the closing that carried
it over is closed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from billing.credits import Draw, Grant, GrantBalance
from sinks.agreements import CREDIT_GRANTS, GrantRecord, grant_of, grant_record
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.closing_scope import between
from sinks.clickhouse.readers.conditions import text
from sinks.clickhouse.readers.journals import to_rows
from sinks.closings import TenantRange


@dataclass(frozen=True, slots=True)
class CreditScope:
    """Which grants and draws count: places up to `place`, and what these closings carried over and drew."""

    builder: str
    place: int
    closing_ids: tuple[str, ...]


def read_granted_tenants(client: Client, scope: CreditScope) -> list[str]:
    """Tenants who have any grant, in order of bytes."""
    sql = f"SELECT DISTINCT tenant FROM ({_standing(client, scope, ['tenant', 'grant_id'])}) ORDER BY tenant"
    return list(client.query_arrow(sql, doing="listing tenants with credits").column("tenant").to_pylist())


def read_balances(client: Client, scope: CreditScope, tenants: TenantRange) -> dict[str, list[GrantBalance]]:
    """Every grant of these tenants with what is gone of it, by tenant."""
    columns = [name for name in CREDIT_GRANTS.names if name not in ("record_id", "recorded_by", "reason")]
    database = client.configuration.database
    sql = f"""
        SELECT g.*, d.used AS used, d.sold AS sold
        FROM ({_standing(client, scope, columns, between(tenants))}) AS g
        LEFT JOIN
        (
            SELECT tenant, grant_id, sum(quantity) AS used, toBool(countIf(kind = 'sold') > 0) AS sold
            FROM {database}.credit_draws FINAL
            WHERE builder = {text(scope.builder)} AND {between(tenants)} AND closing_id IN ({_ids(scope.closing_ids)})
            GROUP BY tenant, grant_id
        ) AS d USING (tenant, grant_id)
        ORDER BY tenant, grant_id
    """
    found: dict[str, list[GrantBalance]] = defaultdict(list)
    for row in to_rows(client.query_arrow(sql, doing="reading credits"), CREDIT_GRANTS):
        balance = GrantBalance(_trimmed(grant_of(row)), _trim(row["used"] or Decimal(0)), bool(row["sold"]))
        found[row["tenant"]].append(balance)
    return dict(found)


def read_draws(
    client: Client, scope: CreditScope, tenants: Collection[str], periods: Collection[str]
) -> dict[tuple[str, str], list[Draw]]:
    """What these closings drew for usage of these periods, by (tenant, period), in the order in which it was drawn."""
    sql = f"""
        SELECT tenant, grant_id, kind, period, line, quantity, amount, earned
        FROM {client.configuration.database}.credit_draws FINAL
        WHERE builder = {text(scope.builder)} AND tenant IN ({_ids(tenants)}) AND period IN ({_ids(periods)})
            AND closing_id IN ({_ids(scope.closing_ids)}) AND kind = 'drawn'
        ORDER BY tenant, indexOf([{_ids(scope.closing_ids)}], closing_id), position
    """
    found: dict[tuple[str, str], list[Draw]] = defaultdict(list)
    for row in client.query_rows(sql, doing="reading draws of credits"):
        draw = Draw(
            row["grant_id"],
            row["kind"],
            row["period"],
            row["line"],
            _trim(row["quantity"]),
            _trim(row["amount"]),
            _trim(row["earned"]),
        )
        found[row["tenant"], row["period"]].append(draw)
    return dict(found)


def read_grants(client: Client, builder: str, tenant: str) -> list[GrantRecord]:
    """Every grant that stands, of one tenant or ("") of all of the Builder's, newest first."""
    closed = f"SELECT closing_id FROM {client.configuration.database}.closed_periods WHERE builder = {text(builder)}"
    scope = CreditScope(builder, 2**32 - 1, ())
    where = f"tenant = {text(tenant)}" if tenant else "true"
    sql = f"""
        SELECT * FROM ({_standing(client, scope, [*CREDIT_GRANTS.names, "recorded_at"], where, closed)})
        ORDER BY granted_at DESC, tenant, grant_id
    """
    rows = to_rows(client.query_arrow(sql, doing="reading credits"), CREDIT_GRANTS)
    return [grant_record(row) for row in rows]


def _standing(
    client: Client, scope: CreditScope, columns: Sequence[str], where: str = "true", closed: str | None = None
) -> str:
    table = f"{client.configuration.database}.credit_grants"
    mine = f"builder = {text(scope.builder)}"
    return f"""
        SELECT {", ".join(columns)} FROM {table}
        WHERE {mine} AND {where} AND
        (
            (sequence > 0 AND sequence <= {int(scope.place)} AND (sequence, record_id) IN
                (SELECT sequence, argMin(record_id, recorded_at) FROM {table} WHERE {mine} AND sequence > 0
                GROUP BY sequence))
            OR (sequence = 0 AND closing_id IN ({closed or _ids(scope.closing_ids)}))
        )
        ORDER BY tenant, grant_id, sequence = 0, sequence, recorded_at LIMIT 1 BY tenant, grant_id
    """


def _ids(values: Collection[str]) -> str:
    return ", ".join(map(text, values)) or "''"


def _trim(value: Decimal) -> Decimal:
    """Without zeros at the end: what was granted as 5 is written as 5 in every statement."""
    whole = value.normalize()
    return whole if whole.as_tuple().exponent <= 0 else whole.quantize(Decimal(1))  # type: ignore[operator]


def _trimmed(grant: Grant) -> Grant:
    return replace(grant, quantity=_trim(grant.quantity), price_paid=_trim(grant.price_paid))

"""Balances as the rows that are kept of them: the views `balances` and `balance_items` read these."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sinks.balances import LIVE_BALANCES
from tollstream.balances.document import spent
from tollstream.balances.reading import Balance

_NOTHING: dict[str, Any] = {"total": Decimal(0), "spent": Decimal(0)} | {
    name: [] for name in ("kind", "item", "label", "unit", "used", "limit")
}


def kept(balances: Iterable[Balance]) -> pa.Table:
    """Rows of `LIVE_BALANCES`, one a balance. Without a statement a row says why, and nothing else."""
    rows = [_row(balance) for balance in balances]
    columns = [pa.array([row[each.name] for row in rows], type=each.type) for each in LIVE_BALANCES]
    return pa.Table.from_arrays(columns, schema=LIVE_BALANCES)


def _row(balance: Balance) -> dict[str, Any]:
    given, made = balance.given, balance.statement
    row = {
        "builder": given.builder,
        "tenant": given.tenant,
        "period": given.period.label,
        "period_start": given.period.start,
        "period_end": given.period.end,
        "as_of": balance.as_of,
        "plan": given.segments[-1].plan.id if given.segments else "",
        "currency": given.statement_currency,
        "charge_currency": given.currency,
        "refusal": balance.refusal,
    }
    if made is None:
        return row | _NOTHING
    return row | {
        "total": made.totals.total,
        "spent": spent(made),
        "kind": [each.kind for each in made.standings],
        "item": [each.key for each in made.standings],
        "label": [each.label for each in made.standings],
        "unit": [each.unit for each in made.standings],
        "used": [each.used for each in made.standings],
        "limit": [each.limit for each in made.standings],
    }

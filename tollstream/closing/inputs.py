"""From rows of usage to what `billing.statements.statement` takes: one input a tenant, a portion of tenants at a time.

The same for a closing, for a dry run and for a live balance; they differ only in where the rows come from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

import pyarrow as pa

from billing.credits import Draw, GrantBalance
from billing.statements import Change, EarlierPeriod, StatementInput, UsageLine
from billing.statements.inputs import Reason
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import TenantRange, Words
from tollstream.closing.basis import Basis
from tollstream.closing.refusal import CloseRefusedError

PAIRS = 500  # (tenant, period) asked about at once
_ORDER = ("tenant", "period_start", "reason", "rule_id", "provider", "feature", "currency", "net_events", "usage")
_AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
NO_WORDS: Mapping[str, Words] = {}


@dataclass(slots=True)
class TenantUsage:
    """What a portion holds of one tenant."""

    current: list[UsageLine]
    changes: dict[datetime, list[Change]]


async def portion_inputs(
    store: ClickHouseStatementStore,
    basis: Basis,
    rows: pa.Table,
    tenants: Sequence[str],
    within: TenantRange,
    *,
    as_of: datetime | None = None,
) -> list[StatementInput]:
    """One for each of `tenants`, in their order; `rows` are those of all tenants `within`."""
    usage = usage_of(basis, rows)
    balances = await store.read_balances(basis.credits, within)
    changed = [(tenant, start) for tenant, held in usage.items() for start in held.changes]
    billed = await _billed(store, basis, changed)
    draws = await _draws(store, basis, changed) if balances else {}
    return [
        input_of(basis, tenant, usage.get(tenant), balances.get(tenant, []), billed, draws, as_of) for tenant in tenants
    ]


def input_of(
    basis: Basis,
    tenant: str,
    usage: TenantUsage | None,
    balances: Sequence[GrantBalance],
    billed: Mapping[tuple[str, datetime], list[UsageLine]],
    draws: Mapping[tuple[str, str], Sequence[Draw]],
    as_of: datetime | None = None,
) -> StatementInput:
    """Of one tenant."""
    terms = basis.plans.terms(tenant, basis.period)
    earlier = []
    for start, changes in (usage.changes if usage is not None else {}).items():
        held = basis.closed[start]
        before = tuple(billed.get((tenant, start), ()))
        drawn = tuple(draws.get((tenant, held.period.label), ()))
        earlier.append(EarlierPeriod(held.period, held.segments(tenant), before, tuple(changes), drawn))
    return StatementInput(
        builder=basis.builder,
        tenant=tenant,
        period=basis.period,
        currency=basis.currency,
        statement_currency=terms.currency if terms is not None else basis.currency,
        segments=terms.segments if terms is not None else (),
        usage=tuple(usage.current) if usage is not None else (),
        earlier=tuple(earlier),
        grants=tuple(balances),
        fx=basis.fx,
        tax=terms.tax if terms is not None else None,
        as_of=as_of,
    )


def usage_of(basis: Basis, rows: pa.Table) -> dict[str, TenantUsage]:
    """By tenant, from columns as `sinks.clickhouse.readers.frozen` answers them."""
    start = basis.period.start
    found: dict[str, TenantUsage] = {}
    for tenant, period_start, reason, line in _lines(basis, rows):
        held = found.get(tenant)
        if held is None:
            held = found[tenant] = TenantUsage([], {})
        if reason:
            held.changes.setdefault(period_start, []).append(Change(cast("Reason", reason), line))
        elif period_start == start:
            held.current.append(line)
        else:
            raise CloseRefusedError(f"The frozen usage of {tenant} is of {period_start.isoformat()}, another period.")
    return found


def _lines(basis: Basis, rows: pa.Table) -> list[tuple[str, datetime, str, UsageLine]]:
    columns = [rows.column(name).to_pylist() for name in (*_ORDER, *_AMOUNTS)]
    starts = {second: datetime.fromtimestamp(second, UTC) for second in set(columns[1])}
    labels = {held.period.start: held.period.label for held in basis.closed.values()}
    labels[basis.period.start] = basis.period.label
    missing: dict[str, Words] = {}
    result = []
    for (
        tenant,
        second,
        reason,
        rule_id,
        provider,
        feature,
        currency,
        events,
        usage,
        charge,
        reward,
        fee,
        earnings,
    ) in zip(*columns, strict=True):
        start = starts[second]
        words = basis.words.get(labels.get(start, ""), NO_WORDS).get(rule_id)
        if words is None:
            words = missing.setdefault(rule_id, Words(rule_id, "", ""))
        line = UsageLine(
            rule_id,
            words.label,
            words.unit,
            words.reason,
            provider,
            feature,
            currency or basis.currency,
            {meter: quantity for meter, quantity in usage if quantity},
            events,
            charge,
            reward,
            fee,
            earnings,
            words.meter,
        )
        result.append((tenant, start, reason, line))
    return result


async def _billed(
    store: ClickHouseStatementStore, basis: Basis, changed: Sequence[tuple[str, datetime]]
) -> dict[tuple[str, datetime], list[UsageLine]]:
    found: dict[tuple[str, datetime], list[UsageLine]] = defaultdict(list)
    for at in range(0, len(changed), PAIRS):
        rows = await store.read_billed(basis.builder, basis.closing_ids, changed[at : at + PAIRS])
        for tenant, start, _, line in _lines(basis, rows):
            found[tenant, start].append(line)
    return found


async def _draws(
    store: ClickHouseStatementStore, basis: Basis, changed: Sequence[tuple[str, datetime]]
) -> dict[tuple[str, str], list[Draw]]:
    found: dict[tuple[str, str], list[Draw]] = {}
    for at in range(0, len(changed), PAIRS):
        some = changed[at : at + PAIRS]
        labels = {basis.closed[start].period.label for _, start in some}
        found |= await store.read_draws(basis.credits, sorted({tenant for tenant, _ in some}), sorted(labels))
    return found

"""The frozen copy: usage below a cut, a portion of tenants after the other, and what the closing is made from.

Exact   The cut is read first, then the copy is made, then it is asked whether any total in scope has grown beyond the
        cut meanwhile. If one has, another copy is made under another id; a copy that nobody names is nobody's.
Busy    Where workers keep on writing into the period, the last copy is taken as it is: what it holds beyond the cut
        is billed once all the same, only the word for it may be "late" where it is a void or a re-rating.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from billing.periods import Period
from billing.surcharges import RuleBooks
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import Closing, Frozen, Inputs, TenantRange, UsageScope, covering
from sinks.rerates import Partition
from tollstream.closing.agreed import Agreements
from tollstream.closing.basis import scope_of
from tollstream.closing.periods import closed
from tollstream.closing.refusal import CloseRefusedError
from tollstream.closing.told import Told
from tollstream.closing.words import words_of

ATTEMPTS = 5
TOTALS = 1_000_000  # copied at once
TENANTS = 20_000


@dataclass(frozen=True, slots=True)
class Copy:
    """A frozen copy, and everything that goes into the entry that names it."""

    closing_id: str
    cut: Mapping[Partition, int]
    inputs: Inputs
    frozen: Frozen


async def freeze(
    store: ClickHouseStatementStore,
    agreements: Agreements,
    rules: RuleBooks,
    entries: Sequence[Closing],
    period: Period,
    told: Told,
) -> Copy:
    """Copy what is to be billed; nothing counts before an entry names it."""
    builder = agreements.builder
    closing_id, scope = "", UsageScope(builder, period.start, period.end, {})
    for attempt in range(ATTEMPTS):
        closing_id = uuid4().hex
        scope = scope_of(entries, builder, period, await read_cut(store))
        await _copy(store, scope, closing_id, told)
        if not await store.totals_ahead(scope):
            break
        await asyncio.sleep(attempt)
    currency = charge_currency(agreements, period, await store.frozen_currencies(builder, closing_id))
    used = await store.frozen_rules(builder, closing_id)
    inputs = inputs_of(agreements, rules, entries, period, used, currency)
    return Copy(closing_id, scope.cut, inputs, await store.frozen(builder, closing_id))


async def read_cut(store: ClickHouseStatementStore) -> dict[Partition, int]:
    """The offsets below which everything is stored."""
    return {place: each.next_offset for place, each in (await store.read_progress()).items()}


def inputs_of(
    agreements: Agreements,
    rules: RuleBooks,
    entries: Sequence[Closing],
    period: Period,
    used: Iterable[tuple[datetime, str]],
    currency: str,
) -> Inputs:
    """The newest places, and words for the rules that are used, by period."""
    periods = {period.start: period} | {entry.period.start: entry.period for entry in closed(entries)}
    by_period: dict[datetime, list[str]] = {}
    for start, rule_id in used:
        by_period.setdefault(start, []).append(rule_id)
    words = {
        periods[start].label: words_of(rules, rule_ids, periods[start].end) for start, rule_ids in by_period.items()
    }
    return Inputs(agreements.plans_place, agreements.rates_place, agreements.grants_place, currency, words)


def charge_currency(agreements: Agreements, period: Period, used: Sequence[str]) -> str:
    """What plans and credits are in: the plan book says it; without one, it is that of all usage."""
    book = agreements.plans(agreements.plans_place).in_force(period)
    if book is not None:
        return book.currency
    named = sorted({currency for currency in used if currency})
    if len(named) > 1:
        raise CloseRefusedError(
            f"Usage of {agreements.builder} in {period.label} is charged in {', '.join(named)}, and no plan book says "
            "in which of them statements are: publish one with `tollstream plans publish`, and its currency."
        )
    return named[0] if named else "USD"


def portions(tenants: Sequence[tuple[str, int]]) -> list[TenantRange]:
    """Ranges of all tenants, each with a bounded number of totals and tenants."""
    lasts: list[str] = []
    rows = count = 0
    for name, totals in tenants:
        rows, count = rows + totals, count + 1
        if rows >= TOTALS or count >= TENANTS:
            lasts.append(name)
            rows = count = 0
    return covering([*lasts, ""])


async def _copy(store: ClickHouseStatementStore, scope: UsageScope, closing_id: str, told: Told) -> None:
    moved = await store.has_moved(scope)
    ranges = portions(await store.read_tenants(scope))
    for number, tenants in enumerate(ranges, 1):
        await store.freeze(scope, closing_id, tenants, moved)
        told.froze(number, len(ranges))
        await told.step(f"copied {number}")

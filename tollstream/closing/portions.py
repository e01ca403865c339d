"""Statements of all tenants, a portion at a time: read, compute, hand on; the next portion is read meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from billing.periods import Period
from billing.plans import PlanBooks
from billing.statements import Refusal, Statement, StatementInput, statement
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import TenantRange
from tollstream.closing.basis import Basis
from tollstream.closing.inputs import portion_inputs

TENANTS = 2_500  # held in memory at once: some 100 MB

ReadRows = Callable[[TenantRange], Awaitable[pa.Table]]


@dataclass(frozen=True, slots=True)
class Portion:
    """Statements in order of tenants, and why others could not be made."""

    tenants: Sequence[str]
    statements: Sequence[Statement]
    refusals: Sequence[Refusal]


async def statements_of(
    store: ClickHouseStatementStore, basis: Basis, tenants: Sequence[str], read: ReadRows, portion: int = TENANTS
) -> AsyncIterator[Portion]:
    """Of all tenants, in order."""
    portions = [tenants[at : at + portion] for at in range(0, len(tenants), portion)]

    async def inputs(some: Sequence[str]) -> list[StatementInput]:
        within = some[0], some[-1]
        return await portion_inputs(store, basis, await read(within), some, within)

    ahead: asyncio.Task[list[StatementInput]] | None = None
    try:
        for number, some in enumerate(portions):
            given = await (ahead or inputs(some))
            following = portions[number + 1] if number + 1 < len(portions) else None
            ahead = asyncio.create_task(inputs(following)) if following else None
            yield await asyncio.to_thread(_computed, some, given)
    finally:
        if ahead is not None:
            ahead.cancel()


def _computed(tenants: Sequence[str], given: Sequence[StatementInput]) -> Portion:
    made = [statement(each) for each in given]
    return Portion(
        tenants,
        [each for each in made if isinstance(each, Statement)],
        [each for each in made if isinstance(each, Refusal)],
    )


async def all_tenants(store: ClickHouseStatementStore, basis: Basis, with_usage: Sequence[str]) -> list[str]:
    """Everybody a statement may be about: usage, a plan in the period, or credits; in order of bytes."""
    found = {*with_usage, *subscribed(basis.plans, basis.period)}
    found.update(await store.read_granted_tenants(basis.credits))
    return sorted(found, key=str.encode)


def subscribed(plans: PlanBooks, period: Period) -> set[str]:
    """Who has a plan on a day of the period: a fee is due without any usage."""
    book = plans.in_force(period)
    return {
        tenant
        for tenant, subscriptions in (book.subscribed.items() if book is not None else ())
        if any(
            each.since < period.end_day and (each.until is None or each.until > period.first_day)
            for each in subscriptions
        )
    }

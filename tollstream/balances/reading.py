"""Live balances out of the store, a portion of tenants at a time; nothing is written.

One truth  Usage, credits and agreements are read by the readers of a closing, and `billing.statements.statement` makes
           of them what a closing would make, period by period. What a balance says is the statement that would be
           issued if nothing more came in.
Snapshot   Plans, credits and closings are those at the places that the outlook names, whatever is recorded meanwhile.
           Usage is as fresh as the totals.
Errors     `SinkError`; a statement that cannot be made (`Refusal`) is a `Balance` without one, and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.credits import GrantBalance
from billing.errors import BillingError
from billing.fx import FxRates
from billing.money import EXACT
from billing.publication import RULES
from billing.published import books_of
from billing.statements import Refusal, Statement, StatementInput, statement
from billing.surcharges import RuleBooks
from sinks.clickhouse import ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers import running
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import TenantRange
from tollstream.balances.outlook import Known, Outlook, outlook_of, rates_for
from tollstream.closing.agreed import Agreements, read_agreements
from tollstream.closing.freezing import read_cut
from tollstream.closing.inputs import portion_inputs
from tollstream.closing.periods import closed
from tollstream.closing.portions import subscribed
from tollstream.closing.steps import read_entries

PORTION_TENANTS = 500
PORTION_BYTES = 12_000  # of names: they stand in a statement several times
RANGE_TENANTS = 2_000
RULES_KINDS = (RULES,)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Balance:
    """A tenant in the period that runs. `given` is what `statement` was made from; `refusal` says why there is none."""

    given: StatementInput
    as_of: datetime
    statement: Statement | None
    refusal: str = ""

    @property
    def past_cap(self) -> str:
        """What the plan says about usage past the cap: stop, builder or continue; "" without a cap."""
        segments = self.given.segments
        cap = segments[-1].plan.cap if segments else None
        return cap.then if cap is not None else ""


class LiveBalances:
    """Over one client, which it does not close."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.store = ClickHouseStatementStore(client)
        self._sink = ClickHouseSink(client)
        self._rules: tuple[int, RuleBooks] = (-1, RuleBooks([]))

    async def known(self, builder: str) -> Known:
        """What is on record of a Builder."""
        agreements = await read_agreements(self.store, builder)
        entries = await read_entries(self.store, builder)
        begins = None if closed(entries) else await self._begins(agreements)
        return Known(agreements, entries, begins)

    async def outlook(self, builder: str) -> Outlook:
        """What balances of a Builder are made from now, by the store's clock."""
        cut = await read_cut(self.store)
        known = await self.known(builder)
        return outlook_of(known, cut, await self.store.clock())

    async def tenants(self, outlook: Outlook) -> list[str]:
        """Tenants with usage in an open period, a changed one, a plan or credits; in order of bytes."""
        plans = outlook.agreements.plans(outlook.agreements.plans_place)
        found = subscribed(plans, outlook.running)
        for step in outlook.steps:
            found.update(name for name, _ in await self.store.read_tenants(step.scope))
        found.update(await self.store.read_granted_tenants(outlook.credits))
        return sorted(found, key=str.encode)

    def read(self, outlook: Outlook, tenants: Iterable[str]) -> AsyncGenerator[list[Balance], None]:
        """Balances of a few tenants, who are named, portion by portion, each in order of bytes."""
        return self._read(outlook, [(names, frozenset(names)) for names in portions(tenants)])

    def read_all(self, outlook: Outlook, tenants: Iterable[str]) -> AsyncGenerator[list[Balance], None]:
        """The same of all that `tenants` answers: ranges of them, which the store reads one after the other."""
        everybody = sorted(set(tenants), key=str.encode)
        ranges = [everybody[at : at + RANGE_TENANTS] for at in range(0, len(everybody), RANGE_TENANTS)]
        return self._read(outlook, [(names, (names[0], names[-1])) for names in ranges])

    async def _read(
        self, outlook: Outlook, wanted: Sequence[tuple[Sequence[str], TenantRange]]
    ) -> AsyncGenerator[list[Balance], None]:
        """One portion is read while another is with the caller."""
        rules = await self._rule_books()
        ahead: asyncio.Task[list[Balance]] | None = None
        try:
            for number, (names, within) in enumerate(wanted):
                found = await (ahead or self._portion(outlook, rules, names, within))
                following = wanted[number + 1 : number + 2]
                ahead = asyncio.create_task(self._portion(outlook, rules, *following[0])) if following else None
                yield found
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _portion(
        self, outlook: Outlook, rules: RuleBooks, names: Sequence[str], within: TenantRange
    ) -> list[Balance]:
        held: Mapping[str, tuple[GrantBalance, ...]] | None = None
        found: list[Balance] = []
        for step in outlook.steps:
            last = step is outlook.steps[-1]
            moved = await self._client.run(running.is_waiting, self._client, step.scope, within)
            rows = await self.store.read_current(step.scope, within, moved)
            basis = outlook.basis(step, rules, rows)
            given = await portion_inputs(self.store, basis, rows, names, within, as_of=outlook.as_of if last else None)
            fx = rates_for(outlook.agreements.rate_records, step.period)
            found = await asyncio.to_thread(_computed, given, fx, held, outlook.as_of)
            held = {balance.given.tenant: _afterwards(balance) for balance in found}
        return found

    async def _begins(self, agreements: Agreements) -> datetime | None:
        """Of a Builder without closings: the first moment that matters to a balance of now."""
        usage, credit = await self._client.run(running.read_beginnings, self._client, agreements.builder)
        agreed = [record.effective_from for record in agreements.plan_records] + ([credit] if credit else [])
        return max(usage, min(agreed)) if usage is not None and agreed else None

    async def _rule_books(self) -> RuleBooks:
        records = await self._sink.read_book_records()
        place, known = self._rules
        if records.newest_place != place:
            known = (await asyncio.to_thread(books_of, await self._sink.read_books(RULES_KINDS)))[1]
            self._rules = (records.newest_place, known)
        return known


def portions(tenants: Iterable[str]) -> list[list[str]]:
    """In order of bytes, few enough at once to be named in a statement."""
    found: list[list[str]] = []
    size = PORTION_BYTES
    for name in sorted(set(tenants), key=str.encode):
        if size + len(name.encode()) > PORTION_BYTES or len(found[-1]) >= PORTION_TENANTS:
            found.append([])
            size = 0
        found[-1].append(name)
        size += len(name.encode())
    return found


def _computed(
    given: Sequence[StatementInput],
    fx: FxRates,
    held: Mapping[str, tuple[GrantBalance, ...]] | None,
    as_of: datetime,
) -> list[Balance]:
    found = []
    for each in given:
        grants = each.grants if held is None else held[each.tenant]
        whole = replace(each, fx=fx, grants=grants)
        try:
            made = statement(whole)
        except BillingError as error:  # what is on record of this tenant contradicts itself; others are well
            found.append(Balance(whole, as_of, None, str(error)))
            continue
        if isinstance(made, Refusal) and whole.statement_currency != whole.currency:
            whole = replace(whole, statement_currency=whole.currency)  # in the charge currency: better than nothing
            made = statement(whole)
        if isinstance(made, Refusal):
            found.append(Balance(whole, as_of, None, "; ".join(missing.text for missing in made.missing)))
        else:
            found.append(Balance(whole, as_of, made))
    return found


def _afterwards(balance: Balance) -> tuple[GrantBalance, ...]:
    """Credits as the next period finds them."""
    made = balance.statement
    if made is None:
        return balance.given.grants
    used: dict[str, Decimal] = {}
    sold = set()
    for draw in made.draws:
        used[draw.grant_id] = EXACT.add(used.get(draw.grant_id, ZERO), draw.quantity)
        if draw.kind == "sold":
            sold.add(draw.grant_id)
    before = (
        replace(held, used=EXACT.add(held.used, used.get(held.grant.id, ZERO)), sold=held.sold or held.grant.id in sold)
        for held in balance.given.grants
    )
    return (*before, *(GrantBalance(grant) for grant in made.carried_over))

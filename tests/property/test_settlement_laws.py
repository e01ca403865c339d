"""Laws of money after closing: whatever is closed, disputed, paid out and paid, in whatever order.

Everything is added up a second way, from the postings themselves: what a Builder was paid and what is carried is what
the Builder's accounts came to; what is open on statements is what stands on tenants' receivables; and all accounts
together come to 0 in every currency. What a green run cannot say is that a note means what its docstring says.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.currencies import exponent
from billing.fx import FxRates, Rate
from billing.loading import parse_version
from billing.payout_terms import PayoutTerms
from billing.payouts import ACCOUNTS
from billing.periods import Period
from billing.plans import Segment, TaxRate
from billing.postings import PROVIDER_PAYABLE
from billing.settled import KINDS, NoteKind
from billing.statements import Statement, UsageLine
from sinks.payouts import PAYOUT_JOURNAL, PayoutRecord
from sinks.statements import StatementQuery
from tests.support import statement_strategies as any_
from tests.support.closings import Closings
from tests.support.settlement import MemorySettlement, put_closed
from tests.support.statement_strategies import NOVEMBER, OCTOBER
from tollstream.disputes.recording import note, notes_on
from tollstream.disputes.request import NoteRequest
from tollstream.payouts.deciding import decide
from tollstream.payouts.marking import mark_paid
from tollstream.payouts.posting import NOTES, unposted
from tollstream.payouts.refusal import AlreadyPaidError
from tollstream.payouts.rewarding import reward
from tollstream.payouts.terms import publish_terms

NOW = datetime(2027, 6, 1, tzinfo=UTC)
VAT = TaxRate(id="vat", label="VAT", rate="0.21")  # type: ignore[arg-type]
RATES = FxRates(
    [Rate(date(2026, 10, 31), "USD", quote, Decimal("0.917")) for quote in ("EUR", "JPY")]
    + [Rate(date(2026, 11, 30), "USD", quote, Decimal("1.0931")) for quote in ("EUR", "JPY")]
)
Lines = list[UsageLine]
# (kind, which statement, which part of the most that it takes, in percent, fee in percent of that)
notes = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 9), st.integers(1, 100), st.sampled_from([0, 10]), st.booleans()),
    max_size=6,
)
tenants = st.lists(
    st.tuples(
        any_.segments(OCTOBER), any_.segments(NOVEMBER), any_.usage_lines(), any_.usage_lines(2), any_.usage_lines(3),
        st.sampled_from(["USD", "EUR", "JPY"]), st.sampled_from([None, VAT]),
    ),
    min_size=1, max_size=3,
)  # fmt: skip


@dataclass
class World:
    """A Builder with a few tenants, two months, and what happens to them."""

    store: MemorySettlement = field(default_factory=MemorySettlement)
    references: list[str] = field(default_factory=list)

    async def close(self, period: Period, statements: Sequence[Statement]) -> None:
        self.references += await put_closed(self.store, "acme", period, statements)
        await self.check()

    async def dispute(self, kind: NoteKind, which: int, percent: int, fee: int, *, platform: bool) -> None:
        """The part of the most that the statement takes, if that is anything."""
        if not self.references:
            return
        reference = self.references[which % len(self.references)]
        [head] = await self.store.read_heads(StatementQuery(builder="acme", number=int(reference.rsplit("-")[-1])))
        _, left = await notes_on(self.store, head)
        step = Decimal(1).scaleb(-exponent(head.currency))
        amount = (left.most(kind) * percent / 100).quantize(step, ROUND_DOWN)
        if not amount:
            return
        asked = NoteRequest(
            kind, reference, amount, "ada", "why",
            fee=(amount * fee / 100).quantize(step, ROUND_DOWN) if kind == "chargeback" else Decimal(0),
            carried_by="platform" if platform else "builder",
        )  # fmt: skip
        await note(self.store, asked, now=NOW)
        await self.check()

    async def pay_out(self, label: str, *, pays: bool) -> None:
        """Decide, decide again, and pay what there is to be paid, once."""
        decided = await decide(self.store, "acme", label, by="ada")
        assert (await decide(self.store, "acme", label, by="bob")).records == decided.records
        for record in decided.records:
            await self._pay(record, pays=pays)
        await self.check()

    async def reward(self, label: str, *, pays: bool) -> None:
        made = await reward(self.store, label, by="ada")
        assert (await reward(self.store, label, by="bob")).records == made.records
        for record in made.records:
            await self._pay(record, pays=pays)
        await self.check()

    async def _pay(self, record: PayoutRecord, *, pays: bool) -> None:
        assert record.amount >= 0
        if pays and record.amount:
            number = record.payout_id
            await mark_paid(self.store, number, reference=f"SEPA {number}", by="ada", now=NOW, early=True)
            with pytest.raises(AlreadyPaidError, match=f"under the reference 'SEPA {number}'"):
                await mark_paid(self.store, number, reference="again", by="bob", now=NOW, early=True)

    async def check(self) -> None:
        """All accounts come to 0, and tenants owe what is open on their statements."""
        assert not any(balance.residual for balance in await self.store.read_balance())
        owed: Counter[tuple[str, str]] = Counter()
        for each in await self.store.read_payable(["tenant_receivable"], None):
            owed[each.party, each.currency] += each.amount  # type: ignore[assignment]
        stands: Counter[tuple[str, str]] = Counter()
        for head in await self.store.read_heads(StatementQuery(builder="acme")):
            _, left = await notes_on(self.store, head)
            stands[head.tenant, head.currency] += left.open  # type: ignore[assignment]
        assert _plain(owed) == _plain(stands)

    async def add_up(self) -> None:
        """What was decided, against what the postings of statements and notes come to."""
        records = [
            record
            for builder in ("acme", "")
            for record in await self.store.read_journal(PAYOUT_JOURNAL, {"builder": builder})
        ]
        decided: Counter[Any] = Counter()
        for record in records:
            decided[record.kind, record.party, record.currency] += record.amount  # type: ignore[assignment]
        last = {(record.kind, record.party, record.currency): record.carried for record in records}
        for key, carried in last.items():
            decided[key] += carried  # type: ignore[assignment]
        earned: Counter[Any] = Counter()
        for each in await self.store.read_payable([*ACCOUNTS, PROVIDER_PAYABLE], None):
            if each.document_kind in ("statement", *NOTES):
                kind = "reward" if each.account == PROVIDER_PAYABLE else "payout"
                earned[kind, each.party, each.currency] -= each.amount  # type: ignore[assignment]
        assert _plain(decided) == _plain(earned)
        assert await unposted(self.store, "acme") == await unposted(self.store, "") == []


def _plain(sums: Counter[Any]) -> dict[Any, Decimal]:
    return {key: Decimal(amount) for key, amount in sums.items() if amount}


@settings(max_examples=60, deadline=None)
@given(tenants, notes, notes, notes, st.booleans(), st.booleans(), st.sampled_from(["0", "3", "1000"]))
def test_whatever_is_closed_disputed_and_paid_all_accounts_come_to_0_and_nothing_is_paid_twice(
    given_tenants: list[tuple[Any, ...]], early: list[Any], between: list[Any], late: list[Any], pays: bool,
    rewards_first: bool, threshold: str,
) -> None:  # fmt: skip
    october: list[Statement] = []
    november: list[Statement] = []
    for number, (first, second, used, changed, more, currency, tax) in enumerate(given_tenants):
        closings = Closings(tenant=f"t{number}", statement_currency=currency, fx=RATES, tax=tax)
        segments: tuple[tuple[Segment, ...], ...] = (first, second)
        closings.usage(OCTOBER, used)
        october.append(closings.close(OCTOBER, segments[0]))
        closings.change(OCTOBER, "late", changed)
        closings.change(OCTOBER, "void", [any_.taken_back(line) for line in used[:1]])
        closings.usage(NOVEMBER, more)
        november.append(closings.close(NOVEMBER, segments[1]))

    async def run() -> None:
        world = World()
        text = (
            f'version = "1"\neffective_from = 2026-01-01T00:00:00Z\nbuilder = "acme"\nhold_days = 3\n'
            f'chargeback_share = "0.6"\nthreshold = {{ USD = "{threshold}" }}\n'
        )
        await publish_terms(world.store, parse_version(text, ".toml", "t", PayoutTerms), by="eve", reason="law")
        await world.close(OCTOBER, october)
        for each in early:
            await world.dispute(*each[:4], platform=each[4])
        await world.pay_out("2026-10", pays=pays)
        if rewards_first:
            await world.reward("2026-10", pays=pays)
        for each in between:
            await world.dispute(*each[:4], platform=each[4])
        await world.close(NOVEMBER, november)
        for each in late:
            await world.dispute(*each[:4], platform=each[4])
        await world.pay_out("2026-11", pays=True)
        await world.reward("2026-11", pays=True)
        await world.add_up()

    asyncio.run(run())

"""Paid once: by hand, with a reference; what is held, zero, sent or paid is refused, and a crash is found."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.loading import parse_version
from billing.payout_terms import PayoutTerms
from sinks.errors import StoreBusyError
from sinks.journals import Journal
from sinks.payouts import MARK_JOURNAL
from sinks.statements import PostingSet
from tests.support.billed import bill, earned, month, usage
from tests.support.settlement import ClosableStore, MemorySettlement, put_closed
from tests.support.settlement_engine import on_the_engine_too
from tollstream.payouts.deciding import decide
from tollstream.payouts.marking import mark_paid, release
from tollstream.payouts.posting import mend
from tollstream.payouts.refusal import AlreadyPaidError, PayoutRefusedError
from tollstream.payouts.rewarding import reward
from tollstream.payouts.standing import Standing, State, read_one
from tollstream.payouts.terms import publish_terms

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NUMBER = "acme-P000001"


async def _decided(store: ClosableStore, *amounts: str, hold_days: int = 0) -> None:
    if hold_days:
        text = f'version = "1"\neffective_from = 2026-01-01T00:00:00Z\nbuilder = "acme"\nhold_days = {hold_days}\n'
        await publish_terms(store, parse_version(text, ".toml", "t", PayoutTerms), by="eve", reason="contract")
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", *amounts))
    await decide(store, "acme", "2026-10", by="ada")


async def _pay(store: ClosableStore, reference: str = "SEPA-1", by: str = "ada", *, early: bool = False) -> Standing:
    return await mark_paid(store, NUMBER, reference=reference, by=by, now=NOW, early=early)


async def _on(store: ClosableStore, *accounts: str) -> list[Decimal]:
    """What stands on each account, over all parties."""
    found = await store.read_payable(accounts, None)
    return [sum((each.amount for each in found if each.account == name), Decimal(0)) for name in accounts]


@on_the_engine_too
async def test_a_payout_is_paid_once_and_the_second_is_told_who_when_and_which_reference(store: ClosableStore) -> None:
    await _decided(store, "10", "5")
    assert (await read_one(store, NUMBER)).state(NOW) == State.DUE
    assert await _on(store, "payout_due") == [-15]
    paid = await _pay(store)
    assert paid.state(NOW) == State.PAID
    for reference in ("SEPA-2", "SEPA-1"):
        with pytest.raises(
            AlreadyPaidError, match="acme-P000001 was paid on 2026-12-01 00:00:00Z, says ada, under the "
        ):
            await _pay(store, reference, "bob")
    assert await _on(store, "payout_due", "cash") == [0, -15]
    assert [balance.residual for balance in await store.read_balance()] == [0]


@on_the_engine_too
async def test_of_many_who_mark_at_once_one_has_paid(store: ClosableStore) -> None:
    await _decided(store, "10")
    answers = await asyncio.gather(*(_pay(store, f"SEPA-{n}", f"p{n}") for n in range(6)), return_exceptions=True)
    [paid] = [each for each in answers if isinstance(each, Standing)]
    assert all(isinstance(each, PayoutRefusedError | Standing) for each in answers)
    assert paid.mark is not None
    assert await _on(store, "cash") == [-10]
    assert (await read_one(store, NUMBER)).mark == paid.mark


async def test_a_reward_is_paid_once_too_from_its_own_account(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), [bill("t1", "2026-10", usage("10", "3"))])
    await decide(store, "acme", "2026-10", by="ada")
    await reward(store, "2026-10", by="ada")
    await mark_paid(store, "R000001", reference="WIRE-9", by="ada", now=NOW)
    assert await _on(store, "reward_due", "payout_due", "cash") == [0, -7, -3]
    with pytest.raises(AlreadyPaidError, match="WIRE-9"):
        await mark_paid(store, "R000001", reference="WIRE-10", by="ada", now=NOW)


async def test_what_is_0_or_held_or_unknown_is_not_paid() -> None:
    store = MemorySettlement()
    await _decided(store, "10", hold_days=45)
    await put_closed(store, "acme", month("2026-11"), [])
    await decide(store, "acme", "2026-11", by="ada")
    with pytest.raises(PayoutRefusedError, match="held until 2026-12-16 00:00:00Z, for chargebacks"):
        await _pay(store)
    assert (await _pay(store, early=True)).state(NOW) == State.PAID
    with pytest.raises(PayoutRefusedError, match="acme-P000002 is 0 USD: all of it is carried"):
        await mark_paid(store, "acme-P000002", reference="x", by="ada", now=NOW)
    with pytest.raises(PayoutRefusedError, match="acme has no payout acme-P000009"):
        await mark_paid(store, "acme-P000009", reference="x", by="ada", now=NOW)
    with pytest.raises(PayoutRefusedError, match="There is no reward R000001"):
        await mark_paid(store, "R000001", reference="x", by="ada", now=NOW)
    with pytest.raises(PayoutRefusedError, match="'acme-000001' is no number of a payout"):
        await mark_paid(store, "acme-000001", reference="x", by="ada", now=NOW)


class Crashing(MemorySettlement):
    """Breaks off before the mark is recorded, or before its postings are."""

    before = ""

    async def record(self, journal: Journal[Any], entries: Sequence[Any]) -> None:
        if self.before == journal.table:
            raise StoreBusyError(doing="recording", code=None, detail="a test")
        await super().record(journal, entries)

    async def write_postings(self, sets: Sequence[PostingSet]) -> None:  # type: ignore[override]
        if self.before == "posting_sets":
            raise StoreBusyError(doing="posting", code=None, detail="a test")
        await super().write_postings(sets)


async def test_an_attempt_by_hand_that_broke_off_is_found_and_only_a_person_goes_on() -> None:
    store = Crashing()
    await _decided(store, "10")
    store.before = MARK_JOURNAL.table
    with pytest.raises(StoreBusyError):
        await _pay(store)
    store.before = ""
    assert (await read_one(store, NUMBER)).state(NOW) == State.UNCONFIRMED
    assert (await _pay(store)).state(NOW) == State.PAID
    assert await _on(store, "cash") == [-10]


async def test_an_attempt_that_did_not_pay_is_released_with_a_reason_and_is_due_again() -> None:
    store = Crashing()
    await _decided(store, "10")
    with pytest.raises(PayoutRefusedError, match="not waiting for anybody"):
        await release(store, NUMBER, by="ada", reason="why")
    store.before = MARK_JOURNAL.table
    with pytest.raises(StoreBusyError):
        await _pay(store)
    store.before = ""
    released = await release(store, NUMBER, by="bob", reason="the bank has no such order")
    assert released.state(NOW) == State.DUE
    assert [each.state for each in released.sends] == ["sent", "released"]
    assert (await _pay(store)).state(NOW) == State.PAID
    with pytest.raises(AlreadyPaidError):
        await release(store, NUMBER, by="bob", reason="again")


async def test_a_mark_whose_postings_a_crash_left_out_is_posted_by_whoever_comes_next() -> None:
    store = Crashing()
    await _decided(store, "10")
    store.before = "posting_sets"
    with pytest.raises(StoreBusyError):
        await _pay(store)
    store.before = ""
    assert await _on(store, "cash") == [0]
    assert await mend(store, "acme") == 1
    assert await _on(store, "cash", "payout_due") == [-10, 0]

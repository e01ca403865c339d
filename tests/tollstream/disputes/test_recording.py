"""Notes on closed statements: what each one posts, once, numbered, and never more than what stands open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.loading import parse_version
from billing.payout_terms import PayoutTerms
from billing.settled import NoteKind
from sinks.closings import FROZEN
from sinks.errors import StoreBusyError
from sinks.payouts import NOTE_JOURNAL
from sinks.statements import PostingSet
from tests.support.billed import bill, month, usage
from tests.support.settlement import ClosableStore, MemorySettlement, put_closed
from tests.support.settlement_engine import on_the_engine_too
from tollstream.disputes.recording import Result, note, notes_on, read_statement
from tollstream.disputes.request import NoteRefusedError, NoteRequest, amount_of
from tollstream.payouts.documents import postings_of
from tollstream.payouts.terms import publish_terms

D = Decimal
NOW = datetime(2026, 12, 1, tzinfo=UTC)


async def _billed(store: ClosableStore, charge: str = "100", *, tax: bool = True, **more: str) -> str:
    """A statement of a tenant who is charged so much, 21 % tax on top."""
    [reference] = await put_closed(
        store, "acme", month("2026-10"), [bill("globex", "2026-10", usage(charge, "30", "10"), tax=tax, **more)]
    )
    return reference


async def _note(store: ClosableStore, kind: NoteKind, about: str, amount: str, **more: str) -> Result:
    fee = D(more.pop("fee", "0"))
    return await note(store, NoteRequest(kind, about, D(amount), "ada", "ticket 812", fee=fee, **more), now=NOW)  # type: ignore[arg-type]


def _postings(result: Result) -> dict[str, str]:
    found = postings_of(result.record.document)
    return {f"{each.account} {each.currency}": f"{each.amount.normalize():f}" for each in found}


async def _residuals(store: ClosableStore) -> dict[str, Decimal]:
    return {balance.currency: balance.residual for balance in await store.read_balance()}


async def test_a_credit_note_takes_net_from_the_builder_and_tax_from_what_is_owed(store: ClosableStore) -> None:
    reference = await _billed(store)
    made = await _note(store, "credit_note", reference, "24.20")
    assert (reference, made.record.note_id, made.left.open) == ("acme-000001", "acme-N000001", D("96.80"))
    assert _postings(made) == {"tenant_receivable USD": "-24.2", "tax_payable USD": "4.2", "builder_refund USD": "20"}
    assert await _residuals(store) == {"USD": 0}


async def test_a_credit_note_of_the_platform_leaves_the_builder_alone(store: ClosableStore) -> None:
    made = await _note(store, "credit_note", await _billed(store), "24.20", carried_by="platform")
    assert _postings(made) == {"tenant_receivable USD": "-24.2", "tax_payable USD": "4.2", "platform_refund USD": "20"}


async def test_a_write_off_is_the_platforms_loss(store: ClosableStore) -> None:
    made = await _note(store, "write_off", await _billed(store), "121")
    assert _postings(made) == {"tenant_receivable USD": "-121", "tax_payable USD": "21", "write_off USD": "100"}
    assert made.left.open == 0


async def test_a_refund_gives_back_what_was_paid_and_credited(store: ClosableStore) -> None:
    reference = await _billed(store)
    with pytest.raises(NoteRefusedError, match=r"takes a refund of at most 0\.00 USD, not 5\.00: billed 121\.00, open"):
        await _note(store, "refund", reference, "5")
    await _note(store, "payment", reference, "121")
    await _note(store, "credit_note", reference, "21")
    made = await _note(store, "refund", reference, "21")
    assert _postings(made) == {"tenant_receivable USD": "21", "cash USD": "-21"}
    assert made.left.open == 0
    assert await _residuals(store) == {"USD": 0}


async def test_a_payment_that_did_not_stand_is_owed_again(store: ClosableStore) -> None:
    reference = await _billed(store)
    await _note(store, "payment", reference, "100")
    request = NoteRequest("refund", reference, D(60), "ada", "the debit came back", reopens=True)
    made = await note(store, request, now=NOW)
    assert (made.left.open, _postings(made)) == (D("81.00"), {"tenant_receivable USD": "60", "cash USD": "-60"})
    with pytest.raises(NoteRefusedError, match=r"takes a refund of at most 40\.00 USD, not 60\.00"):
        await note(store, request, now=NOW)
    assert await _residuals(store) == {"USD": 0}


@on_the_engine_too
async def test_a_chargeback_follows_the_terms_in_force_fee_included(store: ClosableStore) -> None:
    reference = await _billed(store)
    await _note(store, "payment", reference, "121")
    whole = await _note(store, "chargeback", reference, "20", fee="15")
    assert _postings(whole) == {"cash USD": "-35", "builder_chargeback USD": "35"}
    text = 'version = "1"\neffective_from = 2026-01-01T00:00:00Z\nbuilder = "acme"\nchargeback_share = "0.3"\n'
    await publish_terms(store, parse_version(text, ".toml", "t", PayoutTerms), by="eve", reason="contract")
    shared = await _note(store, "chargeback", reference, "101", fee="15")
    assert _postings(shared) == {
        "cash USD": "-116", "builder_chargeback USD": "34.8", "platform_chargeback USD": "81.2",
    }  # fmt: skip
    assert json.loads(shared.record.document)["policy"] == {"version": "1", "builder_share": "0.3"}
    with pytest.raises(NoteRefusedError, match=r"takes a chargeback of at most 0\.00 USD"):
        await _note(store, "chargeback", reference, "0.01")


@on_the_engine_too
async def test_a_note_in_another_currency_is_carried_at_the_statements_own_rate(store: ClosableStore) -> None:
    reference = await _billed(store, "100", tax=False, currency="EUR", rate="0.8")
    made = await _note(store, "credit_note", reference, "20")
    found = {(each.account, each.currency): each.amount for each in postings_of(made.record.document)}
    assert found["builder_refund", "USD"] == 25  # 20 / 0.8
    assert found["tenant_receivable", "EUR"] == -20
    assert await _residuals(store) == {"EUR": 0, "USD": 0}


@on_the_engine_too
async def test_notes_are_numbered_without_gaps_whoever_records_at_once(store: ClosableStore) -> None:
    reference = await _billed(store)
    await asyncio.gather(*(_note(store, "credit_note", reference, "1") for _ in range(5)))
    notes, left = await notes_on(store, await read_statement(store, reference))
    assert [record.note_id for record in notes] == [f"acme-N{number:06d}" for number in range(1, 6)]
    assert left.open == 116
    assert len(await store.read_posted_documents("acme", ["credit_note"])) == 5
    assert sum(D(json.loads(record.document)["tax"]) for record in notes) == D("0.87")  # 5 x 21 / 121, rounded once


@on_the_engine_too
async def test_more_than_stands_open_is_refused_also_of_two_at_once(store: ClosableStore) -> None:
    reference = await _billed(store)
    wanted = (_note(store, "write_off", reference, "70") for _ in range(3))
    answers = await asyncio.gather(*wanted, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, NoteRefusedError)]
    assert len(refused) == 2
    assert "takes a write-off of at most 51.00 USD, not 70.00: billed 121.00, " in str(refused[0])
    assert "written off 70.00, open 51.00. " in str(refused[0])


@on_the_engine_too
async def test_under_one_key_it_is_recorded_once_and_another_request_is_a_conflict(store: ClosableStore) -> None:
    reference = await _billed(store)
    asked = [_note(store, "credit_note", reference, "5", key="t812") for _ in range(3)]
    first, *others = await asyncio.gather(*asked)
    assert {each.record.note_id for each in others} == {first.record.note_id}
    assert [first.new, *(each.new for each in others)].count(True) == 1
    again = await _note(store, "credit_note", reference, "5.0", key="t812")
    assert (again.new, again.left.open) == (False, D(116))
    with pytest.raises(NoteRefusedError, match=r"The key 't812' was used for acme-N000001 with amount '5\.00', not '6"):
        await _note(store, "credit_note", reference, "6", key="t812")
    with pytest.raises(NoteRefusedError, match="with kind 'credit_note', not 'write_off'"):
        await _note(store, "write_off", reference, "5", key="t812")


async def test_a_dry_run_judges_and_records_nothing(store: ClosableStore) -> None:
    reference = await _billed(store)
    request = NoteRequest("credit_note", reference, D(21), "ada", "why")
    made = await note(store, request, now=NOW, dry_run=True)
    assert made.left.open == 100
    assert made.record.recorded_at == NOW
    assert await store.read_journal(NOTE_JOURNAL, {"builder": "acme"}) == []
    assert await store.read_posted_documents("acme", ["credit_note"]) == set()


@pytest.mark.parametrize(
    ("about", "amount", "sentence"),
    [
        ("acme-000009", "1", "acme has no statement acme-000009: only statements of closed periods have numbers"),
        ("globex", "1", "'globex' is no number of a statement: they look like acme-000042"),
        ("acme-000001", "0.001", "--amount 0.001 is no whole number of 0.01 USD"),
    ],
)
async def test_a_mistake_is_a_sentence(about: str, amount: str, sentence: str) -> None:
    store = MemorySettlement()
    await _billed(store)
    with pytest.raises(NoteRefusedError, match=sentence):
        await _note(store, "credit_note", about, amount)


async def test_a_note_is_about_a_line_that_the_statement_has(store: ClosableStore) -> None:
    reference = await _billed(store)
    assert (await _note(store, "credit_note", reference, "1", line="usage/r1")).record.line == "usage/r1"
    with pytest.raises(NoteRefusedError, match="has no line 'usage/r2': its lines are usage/r1, tax/vat"):
        await _note(store, "credit_note", reference, "1", line="usage/r2")
    assert len(await store.read_journal(NOTE_JOURNAL, {"builder": "acme"})) == 1


async def test_a_statement_of_a_period_that_is_not_closed_takes_no_note(store: ClosableStore) -> None:
    statements = [bill("globex", "2026-10", usage("100"))]
    await put_closed(store, "acme", month("2026-10"), statements, state=FROZEN)
    with pytest.raises(NoteRefusedError, match="only statements of closed periods"):
        await _note(store, "credit_note", "acme-000001", "1")


@pytest.mark.parametrize("typed", ["-1", "1e400", "NaN", "ten", "1.0001"])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(NoteRefusedError, match="--amount"):
        amount_of("--amount", typed)


class Breaking(MemorySettlement):
    """Breaks off before postings are written."""

    breaks = False

    async def write_postings(self, sets: Sequence[PostingSet]) -> None:  # type: ignore[override]
        if self.breaks:
            raise StoreBusyError(doing="posting", code=None, detail="a test")
        await super().write_postings(sets)


async def test_a_note_whose_postings_a_crash_left_out_is_posted_when_it_is_asked_again() -> None:
    store = Breaking()
    reference = await _billed(store)
    store.breaks = True
    with pytest.raises(StoreBusyError):
        await _note(store, "credit_note", reference, "5", key="k")
    store.breaks = False
    assert await store.read_posted_documents("acme", ["credit_note"]) == set()
    assert (await _note(store, "credit_note", reference, "5", key="k")).new is False
    assert len(await store.read_posted_documents("acme", ["credit_note"])) == 1
    assert await _residuals(store) == {"USD": 0}

"""Deciding payouts: what is in them, in which order, once; and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.fx import FxRates, Rate
from billing.loading import parse_version
from billing.payout_terms import PayoutTerms
from billing.periods import PeriodError
from billing.settled import NoteKind
from billing.statements import Statement, StatementInput, statement
from sinks.closings import FROZEN, PLANNED
from sinks.errors import StoreBusyError
from sinks.payouts import PayoutRecord
from sinks.statements import PostingSet
from tests.support.billed import bill, earned, month, usage
from tests.support.settlement import ClosableStore, MemorySettlement, put_closed
from tests.support.settlement_engine import on_the_engine_too
from tollstream.disputes.recording import note
from tollstream.disputes.request import NoteRequest
from tollstream.payouts.deciding import Decision, decide, decide_all
from tollstream.payouts.posting import mend, unposted
from tollstream.payouts.refusal import PayoutRefusedError
from tollstream.payouts.standing import Standing
from tollstream.payouts.terms import publish_terms

D = Decimal
NOW = datetime(2026, 12, 1, tzinfo=UTC)


async def _decide(store: ClosableStore, label: str, *, dry_run: bool = False) -> Decision:
    return await decide(store, "acme", label, by="ada", dry_run=dry_run)


async def _agree(store: ClosableStore, version: str, since: str, more: str, builder: str = "acme") -> None:
    text = f'version = "{version}"\neffective_from = {since}T00:00:00Z\nbuilder = "{builder}"\n{more}\n'
    await publish_terms(store, parse_version(text, ".toml", "terms", PayoutTerms), by="eve", reason="contract")


async def _note(store: ClosableStore, kind: NoteKind, about: str, amount: str, fee: str = "0") -> str:
    result = await note(store, NoteRequest(kind, about, D(amount), "ada", "why", fee=D(fee)), now=NOW)
    return result.record.note_id


def _lines(record: PayoutRecord) -> list[str]:
    lines = json.loads(record.document)["lines"]
    return [f"{line['kind']} {line['refers_to']} {D(line['exact']).normalize():f} {line['amount']}" for line in lines]


def _one(decision: Decision) -> PayoutRecord:
    [record] = decision.records
    return record


@on_the_engine_too
async def test_a_payout_is_what_the_statements_left_to_the_builder_line_by_line(store: ClosableStore) -> None:
    october = [
        bill("t1", "2026-10", usage("12.345", "5", "2.1")),  # 5.245 to the Builder
        bill("t2", "2026-10", usage("1", "0.7", "0.3004")),  # -0.0004
    ]
    await put_closed(store, "acme", month("2026-10"), october)
    decision = await _decide(store, "2026-10")
    record = _one(decision)
    assert decision.new
    assert (record.payout_id, record.amount, record.carried) == ("acme-P000001", D("5.24"), D("0.0046"))
    assert _lines(record) == ["gross usage 5.2446 5.24", "carried_out 2026-10 -0.0046 0.00"]
    assert record.due_at == datetime(2026, 11, 1, tzinfo=UTC)
    assert [balance.residual for balance in await store.read_balance()] == [0]


async def test_run_again_it_answers_what_stands(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    first = await _decide(store, "2026-10")
    again = await _decide(store, "2026-10")
    assert (first.new, again.new) == (True, False)
    assert again.records == first.records
    assert len(await store.read_posted_documents("acme", ["payout"])) == 1


async def test_a_dry_run_says_the_same_and_records_nothing(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    dry = _one(await _decide(store, "2026-10", dry_run=True))
    assert not await store.read_posted_documents("acme", ["payout"])
    real = _one(await _decide(store, "2026-10"))
    assert dry.document == real.document
    assert Standing(dry, None, ()).as_json(NOW)["decided_at"] is None  # a day of 1970 would be no answer
    assert Standing(real, None, ()).as_json(NOW)["decided_at"] is not None


@pytest.mark.parametrize("state", [PLANNED, FROZEN])
async def test_a_period_that_is_not_closed_is_refused(store: ClosableStore, state: str) -> None:
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"), state=state)
    with pytest.raises(PayoutRefusedError, match="acme has not closed 2026-10: nothing is paid out of a period that"):
        await _decide(store, "2026-10")
    assert await store.read_posted_documents("acme", ["payout"]) == set()


async def test_who_never_closed_and_what_is_no_period_are_told_apart() -> None:
    store = MemorySettlement()
    with pytest.raises(PayoutRefusedError, match="acme has closed no period yet"):
        await _decide(store, "2026-10")
    await put_closed(store, "acme", month("2026-10"), [])
    with pytest.raises(PeriodError, match="a month is written like 2026-10"):
        await _decide(store, "October")


async def test_periods_are_paid_in_order_each_by_itself(store: ClosableStore) -> None:
    for label, amount in (("2026-10", "10"), ("2026-11", "11"), ("2026-12", "12")):
        await put_closed(store, "acme", month(label), earned(label, amount))
    with pytest.raises(PayoutRefusedError, match="2026-10 of acme is closed and has no payout yet"):
        await _decide(store, "2026-11")
    amounts = [_one(await _decide(store, label)).amount for label in ("2026-10", "2026-11", "2026-12")]
    assert amounts == [D("10.00"), D("11.00"), D("12.00")]
    numbers = [_one(await _decide(store, label)).payout_id for label in ("2026-10", "2026-11", "2026-12")]
    assert numbers == ["acme-P000001", "acme-P000002", "acme-P000003"]


async def test_what_is_below_the_threshold_waits_until_it_is_reached(store: ClosableStore) -> None:
    await _agree(store, "1", "2026-01-01", 'hold_days = 14\nthreshold = { USD = "50" }')
    records = []
    for label, amount in (("2026-09", "20.005"), ("2026-10", "29.99"), ("2026-11", "0.01")):
        await put_closed(store, "acme", month(label), earned(label, amount))
        records.append(_one(await _decide(store, label)))
    assert [(record.amount, record.carried) for record in records] == [
        (D("0.00"), D("20.005")), (D("0.00"), D("49.995")), (D("50.00"), D("0.005")),
    ]  # fmt: skip
    assert _lines(records[2]) == [
        "gross usage 0.01 0.01", "carried_in carried 2026-10 49.995 50.00", "carried_out 2026-11 -0.005 -0.01",
    ]  # fmt: skip
    assert records[2].due_at == datetime(2026, 12, 15, tzinfo=UTC)


async def test_a_loss_is_taken_off_what_is_earned_later(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), [bill("t1", "2026-10", usage("1", "4", "1"))])  # -4
    await put_closed(store, "acme", month("2026-11"), earned("2026-11", "10"))
    assert _one(await _decide(store, "2026-10")).carried == D(-4)
    assert _one(await _decide(store, "2026-11")).amount == D("6.00")


@on_the_engine_too
async def test_a_chargeback_is_in_the_next_payout_by_the_share_that_was_agreed(store: ClosableStore) -> None:
    await _agree(store, "1", "2026-01-01", 'chargeback_share = "0.75"')
    [reference] = await put_closed(store, "acme", month("2026-10"), earned("2026-10", "40"))
    await _decide(store, "2026-10")
    await _note(store, "payment", reference, "40")
    number = await _note(store, "chargeback", reference, "40", fee="15")
    await put_closed(store, "acme", month("2026-11"), earned("2026-11", "100"))
    record = _one(await _decide(store, "2026-11"))
    assert _lines(record) == ["gross usage 100 100.00", f"chargeback {number} -41.25 -41.25"]  # 0.75 x (40 + 15)
    assert record.amount == D("58.75")
    assert [balance.residual for balance in await store.read_balance()] == [0]


async def test_a_credit_note_before_the_payout_is_in_it_and_one_after_it_in_the_next(store: ClosableStore) -> None:
    references = await put_closed(store, "acme", month("2026-10"), earned("2026-10", "40", "50"))
    before = await _note(store, "credit_note", references[0], "5")
    october = _one(await _decide(store, "2026-10"))
    after = await _note(store, "credit_note", references[1], "7")
    assert _one(await _decide(store, "2026-10")) == october
    await put_closed(store, "acme", month("2026-11"), [])
    november = _one(await _decide(store, "2026-11"))
    assert _lines(october) == ["gross usage 90 90.00", f"refund {before} -5 -5.00"]
    assert _lines(november) == [f"refund {after} -7 -7.00", "carried_out 2026-11 7 7.00"]
    assert (october.amount, november.amount, november.carried) == (D("85.00"), D("0.00"), D(-7))


async def test_a_month_without_anything_is_decided_too_and_stays_so(store: ClosableStore) -> None:
    [reference] = await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    await put_closed(store, "acme", month("2026-11"), [])
    await _decide(store, "2026-10")
    quiet = await _decide(store, "2026-11")
    await _note(store, "credit_note", reference, "4")
    again = await _decide(store, "2026-11")
    assert (_one(quiet).amount, again.new, again.records) == (D("0.00"), False, quiet.records)


async def test_terms_hold_from_their_date_and_a_decided_payout_keeps_its_own(store: ClosableStore) -> None:
    await _agree(store, "1", "2026-01-01", "hold_days = 7")
    await _agree(store, "2", "2026-11-01", "hold_days = 30")
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    await put_closed(store, "acme", month("2026-11"), earned("2026-11", "10"))
    october, november = _one(await _decide(store, "2026-10")), _one(await _decide(store, "2026-11"))
    await _agree(store, "3", "2026-06-01", "hold_days = 99")
    assert _one(await _decide(store, "2026-10")).due_at == october.due_at == datetime(2026, 11, 8, tzinfo=UTC)
    assert november.due_at == datetime(2026, 12, 31, tzinfo=UTC)
    assert json.loads(november.document)["terms"] == {"version": "2", "threshold": "0", "hold_days": 30}


async def test_terms_are_published_once_and_never_changed(store: ClosableStore) -> None:
    await _agree(store, "1", "2026-01-01", "hold_days = 7")
    await _agree(store, "1", "2026-01-01", "hold_days = 7")
    with pytest.raises(PayoutRefusedError, match="stands with another text"):
        await _agree(store, "1", "2026-01-01", "hold_days = 8")
    with pytest.raises(PayoutRefusedError, match="holds from 2026-01-01"):
        await _agree(store, "2", "2026-01-01", "hold_days = 8")


@on_the_engine_too
async def test_builders_and_currencies_are_paid_apart(store: ClosableStore) -> None:
    euro = usage("5")._replace(currency="EUR")
    october = bill("t1", "2026-10", usage("7"))
    rates = FxRates([Rate(month("2026-10").last_day, "EUR", "USD", D("1.1"))])
    mixed = statement(StatementInput("acme", "t2", month("2026-10"), "USD", "USD", (), (euro,), (), (), rates))
    assert isinstance(mixed, Statement)
    await put_closed(store, "acme", month("2026-10"), [october, mixed])
    await put_closed(store, "bolt", month("2026-10"), earned("2026-10", "3", builder="bolt"))
    decided = await decide_all(store, "2026-10", by="ada")
    found = [(each.payout_id, each.currency, each.amount) for one in decided.decisions for each in one.records]
    assert found == [
        ("acme-P000001", "EUR", D("5.00")), ("acme-P000002", "USD", D("7.00")), ("bolt-P000001", "USD", D("3.00")),
    ]  # fmt: skip
    assert {balance.currency: balance.residual for balance in await store.read_balance()} == {"EUR": 0, "USD": 0}


async def test_who_has_not_closed_is_named_and_the_others_are_decided(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    await put_closed(store, "bolt", month("2026-09"), [])
    await put_closed(store, "late", month("2026-10"), [], state=PLANNED)
    await put_closed(store, "newer", month("2026-11"), [])
    decided = await decide_all(store, "2026-10", by="ada")
    assert [each.builder for each in decided.decisions] == ["acme"]
    assert [sentence.split()[0] for sentence in decided.refused] == ["bolt", "late"]
    await put_closed(store, "bolt", month("2026-10"), [])
    again = await decide_all(store, "2026-10", by="ada")
    assert [(each.builder, each.new) for each in again.decisions] == [("acme", False)]
    assert again.refused[1].startswith("2026-09 of bolt is closed and has no payout yet")
    with pytest.raises(PayoutRefusedError, match="Nobody has closed a period 2027-01"):
        await decide_all(MemorySettlement(), "2027-01", by="ada")


@on_the_engine_too
async def test_two_who_decide_at_once_come_to_one_payout(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    decisions = await asyncio.gather(*(_decide(store, "2026-10") for _ in range(4)))
    assert sum(each.new for each in decisions) == 1
    assert len({each.records for each in decisions}) == 1


class Breaking(MemorySettlement):
    """Breaks off before postings are written."""

    breaks = False

    async def write_postings(self, sets: Sequence[PostingSet]) -> None:  # type: ignore[override]
        if self.breaks:
            raise StoreBusyError(doing="posting", code=None, detail="a test")
        await super().write_postings(sets)


async def test_what_a_crash_left_unposted_is_posted_by_the_next_and_paid_once() -> None:
    store = Breaking()
    await put_closed(store, "acme", month("2026-10"), earned("2026-10", "10"))
    await put_closed(store, "acme", month("2026-11"), earned("2026-11", "11"))
    store.breaks = True
    with pytest.raises(StoreBusyError):
        await _decide(store, "2026-10")
    store.breaks = False
    assert [each.document for each in await unposted(store, "acme")] == ["acme-P000001"]
    # Decided is decided, posted or not: the next payout takes it off all the same.
    november = await decide(store, "acme", "2026-11", by="ada", dry_run=True)
    assert _one(november).amount == D("11.00")
    assert await mend(store, "acme") == 1
    assert await unposted(store, "acme") == []
    assert _one(await _decide(store, "2026-11")).amount == D("11.00")
    assert [balance.residual for balance in await store.read_balance()] == [0]

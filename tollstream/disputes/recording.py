"""Recording a note: judged against everything that was noted on the statement before, at a place that one writer gets.

1  the statement is read, of closed periods only, with the rate at which it was charged
2  judged      its key: asked before, it is that note, and nothing is recorded; with another body it is refused
               its amount: at most what the statement still takes
3  recorded    at the next place of the Builder's notes, which is its number; whoever was second is judged again
4  posted      a crash before that is mended by whoever comes next
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from billing.currencies import exponent
from billing.disputes import ChargebackPolicy, Disputed, chargeback, credit_note, payment, refund, write_off
from billing.money import EXACT, ROUNDING
from billing.postings import Posting
from billing.settled import Settled, settled
from sinks.journals import JournalStore, append
from sinks.payable import Charged, SettlementStore
from sinks.payouts import NOTE_JOURNAL, NoteRecord
from sinks.statements import StatementHead, StatementQuery, number_of
from tollstream.disputes.documents import asked, note_document, noted
from tollstream.disputes.request import NAMES, NoteRefusedError, NoteRequest
from tollstream.payouts.documents import text
from tollstream.payouts.posting import mend, note_postings
from tollstream.payouts.terms import read_terms

LINES_SHOWN = 20
RATE_STEP = Decimal(1).scaleb(-24)


@dataclass(frozen=True, slots=True)
class Result:
    """The note, and what is left of the statement after it; `new` if this call has recorded it."""

    record: NoteRecord
    left: Settled
    new: bool


async def note(store: SettlementStore, request: NoteRequest, *, now: datetime, dry_run: bool = False) -> Result:
    """Record a note, or answer the one that was recorded under its key. Raises `NoteRefusedError`, `DisputeError`."""
    about = await read_statement(store, request.statement)
    request = _in_units(request, about.currency)
    charged = await store.read_charged(about.builder, about.number)
    lines = await _line_keys(store, about) if request.line else ()
    if not dry_run:
        await mend(store, about.builder)
    policy: tuple[str, ChargebackPolicy] | None = None
    if request.kind == "chargeback":
        policy = (await read_terms(store, about.builder)).chargeback_policy_at(now)

    def judge(standing: list[NoteRecord]) -> Sequence[NoteRecord]:
        if _same(standing, request) is not None:
            return []
        _refuse_unknown_line(request, lines)
        stands = _settled(about, standing)
        _refuse_too_much(request, about, stands)
        number = f"{about.builder}-N{NOTE_JOURNAL.next_place(standing):06d}"
        tax = stands.tax_of(request.amount) if request.kind in ("credit_note", "write_off") else Decimal(0)
        followed = {"version": policy[0], "builder_share": text(policy[1].builder_share)} if policy else {}
        disputed = _disputed(about, charged, number)
        postings = _postings(request, disputed, tax, policy[1] if policy else ChargebackPolicy())
        document = note_document(number, request, about, tax, followed, postings)
        return [_record(request, about, number, document)]

    where = {"builder": about.builder}
    if dry_run:
        standing = await store.read_journal(NOTE_JOURNAL, where)
        made = list(judge(standing))
        made = [replace(each, recorded_at=now) for each in made]
        record = made[0] if made else _same(standing, request)
    else:
        made = await append(store, NOTE_JOURNAL, where, judge)
        standing = await store.read_journal(NOTE_JOURNAL, where)
        record = made[0] if made else _same(standing, request)
    if record is None:  # between two readings an entry does not go away
        raise NoteRefusedError(f"The store does not show the note under the key {request.key!r}: ask again.")
    if not dry_run:
        await store.write_postings([note_postings(record)])
    extra = [record] if dry_run and made else []
    return Result(record, _settled(about, [*standing, *extra]), new=bool(made))


async def read_statement(store: SettlementStore, reference: str) -> StatementHead:
    """The closed statement of this number; NoteRefusedError where there is none."""
    found = number_of(reference.strip())
    if found is None:
        raise NoteRefusedError(f"{reference!r} is no number of a statement: they look like acme-000042.")
    builder, number = found
    heads = await store.read_heads(StatementQuery(builder=builder, number=number))
    if not heads:
        raise NoteRefusedError(
            f"{builder} has no statement {reference.strip()}: only statements of closed periods have numbers, "
            f"`tollstream statement {builder}` lists them."
        )
    return heads[0]


async def notes_on(store: JournalStore, about: StatementHead) -> tuple[list[NoteRecord], Settled]:
    """The notes on a statement, oldest first, and what stands open after them."""
    standing = await store.read_journal(NOTE_JOURNAL, {"builder": about.builder})
    mine = [record for record in standing if record.statement == about.reference]
    return mine, _settled(about, mine)


async def _line_keys(store: SettlementStore, about: StatementHead) -> Sequence[str]:
    [stored] = await store.read_statements(StatementQuery(builder=about.builder, number=about.number))
    return [line["key"] for line in json.loads(stored.document)["lines"]]


def _refuse_unknown_line(request: NoteRequest, keys: Sequence[str]) -> None:
    if request.line and request.line not in keys:
        shown = ", ".join(keys[:LINES_SHOWN]) + (f" and {len(keys) - LINES_SHOWN} more" if keys[LINES_SHOWN:] else "")
        raise NoteRefusedError(f"{request.statement} has no line {request.line!r}: its lines are {shown}.")


def _in_units(request: NoteRequest, currency: str) -> NoteRequest:
    """Amounts with the currency's places, where they have no more."""
    step = Decimal(1).scaleb(-exponent(currency))
    for name, amount in (("--amount", request.amount), ("--fee", request.fee)):
        if amount % step:
            raise NoteRefusedError(f"{name} {text(amount)} is no whole number of {step} {currency}.")
    return replace(request, amount=request.amount.quantize(step), fee=request.fee.quantize(step))


def _same(standing: Sequence[NoteRecord], request: NoteRequest) -> NoteRecord | None:
    """The note that was recorded under the request's key; NoteRefusedError if that asked for something else."""
    if not request.key:
        return None
    for record in standing:
        document = json.loads(record.document)
        if document["key"] != request.key:
            continue
        wanted = asked(request)
        for name, value in wanted.items():
            if not _equal(document.get(name), value):
                raise NoteRefusedError(
                    f"The key {request.key!r} was used for {record.note_id} with {name} {document.get(name)!r}, not "
                    f"{value!r}: nothing was recorded. A key stands for one note; take another one."
                )
        return record
    return None


def _equal(one: object, other: object) -> bool:
    """12.5 and 12.50 are one amount."""
    if one == other or not (isinstance(one, str) and isinstance(other, str)):
        return one == other
    try:
        return Decimal(one) == Decimal(other)
    except ArithmeticError:
        return False


def _settled(about: StatementHead, standing: Sequence[NoteRecord]) -> Settled:
    mine = [noted(record) for record in standing if record.statement == about.reference]
    return settled(about.currency, about.total, about.tax, about.paid, mine)


def _refuse_too_much(request: NoteRequest, about: StatementHead, stands: Settled) -> None:
    most = stands.payments_standing if request.reopens else stands.most(request.kind)
    if request.amount <= most:
        return
    raise NoteRefusedError(
        f"{about.reference} of {about.tenant} takes a {NAMES[request.kind]} of at most {text(most)} {about.currency}, "
        f"not {text(request.amount)}: {_account(stands)}. {_WHY[request.kind]}"
    )


def _account(stands: Settled) -> str:
    parts = [f"billed {text(stands.total)}"]
    for word, amount in (
        ("paid", EXACT.add(stands.collected, stands.payments)),
        ("credited", stands.credited),
        ("written off", stands.written_off),
        ("refunded", stands.refunded),
        ("charged back", stands.charged_back),
    ):
        if amount:
            parts.append(f"{word} {text(amount)}")
    return f"{', '.join(parts)}, open {text(stands.open)}"


_WHY = {
    "credit_note": "Only what was billed and is not credited, written off or charged back can be credited.",
    "write_off": "Only what the tenant still owes can be written off.",
    "payment": "Only what the tenant still owes can be paid; what is above belongs to another statement.",
    "refund": "Only what the tenant is owed goes back: record what was paid (`tollstream payment`) and what is "
    "credited (`tollstream credit-note`) first. A payment that did not stand is taken back with --reopens.",
    "chargeback": "Only what was paid can be taken back: record the payment first (`tollstream payment`).",
}


def _disputed(about: StatementHead, charged: Charged | None, number: str) -> Disputed:
    """At the rate at which its lines were converted, weighted where a statement has lines at several."""
    rate, currency = Decimal(1), about.currency
    if charged is not None and charged.charge_currency != about.currency and charged.exact:
        currency = charged.charge_currency
        rate = ROUNDING.divide(charged.charge, charged.exact).quantize(RATE_STEP, context=ROUNDING)
    return Disputed(about.builder, about.tenant, about.currency, currency, number, rate)


def _postings(request: NoteRequest, about: Disputed, tax: Decimal, policy: ChargebackPolicy) -> tuple[Posting, ...]:
    amount = request.amount
    match request.kind:
        case "credit_note":
            return credit_note(about, amount - tax, tax, request.carried_by)
        case "write_off":
            return write_off(about, amount - tax, tax)
        case "refund":
            return refund(about, amount)
        case "payment":
            return payment(about, amount)
        case "chargeback":
            return chargeback(about, amount, request.fee, policy)


def _record(request: NoteRequest, about: StatementHead, number: str, document: str) -> NoteRecord:
    return NoteRecord(
        builder=about.builder,
        note_id=number,
        kind=request.kind,
        tenant=about.tenant,
        statement=about.reference,
        period=about.period,
        period_start=about.period_start,
        currency=about.currency,
        amount=request.amount,
        fee=request.fee,
        line=request.line,
        reference=request.reference,
        document=document,
        recorded_by=request.by,
        reason=request.reason,
    )

"""Payouts, that they were paid, and notes on statements, as they are recorded. Append-only, by whom and why.

Their postings stand in `posting_sets` (`sinks.statements`), under the document's kind and id, without a closing.
Units   amounts Decimal, 12 places, in `currency`; times aware UTC. `document` is JSON, amounts as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from sinks.journals import AMOUNT, EPOCH, MOMENT, Journal, plain

_SECOND = pa.timestamp("s", tz="UTC")
_WHO = [("record_id", pa.string()), ("recorded_by", pa.string()), ("reason", pa.string())]


@dataclass(frozen=True, slots=True)
class PayoutRecord:
    """A payout to a Builder, or a reward to a provider, as it was decided."""

    builder: str
    payout_id: str
    kind: str  # payout | reward
    party: str
    period: str
    period_start: datetime
    currency: str
    amount: Decimal  # 0: all of it is carried
    carried: Decimal
    due_at: datetime
    document: str
    recorded_by: str
    reason: str
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class PayoutMark:
    """A payout was paid; the first mark of a payout stands."""

    builder: str
    payout_id: str
    reference: str
    paid_at: datetime
    recorded_by: str
    reason: str
    record_id: str = ""
    recorded_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class NoteRecord:
    """A credit note, refund, write-off or chargeback; `sequence` is its number, without gaps for each Builder."""

    builder: str
    note_id: str
    kind: str  # credit_note | refund | write_off | chargeback
    tenant: str
    statement: str  # reference of the statement
    period: str
    period_start: datetime
    currency: str
    amount: Decimal
    fee: Decimal
    line: str
    reference: str
    document: str
    recorded_by: str
    reason: str
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


PAYOUTS = pa.schema(
    [
        ("builder", pa.string()),
        ("sequence", pa.uint32()),
        ("payout_id", pa.string()),
        ("kind", pa.string()),
        ("party", pa.string()),
        ("period", pa.string()),
        ("period_start", _SECOND),
        ("currency", pa.string()),
        ("amount", AMOUNT),
        ("carried", AMOUNT),
        ("due_at", MOMENT),
        ("document", pa.string()),
        *_WHO,
    ]
)
PAYOUT_MARKS = pa.schema(
    [
        ("builder", pa.string()),
        ("payout_id", pa.string()),
        ("reference", pa.string()),
        ("paid_at", MOMENT),
        *_WHO,
    ]
)
NOTES = pa.schema(
    [
        ("builder", pa.string()),
        ("sequence", pa.uint32()),
        ("note_id", pa.string()),
        ("kind", pa.string()),
        ("tenant", pa.string()),
        ("statement", pa.string()),
        ("period", pa.string()),
        ("period_start", _SECOND),
        ("currency", pa.string()),
        ("amount", AMOUNT),
        ("fee", AMOUNT),
        ("line", pa.string()),
        ("reference", pa.string()),
        ("document", pa.string()),
        *_WHO,
    ]
)

PAYOUT_JOURNAL: Journal[PayoutRecord] = Journal(
    "payouts", PAYOUTS, ("builder", "sequence"), lambda row: PayoutRecord(**row), plain
)
MARK_JOURNAL: Journal[PayoutMark] = Journal(
    "payout_marks", PAYOUT_MARKS, ("builder", "payout_id"), lambda row: PayoutMark(**row), plain
)
NOTE_JOURNAL: Journal[NoteRecord] = Journal(
    "notes", NOTES, ("builder", "sequence"), lambda row: NoteRecord(**row), plain
)

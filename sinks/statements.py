"""The rows that statements are stored as: documents, lines, draws, and postings as one balanced row a document.

Units   amounts Decimal(38, 12) in the currency beside them, quantities Decimal(38, 6); times aware UTC.
Counts  a row with a `closing_id` counts once that closing is closed; a posting set without one counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import pyarrow as pa

from billing.postings import Posting, balanced
from sinks.journals import EPOCH, MOMENT
from sinks.tables import MONEY, QUANTITY

_SECOND = pa.timestamp("s", tz="UTC")

STATEMENTS = pa.schema(
    [
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("period_start", _SECOND),
        ("number", pa.uint64()),
        ("closing_id", pa.string()),
        ("reference", pa.string()),
        ("period", pa.string()),
        ("period_end", _SECOND),
        ("issued_at", MOMENT),
        ("currency", pa.string()),
        ("charge_currency", pa.string()),
        ("net", MONEY),
        ("tax", MONEY),
        ("total", MONEY),
        ("paid", MONEY),
        ("due", MONEY),
        ("lines", pa.uint32()),
        ("document", pa.string()),
    ]
)
STATEMENT_LINES = pa.schema(
    [
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("period_start", _SECOND),
        ("number", pa.uint64()),
        ("closing_id", pa.string()),
        ("position", pa.uint32()),
        ("key", pa.string()),
        ("kind", pa.string()),
        ("label", pa.string()),
        ("unit", pa.string()),
        ("quantity", QUANTITY),
        ("unit_price", MONEY),
        ("currency", pa.string()),
        ("amount", MONEY),
        ("exact", MONEY),
        ("charge_currency", pa.string()),
        ("charge", MONEY),
        ("reason", pa.string()),
        ("refers_to", pa.string()),
    ]
)
CREDIT_DRAWS = pa.schema(
    [
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("grant_id", pa.string()),
        ("closing_id", pa.string()),
        ("position", pa.uint32()),
        ("number", pa.uint64()),
        ("kind", pa.string()),
        ("period", pa.string()),
        ("line", pa.string()),
        ("quantity", MONEY),
        ("amount", MONEY),
        ("earned", MONEY),
    ]
)
POSTING_SETS = pa.schema(
    [
        ("builder", pa.string()),
        ("document_kind", pa.string()),
        ("document", pa.string()),
        ("closing_id", pa.string()),
        ("tenant", pa.string()),
        ("period", pa.string()),
        ("period_start", _SECOND),
        ("posted_at", MOMENT),
        ("account", pa.list_(pa.string())),
        ("party", pa.list_(pa.string())),
        ("currency", pa.list_(pa.string())),
        ("refers_to", pa.list_(pa.string())),
        ("amount", pa.list_(MONEY)),
    ]
)


@dataclass(frozen=True, slots=True)
class PostingSet:
    """The postings of one document; they add up to 0 in every currency, or nothing of them is stored."""

    builder: str
    document_kind: str  # statement | credit_note | refund | write_off | chargeback | payout | reward
    document: str  # reference of the statement, id of the note or payout: written again it is the same row
    postings: Sequence[Posting]
    posted_at: datetime
    tenant: str = ""
    period: str = ""
    period_start: datetime = EPOCH
    closing_id: str = ""


@dataclass(frozen=True, slots=True)
class StatementHead:
    """A statement of a closed period, without its document."""

    builder: str
    tenant: str
    period: str
    period_start: datetime
    period_end: datetime
    number: int
    reference: str
    issued_at: datetime
    currency: str
    net: Decimal
    tax: Decimal
    total: Decimal
    paid: Decimal
    due: Decimal
    lines: int


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """The same with its document: JSON, amounts as text."""

    head: StatementHead
    document: str


@dataclass(frozen=True, slots=True)
class StatementQuery:
    """Which statements; "" and None mean any. In order of Builder, period, tenant; `after` is exclusive."""

    builder: str = ""
    tenant: str = ""
    period: str = ""
    period_start_from: datetime | None = None
    period_start_to: datetime | None = None  # exclusive
    number: int | None = None
    after: tuple[str, datetime, str] | None = None  # (builder, period_start, tenant): where the page before ended
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class PostedSum:
    """What stands on an account of a party, for one document kind, period and reason."""

    document_kind: str
    period: str
    account: str
    party: str
    currency: str
    refers_to: str
    amount: Decimal


def posting_sets(sets: Iterable[PostingSet]) -> pa.Table:
    """Rows of `POSTING_SETS`. Raises `PostingsError` where a set does not add up to 0."""
    rows = []
    for each in sets:
        kept = balanced(each.postings)
        rows.append(
            {
                **{name: getattr(each, name) for name in POSTING_SETS.names[:8]},
                "account": [posting.account for posting in kept],
                "party": [posting.party for posting in kept],
                "currency": [posting.currency for posting in kept],
                "refers_to": [posting.refers_to for posting in kept],
                "amount": [posting.amount for posting in kept],
            }
        )
    return pa.Table.from_pylist(rows, schema=POSTING_SETS)


def reference_of(builder: str, number: int) -> str:
    """A statement's number as it is written: acme-000042."""
    return f"{builder}-{number:06d}"


def number_of(reference: str) -> tuple[str, int] | None:
    """(builder, number) of a reference, None where it is none."""
    builder, dash, digits = reference.rpartition("-")
    return (builder, int(digits)) if dash and builder and digits.isascii() and digits.isdigit() else None

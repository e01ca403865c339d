"""The document of a note: JSON, amounts as text, its postings in it; and what of it the rules for later notes need."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from billing.postings import Posting
from billing.settled import Noted, NoteKind
from sinks.payouts import NoteRecord
from sinks.statements import StatementHead
from tollstream.disputes.request import NoteRequest
from tollstream.payouts.documents import instant, postings_record, text, without_postings, written

FORMAT = "tollstream.note/1"
# What a request says: under one key it has to say the same again.
REQUEST = ("kind", "statement", "amount", "fee", "carried_by", "reopens", "line", "reference")


def note_document(
    number: str,
    request: NoteRequest,
    about: StatementHead,
    tax: Decimal,
    policy: Mapping[str, str],
    postings: tuple[Posting, ...],
) -> str:
    """Of a note; `policy` is what a chargeback followed, empty for other notes."""
    return written(
        {
            "format": FORMAT,
            "number": number,
            **asked(request),
            "builder": about.builder,
            "tenant": about.tenant,
            "period": about.period,
            "currency": about.currency,
            "net": text(request.amount - tax),
            "tax": text(tax),
            "policy": dict(policy),
            "key": request.key,
            "postings": postings_record(postings),
        }
    )


def asked(request: NoteRequest) -> dict[str, str | bool]:
    """The request as it is compared under a key."""
    return {
        name: text(value) if isinstance(value, Decimal) else value
        for name in REQUEST
        for value in [getattr(request, name)]
    }


def noted(record: NoteRecord) -> Noted:
    """What of a note counts for the next one."""
    document = json.loads(record.document)
    taxed = record.kind in ("credit_note", "write_off")
    return Noted(cast("NoteKind", record.kind), record.amount, Decimal(document["tax"]) if taxed else Decimal(0))


def note_json(record: NoteRecord) -> dict[str, Any]:
    """For people and programs."""
    return without_postings(record.document) | {
        "recorded_at": instant(record.recorded_at),
        "recorded_by": record.recorded_by,
        "reason": record.reason,
    }

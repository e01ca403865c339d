"""What was agreed with Builders about payouts, and attempts to pay, as they are recorded: append-only, by whom and why.

An attempt is recorded before anything is sent. So whoever finds `SENT` as the last entry, and no mark, knows that money
may have left, and that nobody but a person can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from sinks.journals import EPOCH, MOMENT, Journal, plain

SENT, ANSWERED, RELEASED = "sent", "answered", "released"
_WHO = [("record_id", pa.string()), ("recorded_by", pa.string()), ("reason", pa.string())]


@dataclass(frozen=True, slots=True)
class TermsRecord:
    """A version of a Builder's payout terms, as it was published."""

    builder: str
    version: str
    effective_from: datetime
    digest: str
    content: str
    recorded_by: str
    reason: str
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class SendRecord:
    """What became of an attempt to pay a payout or a reward."""

    builder: str  # of the payout; "" for a reward
    payout_id: str
    state: str  # SENT | ANSWERED | RELEASED
    recorded_by: str
    command: str = ""  # "": by hand
    exit_code: int | None = None
    reference: str = ""
    output: str = ""
    reason: str = ""
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


PAYOUT_TERMS = pa.schema(
    [
        ("builder", pa.string()),
        ("sequence", pa.uint32()),
        ("version", pa.string()),
        ("effective_from", MOMENT),
        ("digest", pa.string()),
        ("content", pa.string()),
        *_WHO,
    ]
)
PAYOUT_SENDS = pa.schema(
    [
        ("builder", pa.string()),
        ("payout_id", pa.string()),
        ("sequence", pa.uint32()),
        ("state", pa.string()),
        ("command", pa.string()),
        ("exit_code", pa.int32()),
        ("reference", pa.string()),
        ("output", pa.string()),
        *_WHO,
    ]
)
TERMS_JOURNAL: Journal[TermsRecord] = Journal(
    "payout_terms", PAYOUT_TERMS, ("builder", "sequence"), lambda row: TermsRecord(**row), plain
)
SEND_JOURNAL: Journal[SendRecord] = Journal(
    "payout_sends", PAYOUT_SENDS, ("builder", "payout_id", "sequence"), lambda row: SendRecord(**row), plain
)

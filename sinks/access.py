"""Who may look at what through the console: tokens, as they were issued and revoked. Append-only, by whom and why.

A token is kept as the SHA-256 of its secret, which has 256 random bits: what is stored here opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from sinks.journals import EPOCH, MOMENT, Journal, plain

ISSUED, REVOKED = "issued", "revoked"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token was issued, or revoked; the first entry of each stands."""

    token_id: str
    state: str  # issued | revoked
    digest: str  # SHA-256 of the whole token, hexadecimal; "" of a revocation
    role: str  # operator | builder | tenant
    builder: str  # "" of an operator
    tenant: str  # "" of an operator and a Builder
    label: str  # who or what uses it
    expires_at: datetime | None
    recorded_by: str
    reason: str
    record_id: str = ""
    recorded_at: datetime = EPOCH


TOKENS = pa.schema(
    [
        ("token_id", pa.string()),
        ("state", pa.string()),
        ("digest", pa.string()),
        ("role", pa.string()),
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("label", pa.string()),
        ("expires_at", MOMENT),
        ("recorded_by", pa.string()),
        ("reason", pa.string()),
        ("record_id", pa.string()),
    ]
)

TOKEN_JOURNAL: Journal[TokenRecord] = Journal(
    "console_tokens", TOKENS, ("token_id", "state"), lambda row: TokenRecord(**row), plain
)

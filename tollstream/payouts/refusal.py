"""Why a payout or a note is not made: the sentence says what stands in the way, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime

from tollstream.errors import UserError
from topics.events import CONTROL_CHARACTERS, TEXT_BYTES_MAX


class PayoutRefusedError(UserError):
    """Nothing was decided, sent or marked."""


class AlreadyPaidError(PayoutRefusedError):
    """It was paid before: by whom, when, and under which reference."""

    def __init__(self, *, number: str, by: str, paid_at: datetime, reference: str) -> None:
        self.number, self.by, self.paid_at, self.reference = number, by, paid_at, reference
        super().__init__(
            f"{number} was paid on {said(paid_at)}, says {by}, under the reference {reference!r}. "
            "Nothing is paid twice, and nothing was changed."
        )


def said(moment: datetime) -> str:
    """2026-12-01 08:30:00Z"""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def one_line(option: str, given: str, *, needed: bool = True) -> str:
    """What goes on record, without blanks around it; UserError where it is empty, too long or more than one line."""
    text = given.strip()
    if needed and not text:
        raise UserError(f"{option} is missing: money moves, and the record says who moved it and why.")
    if CONTROL_CHARACTERS.search(text) or len(text.encode()) > TEXT_BYTES_MAX:
        raise UserError(f"{option} is longer than {TEXT_BYTES_MAX} bytes, or more than one line: shorten it.")
    return text

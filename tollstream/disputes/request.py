"""What is asked of a note, judged before the store is asked.

Units   amounts in the statement's currency, in whole smallest units; `fee` is the bank's for a chargeback.
Errors  `NoteRefusedError`: nothing was recorded; the sentence says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from billing.money import MoneyError, parse_decimal
from billing.settled import NoteKind
from tollstream.errors import UserError

MOST = Decimal(10) ** 12
PLACES = 3  # the most that any currency has
# As a sentence names them.
NAMES = {
    "credit_note": "credit note",
    "refund": "refund",
    "write_off": "write-off",
    "chargeback": "chargeback",
    "payment": "payment",
}


class NoteRefusedError(UserError):
    """Nothing was recorded."""


@dataclass(frozen=True, slots=True)
class NoteRequest:
    """A note on a statement, as somebody asks for it."""

    kind: NoteKind
    statement: str  # its number, as written on it
    amount: Decimal
    by: str
    reason: str
    key: str = ""  # asked again under the same key it is the same note
    reference: str = ""  # what it is called outside: the bank's case, the payment's reference
    line: str = ""  # key of the statement's line that it is about
    fee: Decimal = Decimal(0)
    carried_by: Literal["builder", "platform"] = "builder"  # of a credit note
    reopens: bool = False  # of a refund: the payment did not stand, the tenant owes it again


def amount_of(option: str, given: str) -> Decimal:
    """An amount as it is typed, such as 12.50."""
    try:
        return parse_decimal(given, what=option, places=PLACES, least=Decimal(0), most=MOST)
    except MoneyError as error:
        raise NoteRefusedError(f"{error}.") from None

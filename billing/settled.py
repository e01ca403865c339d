"""What stands open on a statement after payments and notes, and how much of each kind of note it still takes.

Units   multiples of the statement currency's smallest unit. `total` is net and tax; `collected` was paid before the
        statement was made (top-ups). The other figures add up notes; all are above 0.
Rules   open = total - collected - payments - credited - written off + refunded; below 0 the tenant is owed it
        credit note   at most what was billed and is not credited, written off or charged back yet, paid or not
        write-off     at most what is open
        payment       at most what is open
        refund        at most what the tenant is owed and the bank has not taken back already; of a payment that did not
                      stand, which the tenant owes again, at most what was paid and did not go back yet
        chargeback    at most what was collected and paid, and did not go back yet
Tax     of a credit note or write-off is the statement's tax in proportion: of everything credited so far, rounded
        half-even, less the tax of the notes before. So parts add up to the whole, tax included, in any order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from billing.allocation import round_minor
from billing.currencies import exponent
from billing.money import ROUNDING, exactly

NoteKind = Literal["credit_note", "refund", "write_off", "chargeback", "payment"]
KINDS: tuple[NoteKind, ...] = ("credit_note", "refund", "write_off", "chargeback", "payment")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Noted:
    """A note on the statement; `tax` is the part of `amount` that is tax."""

    kind: NoteKind
    amount: Decimal
    tax: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Settled:
    """A statement and everything that was noted on it."""

    currency: str
    total: Decimal
    tax: Decimal
    collected: Decimal
    credited: Decimal
    written_off: Decimal
    payments: Decimal
    refunded: Decimal
    charged_back: Decimal
    tax_returned: Decimal  # of credit notes and write-offs

    @property
    @exactly
    def open(self) -> Decimal:
        """What the tenant still owes by it; below 0, what the tenant is owed."""
        return self.total - self.collected - self.payments - self.credited - self.written_off + self.refunded

    @exactly
    def most(self, kind: NoteKind) -> Decimal:
        """The largest note of a kind that it takes, 0 for none."""
        rooms = {
            "credit_note": self.total - self.credited - self.written_off - self.charged_back,
            "write_off": self.open,
            "payment": self.open,
            "refund": -self.open - self.charged_back,
            "chargeback": self.collected + self.payments - self.refunded - self.charged_back,
        }
        return max(rooms[kind], round_minor(ZERO, exponent(self.currency)))

    @property
    @exactly
    def payments_standing(self) -> Decimal:
        """Payments that did not go back: as much of them can turn out to be none."""
        return max(self.payments - self.refunded - self.charged_back, round_minor(ZERO, exponent(self.currency)))

    @exactly
    def tax_of(self, amount: Decimal) -> Decimal:
        """The tax in a credit note or write-off of this amount."""
        if not self.total:
            return round_minor(ZERO, exponent(self.currency))
        returned = self.credited + self.written_off + amount
        share = ROUNDING.divide(returned * self.tax, self.total)
        return min(max(round_minor(share, exponent(self.currency)) - self.tax_returned, ZERO), amount)


@exactly
def settled(currency: str, total: Decimal, tax: Decimal, collected: Decimal, notes: Iterable[Noted]) -> Settled:
    """What the notes on a statement come to."""
    sums = dict.fromkeys(KINDS, ZERO)
    returned = ZERO
    for note in notes:
        sums[note.kind] += note.amount
        returned += note.tax
    places = exponent(currency)
    figures = (
        total, tax, collected, sums["credit_note"], sums["write_off"], sums["payment"], sums["refund"],
        sums["chargeback"], returned,
    )  # fmt: skip
    return Settled(currency, *(round_minor(figure, places) for figure in figures))

"""Disputes: credit notes, refunds, write-offs, chargebacks and payments, each as a balanced set of postings.

Units   amounts above 0, in whole smallest units of the statement's currency; who carries them is posted in the charge
        currency, in which earnings are, so that a payout can net them. `at_rate` is what one unit of the statement's
        currency was worth in the charge currency when the statement was made.
Policy  A chargeback is the Builder's by `builder_share` (all of it, where nothing else was agreed), the bank's fee
        included; half-even at 12 places, and the platform carries the rest.
Errors  `DisputeError` for an amount that is none; more than was billed is for the caller to refuse, who knows the bill.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from billing.currencies import exponent
from billing.errors import BillingError
from billing.money import ROUNDING, STEP, exactly
from billing.postings import (
    BUILDER_CHARGEBACK,
    BUILDER_REFUND,
    CASH,
    FX_DIFFERENCE,
    PLATFORM,
    PLATFORM_CHARGEBACK,
    PLATFORM_REFUND,
    TAX_PAYABLE,
    TENANT_RECEIVABLE,
    WRITE_OFF,
    Journal,
    Posting,
)

ONE = Decimal(1)
ZERO = Decimal(0)


class DisputeError(BillingError):
    """An amount that cannot be credited, refunded, written off or charged back; says why."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """The statement that a dispute is about, and the number of the note that settles it."""

    builder: str
    tenant: str
    currency: str  # of the statement
    charge_currency: str
    note: str  # what the postings refer to
    at_rate: Decimal = ONE


@dataclass(frozen=True, slots=True)
class ChargebackPolicy:
    """Who carries a chargeback: the Builder this part of it, the platform the rest."""

    builder_share: Decimal = ONE

    def __post_init__(self) -> None:
        if not ZERO <= self.builder_share <= ONE:
            raise DisputeError(f"a Builder carries a part of a chargeback, 0 to 1, not {self.builder_share}")


@exactly
def credit_note(
    about: Disputed, net: Decimal, tax: Decimal, carried_by: Literal["builder", "platform"]
) -> tuple[Posting, ...]:
    """The tenant owes so much less: net out of whoever carries it, tax out of what is owed to the authorities."""
    _refuse(about, net, tax)
    journal = Journal()
    journal.add(TENANT_RECEIVABLE, about.tenant, about.currency, about.note, -(net + tax))
    journal.add(TAX_PAYABLE, PLATFORM, about.currency, about.note, tax)
    _carry(journal, about, *_carrier(about, carried_by), net)
    return journal.closed()


@exactly
def refund(about: Disputed, amount: Decimal) -> tuple[Posting, ...]:
    """Money goes back to a tenant who is owed it, by a credit note or a statement below 0."""
    _refuse(about, amount)
    journal = Journal()
    journal.add(TENANT_RECEIVABLE, about.tenant, about.currency, about.note, amount)
    journal.add(CASH, PLATFORM, about.currency, about.note, -amount)
    return journal.closed()


@exactly
def payment(about: Disputed, amount: Decimal) -> tuple[Posting, ...]:
    """The tenant has paid so much."""
    _refuse(about, amount)
    journal = Journal()
    journal.add(TENANT_RECEIVABLE, about.tenant, about.currency, about.note, -amount)
    journal.add(CASH, PLATFORM, about.currency, about.note, amount)
    return journal.closed()


@exactly
def write_off(about: Disputed, net: Decimal, tax: Decimal) -> tuple[Posting, ...]:
    """Nobody will pay it: the platform's loss, for Builders and providers have earned their parts."""
    _refuse(about, net, tax)
    journal = Journal()
    journal.add(TENANT_RECEIVABLE, about.tenant, about.currency, about.note, -(net + tax))
    journal.add(TAX_PAYABLE, PLATFORM, about.currency, about.note, tax)
    journal.add(WRITE_OFF, PLATFORM, about.currency, about.note, net)
    return journal.closed()


@exactly
def chargeback(about: Disputed, amount: Decimal, fee: Decimal, policy: ChargebackPolicy) -> tuple[Posting, ...]:
    """A bank has taken a payment back, and a fee for it: the Builder carries its part, the platform the rest."""
    _refuse(about, amount, fee)
    lost = amount + fee
    builders = (lost * policy.builder_share).quantize(STEP, context=ROUNDING)
    journal = Journal()
    journal.add(CASH, PLATFORM, about.currency, about.note, -lost)
    _carry(journal, about, BUILDER_CHARGEBACK, about.builder, builders)
    _carry(journal, about, PLATFORM_CHARGEBACK, PLATFORM, lost - builders)
    return journal.closed()


def _carrier(about: Disputed, carried_by: str) -> tuple[str, str]:
    return (BUILDER_REFUND, about.builder) if carried_by == "builder" else (PLATFORM_REFUND, PLATFORM)


def _carry(journal: Journal, about: Disputed, account: str, party: str, amount: Decimal) -> None:
    """`amount` of the statement's currency on an account in the charge currency."""
    if about.currency == about.charge_currency:
        journal.add(account, party, about.currency, about.note, amount)
        return
    charged = (amount * about.at_rate).quantize(STEP, context=ROUNDING)
    journal.add(FX_DIFFERENCE, PLATFORM, about.currency, about.note, amount)
    journal.add(FX_DIFFERENCE, PLATFORM, about.charge_currency, about.note, -charged)
    journal.add(account, party, about.charge_currency, about.note, charged)


def _refuse(about: Disputed, *amounts: Decimal) -> None:
    """Together above 0, none of them below, each a whole number of smallest units: a note may be about tax alone."""
    step = Decimal(1).scaleb(-exponent(about.currency))
    if min(amounts) < 0 or not any(amounts):
        raise DisputeError(f"{about.note}: an amount is above 0, not {' and '.join(map(str, amounts))}")
    for amount in amounts:
        if amount % step:
            raise DisputeError(f"{about.note}: {amount} is no whole number of {step} {about.currency}")

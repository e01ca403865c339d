"""Postings: who owes whom, account by account; every set adds up to 0 in every currency, exactly.

Signs   above 0 is a debit: somebody owes it to the platform, or it was given away; below 0 is a credit: the
        platform owes it. A tenant's bill is a receivable above 0, a provider's reward a payable below 0.
Units   amounts 12 places, in the currency of the posting; a receivable is a multiple of its smallest unit.
Errors  `PostingsError` for a set that does not balance, naming currency and residual: nothing of it may be stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from billing.errors import BillingError
from billing.money import EXACT, rounded

# What the platform is owed.
TENANT_RECEIVABLE = "tenant_receivable"  # party: tenant. What statements ask for, tax included
CASH = "cash"  # party: platform. What has come in, or gone out
# What the platform owes.
PROVIDER_PAYABLE = "provider_payable"  # party: provider. Rewards; never mixed with what a Builder earns
PLATFORM_FEE = "platform_fee"  # party: platform. Its part of what the AI costs
BUILDER_PAYABLE = "builder_payable"  # party: Builder. Surcharges, subscriptions, minimums; below the base it is a debit
PREPAID_LIABILITY = "prepaid_liability"  # party: tenant. Paid for and not used yet
TAX_PAYABLE = "tax_payable"  # party: platform. Collected for the authorities
PAYOUT_DUE = "payout_due"  # party: Builder. A payout that is decided and not paid
PAYOUT_CARRIED = "payout_carried"  # party: Builder. Below the threshold, or negative: nets with later payouts
REWARD_DUE = "reward_due"  # party: provider
# Who carries what a tenant does not pay.
BUILDER_FUNDING = "builder_funding"  # party: Builder. Allowances, caps, gifts
PLATFORM_FUNDING = "platform_funding"  # party: platform. The same
BUILDER_REFUND = "builder_refund"  # party: Builder. Credit notes and refunds
PLATFORM_REFUND = "platform_refund"  # party: platform. The same
BUILDER_CHARGEBACK = "builder_chargeback"  # party: Builder. Its part of what a bank took back, fee included
PLATFORM_CHARGEBACK = "platform_chargeback"  # party: platform. The same
WRITE_OFF = "write_off"  # party: platform. Receivables that nobody will pay
# What arithmetic leaves.
FX_DIFFERENCE = "fx_difference"  # party: platform. The bridge between two currencies: +a USD, -b EUR
ROUNDING_DIFFERENCE = "rounding_difference"  # party: platform. Exact less rounded: below a smallest unit per statement

ACCOUNTS = (
    TENANT_RECEIVABLE,
    CASH,
    PROVIDER_PAYABLE,
    PLATFORM_FEE,
    BUILDER_PAYABLE,
    PREPAID_LIABILITY,
    TAX_PAYABLE,
    PAYOUT_DUE,
    PAYOUT_CARRIED,
    REWARD_DUE,
    BUILDER_FUNDING,
    PLATFORM_FUNDING,
    BUILDER_REFUND,
    PLATFORM_REFUND,
    BUILDER_CHARGEBACK,
    PLATFORM_CHARGEBACK,
    WRITE_OFF,
    FX_DIFFERENCE,
    ROUNDING_DIFFERENCE,
)
PLATFORM = "platform"  # the party


class PostingsError(BillingError):
    """A set of postings that does not add up to 0: it is wrong as a whole, and nothing of it may be stored."""


class Posting(NamedTuple):
    """An amount on an account of a party; `refers_to` says what for: `usage`, `subscription`, `adjustment 2026-09`."""

    account: str
    party: str
    currency: str
    refers_to: str
    amount: Decimal


def balanced(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """The same postings, sorted, zeros left out; PostingsError where a currency does not add up to 0."""
    kept = sorted(posting for posting in postings if posting[4])
    for currency, residual in residuals(kept).items():
        if residual:
            raise PostingsError(f"postings in {currency} add up to {residual:f}, not 0: nothing of them is stored")
    return tuple(kept)


def residuals(postings: Iterable[Posting]) -> dict[str, Decimal]:
    """What the postings add up to in each currency: 0 in a set that is whole."""
    sums: dict[str, Decimal] = {}
    for _, _, currency, _, amount in postings:
        sums[currency] = EXACT.add(sums[currency], amount) if currency in sums else amount
    return sums


def total(postings: Iterable[Posting], account: str, currency: str, party: str | None = None) -> Decimal:
    """What stands on an account in a currency, for one party or all."""
    result = Decimal(0)
    for posting in postings:
        if (posting.account, posting.currency) == (account, currency) and party in (None, posting.party):
            result = EXACT.add(result, posting.amount)
    return result


class Journal:
    """Collects amounts by account, party, currency and reason; what is collected twice is one posting."""

    __slots__ = ("_sums",)

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str, str], Decimal] = {}

    def add(self, account: str, party: str, currency: str, refers_to: str, amount: Decimal) -> None:
        """Debit above 0, credit below."""
        key = account, party, currency, refers_to
        held = self._sums.get(key)
        self._sums[key] = amount if held is None else EXACT.add(held, amount)

    def closed(self) -> tuple[Posting, ...]:
        """The postings, balanced and sorted, amounts written with 12 places."""
        return balanced([Posting(*key, rounded(amount)) for key, amount in self._sums.items()])

"""Payouts: what a Builder is paid for a period, from postings of closed statements and of disputes.

Shapes  payouts(builder, period, postings, policy) -> one Payout a currency. Whole posting sets may be passed: what is
        not the Builder's is left alone. A payout's own postings clear what it pays, reason by reason: with all postings
        there ever were, or with those that no payout has cleared and the last carried one, the answer is the same.
Units   lines exact at 12 places and, as shares of the amount, in the smallest unit; `amount` is what is transferred.
Rules   net = gross earnings - funded allowances - refunds - chargebacks + what was carried before.
        Below the threshold, or below 0, nothing is paid and the net is carried: it nets with later earnings.
        Else all whole smallest units are paid, rounded down, and the fraction is carried: nothing is lost or made.
        It is due `hold_days` after the period's end, time for chargebacks to come in.
Signs   as an account of the Builder reads: above 0 is in the Builder's favour (postings have it below 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Literal

from billing.allocation import allocate
from billing.currencies import exponent
from billing.errors import BillingError
from billing.money import ROUNDING, exactly
from billing.periods import Period
from billing.postings import (
    BUILDER_CHARGEBACK,
    BUILDER_FUNDING,
    BUILDER_PAYABLE,
    BUILDER_REFUND,
    CASH,
    PAYOUT_CARRIED,
    PAYOUT_DUE,
    PLATFORM,
    Posting,
    balanced,
)

PayoutKind = Literal["gross", "funded", "refund", "chargeback", "carried_in", "carried_out"]
ACCOUNTS: Mapping[str, PayoutKind] = {
    BUILDER_PAYABLE: "gross",
    BUILDER_FUNDING: "funded",
    BUILDER_REFUND: "refund",
    BUILDER_CHARGEBACK: "chargeback",
    PAYOUT_CARRIED: "carried_in",
}
KINDS: tuple[PayoutKind, ...] = ("gross", "funded", "refund", "chargeback", "carried_in", "carried_out")
ZERO = Decimal(0)


class PayoutError(BillingError):
    """A payout policy that cannot be meant, or a payout that pays nothing and was to be paid."""


@dataclass(frozen=True, slots=True)
class PayoutPolicy:
    """What was agreed with a Builder."""

    threshold: Mapping[str, Decimal] = field(default_factory=dict)  # by currency; 0 where none is given
    hold_days: int = 0

    def __post_init__(self) -> None:
        if self.hold_days < 0 or any(amount < 0 for amount in self.threshold.values()):
            raise PayoutError("a payout policy: thresholds and hold days are not below 0")


@dataclass(frozen=True, slots=True)
class PayoutLine:
    """One reason for being paid more or less; `amount` is rounded so that the lines add up to the payout."""

    kind: PayoutKind
    refers_to: str  # as the postings say it: usage, subscription, allowance, adjustment 2026-09, a note's number
    exact: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Payout:
    """What a Builder is paid in one currency for a period. Σ lines = amount, exact and rounded."""

    builder: str
    period: str  # label
    currency: str
    lines: tuple[PayoutLine, ...]
    gross: Decimal  # 12 places, like the next three
    funded: Decimal  # not above 0 unless something was taken back
    refunds: Decimal
    chargebacks: Decimal
    carried_in: Decimal
    net: Decimal  # the sum of the five
    amount: Decimal  # what is transferred: a multiple of the smallest unit, never below 0
    carried: Decimal  # net - amount: to the next payout
    threshold: Decimal
    due_at: datetime
    postings: tuple[Posting, ...]  # clear the Builder's accounts into payout_due and payout_carried


@exactly
def payouts(builder: str, period: Period, postings: Iterable[Posting], policy: PayoutPolicy) -> tuple[Payout, ...]:
    """One for each currency in which the Builder has anything, in order of currencies."""
    sums: dict[str, dict[tuple[str, str], Decimal]] = {}
    for posting in postings:
        if posting.party == builder and posting.account in ACCOUNTS:
            of_currency = sums.setdefault(posting.currency, {})
            key = posting.account, posting.refers_to
            of_currency[key] = of_currency.get(key, ZERO) - posting.amount
    return tuple(_payout(builder, period, currency, sums[currency], policy) for currency in sorted(sums))


def _payout(
    builder: str, period: Period, currency: str, sums: Mapping[tuple[str, str], Decimal], policy: PayoutPolicy
) -> Payout:
    places = exponent(currency)
    threshold = policy.threshold.get(currency, ZERO)
    parts = dict.fromkeys(KINDS, ZERO)
    for (account, _), amount in sums.items():
        parts[ACCOUNTS[account]] += amount
    net = sum(parts.values(), ZERO)
    amount = _payable(net, threshold, places)
    carried = net - amount
    found: list[tuple[PayoutKind, str, Decimal]] = [
        (ACCOUNTS[account], refers_to, exact) for (account, refers_to), exact in sums.items() if exact
    ]
    if carried:
        found.append(("carried_out", period.label, -carried))
    found.sort(key=lambda line: (KINDS.index(line[0]), line[1]))
    shares = allocate([exact for _, _, exact in found], places)
    name = f"payout {period.label}"
    cleared = [Posting(account, builder, currency, refers_to, exact) for (account, refers_to), exact in sums.items()]
    return Payout(
        builder=builder,
        period=period.label,
        currency=currency,
        lines=tuple(PayoutLine(*line, share) for line, share in zip(found, shares, strict=True)),
        gross=parts["gross"],
        funded=parts["funded"],
        refunds=parts["refund"],
        chargebacks=parts["chargeback"],
        carried_in=parts["carried_in"],
        net=net,
        amount=amount,
        carried=carried,
        threshold=threshold,
        due_at=period.end + timedelta(days=policy.hold_days),
        postings=balanced(
            [
                *cleared,
                Posting(PAYOUT_DUE, builder, currency, name, -amount),
                Posting(PAYOUT_CARRIED, builder, currency, f"carried {period.label}", -carried),
            ]
        ),
    )


def _payable(net: Decimal, threshold: Decimal, places: int) -> Decimal:
    """Whole smallest units, rounded down; nothing below 0 or the threshold."""
    step = Decimal(1).scaleb(-places)
    if net <= 0 or net < threshold:
        return ZERO.quantize(step)
    return net.quantize(step, rounding=ROUND_DOWN, context=ROUNDING)


@exactly
def paid(payout: Payout, reference: str) -> tuple[Posting, ...]:
    """The postings of a payout that was transferred, under the reference of whoever transferred it."""
    if not payout.amount:
        raise PayoutError(
            f"the payout of {payout.builder} for {payout.period} in {payout.currency} is 0: nothing to pay"
        )
    return balanced(
        [
            Posting(PAYOUT_DUE, payout.builder, payout.currency, reference, payout.amount),
            Posting(CASH, PLATFORM, payout.currency, reference, -payout.amount),
        ]
    )

"""Rewards: what a provider is owed for the AI that it served, in a statement of its own, never blended with earnings.

Shapes  rewards(provider, label, owed, carried) -> one RewardStatement a currency; `owed` are (Builder, posting) pairs
        of closed statements, of which only this provider's payables count. Each posting belongs to one statement.
Units   exact at 12 places; `amount` in whole smallest units, rounded down; fractions and sums below 0 are carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from billing.allocation import allocate
from billing.currencies import exponent
from billing.money import ROUNDING, exactly
from billing.postings import PROVIDER_PAYABLE, REWARD_DUE, Posting, balanced

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class RewardLine:
    """Rewards out of one Builder's statements, for one reason; "" is what earlier statements carried."""

    builder: str
    refers_to: str
    exact: Decimal
    amount: Decimal  # rounded so that the lines add up


@dataclass(frozen=True, slots=True)
class RewardStatement:
    """What a provider is owed in one currency. Σ lines = amount, exact and rounded."""

    provider: str
    period: str
    currency: str
    lines: tuple[RewardLine, ...]
    exact: Decimal  # carried before included
    amount: Decimal  # never below 0
    carried: Decimal  # exact - amount: to the next one
    postings: tuple[Posting, ...]


@exactly
def rewards(
    provider: str, period: str, owed: Iterable[tuple[str, Posting]], carried: Mapping[str, Decimal] | None = None
) -> tuple[RewardStatement, ...]:
    """One for each currency; `carried` is what the last statements carried, by currency."""
    sums: dict[str, dict[tuple[str, str], Decimal]] = {}
    for currency, amount in (carried or {}).items():
        if amount:
            sums[currency] = {("", "carried"): amount}
    for builder, posting in owed:
        if (posting.account, posting.party) == (PROVIDER_PAYABLE, provider):
            of_currency = sums.setdefault(posting.currency, {})
            key = builder, posting.refers_to
            of_currency[key] = of_currency.get(key, ZERO) - posting.amount
    return tuple(_reward(provider, period, currency, sums[currency]) for currency in sorted(sums))


def _reward(provider: str, period: str, currency: str, sums: Mapping[tuple[str, str], Decimal]) -> RewardStatement:
    step = Decimal(1).scaleb(-exponent(currency))
    exact = sum(sums.values(), ZERO)
    amount = max(exact, ZERO).quantize(step, rounding=ROUND_DOWN, context=ROUNDING)
    rest = exact - amount
    found = [(builder, refers_to, sums[builder, refers_to]) for builder, refers_to in sorted(sums)]
    if rest:
        found.append(("", "carried to the next statement", -rest))
    shares = allocate([each for _, _, each in found], exponent(currency))
    name = f"reward {period}"
    return RewardStatement(
        provider,
        period,
        currency,
        tuple(RewardLine(*line, share) for line, share in zip(found, shares, strict=True)),
        exact,
        amount,
        rest,
        balanced(
            [
                Posting(PROVIDER_PAYABLE, provider, currency, name, amount),
                Posting(REWARD_DUE, provider, currency, name, -amount),
            ]
        ),
    )

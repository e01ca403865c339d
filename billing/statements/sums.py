"""Arithmetic of statements: exact sums, and shares rounded once, half-even at 12 places.

Everything here and in the steps runs inside of `statement`, which makes + - * exact (`billing.money.exactly`). Adding 0
turns minus 0 into 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from billing.money import ROUNDING, STEP

ZERO = Decimal(0)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Exact, whatever their number."""
    return sum(amounts, ZERO)


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """amount x part / whole, half-even at 12 places; all of it for the whole, to the last digit."""
    if part == whole:
        return amount
    return ROUNDING.divide(amount * part, whole).quantize(STEP, context=ROUNDING) + ZERO


def product(amount: Decimal, factor: Decimal) -> Decimal:
    """amount x factor, half-even at 12 places."""
    return (amount * factor).quantize(STEP, context=ROUNDING) + ZERO

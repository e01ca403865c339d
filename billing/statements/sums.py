"""Arithmetic of statements: exact sums, and shares rounded once, half-even at 12 places."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from billing.money import EXACT, ROUNDING, STEP

ZERO = Decimal(0)
add = EXACT.add
subtract = EXACT.subtract
minus = EXACT.minus


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Exact, whatever their number."""
    result = ZERO
    for amount in amounts:
        result = add(result, amount)
    return result


def share(amount: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """amount x part / whole, half-even at 12 places; all of it for the whole, to the last digit."""
    if part == whole:
        return amount
    return ROUNDING.divide(EXACT.multiply(amount, part), whole).quantize(STEP, context=ROUNDING)


def product(amount: Decimal, factor: Decimal) -> Decimal:
    """amount x factor, half-even at 12 places."""
    return EXACT.multiply(amount, factor).quantize(STEP, context=ROUNDING)

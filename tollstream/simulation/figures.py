"""Amounts for people: grouped, rounded half-even to the currency's smallest unit, never by way of a float.

Sums too small for that (below ten units in all) are shown with six places, so that a trial of a few events is not a
column of zeros. JSON has all twelve.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from billing.currencies import exponent

CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)
SMALL, SMALL_PLACES = Decimal(10), 6
ZERO, HUNDRED = Decimal(0), Decimal(100)


def places_of(currency: str, amounts: Iterable[Decimal]) -> int:
    """How many places to show of these amounts in `currency`, and of whatever adds up to them."""
    largest = max((amount.copy_abs() for amount in amounts), default=ZERO)
    return SMALL_PLACES if largest < SMALL else exponent(currency)


def counted(number: int, noun: str) -> str:
    """1 event; 2,000 events."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def money(amount: Decimal, places: int) -> str:
    """1,234.50; a true minus for what is negative; zero has no sign."""
    rounded = amount.quantize(Decimal(1).scaleb(-places), context=CONTEXT)
    return f"{rounded.copy_abs():,f}" if rounded >= 0 else f"−{rounded.copy_abs():,f}"


def signed(amount: Decimal, places: int) -> str:
    """As `money`, with a plus for what is positive."""
    text = money(amount, places)
    rounded = amount.quantize(Decimal(1).scaleb(-places), context=CONTEXT)
    return f"+{text}" if rounded > 0 else text


def change_of(before: Decimal, after: Decimal) -> Decimal:
    """After minus before, exactly."""
    return CONTEXT.subtract(after, before)


def percent(change: Decimal, before: Decimal) -> Decimal | None:
    """Change in percent of what was, to one place; None where nothing was, or the sign makes it meaningless."""
    if before <= 0:
        return None
    return CONTEXT.divide(change * HUNDRED, before).quantize(Decimal("0.1"), context=CONTEXT)


def percent_text(change: Decimal, before: Decimal) -> str:
    """+5.3 %; "new" where there was nothing before; a dash where a percentage says nothing."""
    if not change:
        return "0.0 %"
    found = percent(change, before)
    if found is None:
        return "new" if not before else "–"
    return f"{signed(found, 1)} %"

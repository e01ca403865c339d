"""Largest remainder: exact amounts as whole smallest units that add up to the rounded total.

Units   amounts are Decimals in the currency's main unit, at most 12 places; answers are multiples of its smallest unit.
Shapes  `allocate(amounts, exponent)`: one share for each amount, in the same order.
Law     Σ shares = half-even(Σ amounts); each share is within one smallest unit of its amount; the shares of the
        mirrored amounts are the mirrored shares, so that taking something back takes back what was billed.
Errors  `MoneyError` for an amount with more than 12 places: somebody forgot to round it where it was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.money import ROUNDING, SCALE, MoneyError, exactly

UNITS_PER_ONE = Decimal(10) ** SCALE


def round_minor(amount: Decimal, exponent: int) -> Decimal:
    """Half-even to the currency's smallest unit; nothing is 0, never minus 0."""
    return ROUNDING.add(amount.quantize(Decimal(1).scaleb(-exponent), context=ROUNDING), Decimal(0))


@exactly
def allocate(amounts: Sequence[Decimal], exponent: int) -> list[Decimal]:
    """Rounded shares that add up to the rounded sum; spare units go to the largest remainders, ties to the first.

    The order of `amounts` is the order of keys: whoever calls sorts by key."""
    scaled = [_scaled(amount) for amount in amounts]
    total = sum(scaled)
    # A reversal mirrors what it reverses, key by key; where the total says nothing, the first amount does.
    if total < 0 or (not total and next(filter(None, scaled), 0) < 0):
        scaled, sign = [-number for number in scaled], -1
    else:
        sign = 1
    minor = 10 ** (SCALE - exponent)
    shares = [divmod(number, minor) for number in scaled]
    spare = _half_even(abs(total), minor) - sum(floor for floor, _ in shares)
    lucky = sorted(range(len(shares)), key=lambda index: -shares[index][1])[:spare] if spare else []
    floors = [floor for floor, _ in shares]
    for index in lucky:
        floors[index] += 1
    step = Decimal(1).scaleb(-exponent)
    return [step * (sign * floor) for floor in floors]


def _scaled(amount: Decimal) -> int:
    scaled = amount * UNITS_PER_ONE
    number = int(scaled)
    if number != scaled:
        raise MoneyError(f"{amount:f} has more than {SCALE} places after the point")
    return number


def _half_even(number: int, minor: int) -> int:
    floor, rest = divmod(number, minor)
    return floor + (2 * rest > minor or (2 * rest == minor and floor % 2 == 1))

"""Largest remainder: exact amounts as whole smallest units that add up to the rounded total.

Units   amounts are Decimals in the currency's main unit; answers are multiples of its smallest unit (10 ** -exponent).
Shapes  `allocate(amounts, exponent)`: one share for each amount, in the same order.
Law     Σ shares = half-even(Σ amounts); each share is within one smallest unit of its amount; the shares of the
        mirrored amounts are the mirrored shares, so that taking something back takes back what was billed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, Decimal

from billing.money import EXACT, ROUNDING


def round_minor(amount: Decimal, exponent: int) -> Decimal:
    """Half-even to the currency's smallest unit."""
    return amount.quantize(Decimal(1).scaleb(-exponent), context=ROUNDING)


def allocate(amounts: Sequence[Decimal], exponent: int) -> list[Decimal]:
    """Rounded shares that add up to the rounded sum; spare units go to the largest remainders, ties to the first.

    The order of `amounts` is the order of keys: whoever calls sorts by key."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    first = next((amount for amount in amounts if amount), Decimal(0))
    negative = total < 0 or (not total and first < 0)  # a reversal mirrors what it reverses, key by key
    step = Decimal(1).scaleb(-exponent)
    floors: list[Decimal] = []
    remainders: list[Decimal] = []
    spare = abs(total).quantize(step, context=ROUNDING)
    for amount in amounts:
        upright = -amount if negative else amount
        floor = upright.quantize(step, rounding=ROUND_FLOOR, context=ROUNDING)
        floors.append(floor)
        remainders.append(EXACT.subtract(upright, floor))
        spare = EXACT.subtract(spare, floor)
    units = int(spare.scaleb(exponent))
    if units:
        for index in sorted(range(len(floors)), key=lambda index: -remainders[index])[:units]:
            floors[index] = EXACT.add(floors[index], step)
    return [EXACT.minus(floor) if negative else floor for floor in floors]

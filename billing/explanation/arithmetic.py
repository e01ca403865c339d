"""One line of arithmetic, kept as it was done: the formula with its numbers, every digit, and what rounding made of it.

Units   amounts at 12 places in the currency of whoever asks; factors and quantities as they are written.
Exact   products and sums have all their digits. A quotient that never ends shows its first `QUOTIENT_PLACES`, says so
        (`endless`), and is rounded from far more digits than that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact

from billing.money import EXACT, rounded

QUOTIENT_PLACES = 24
_CUT = Context(prec=120, rounding=ROUND_DOWN)


@dataclass(frozen=True, slots=True)
class Step:
    """`formula` comes to `exact`, and to `amount` at 12 places, half-even."""

    name: str  # for machines: a meter, or what the amount is, such as base_cost
    formula: str
    exact: Decimal
    amount: Decimal
    endless: bool = False  # `exact` is only the beginning of the quotient

    @property
    def was_rounded(self) -> bool:
        """Whether rounding changed anything."""
        return self.endless or self.amount != self.exact

    @property
    def residue(self) -> Decimal:
        """What rounding added, negative where it took away; 0 where there was nothing to round."""
        return EXACT.subtract(self.amount, self.exact)


def plain(number: Decimal | int) -> str:
    """A number without exponent and without zeros at its end; zero is 0."""
    text = f"{Decimal(number):f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if Decimal(number) else "0"


def product(name: str, left: Decimal, right: Decimal) -> Step:
    """left × right."""
    exact = EXACT.multiply(left, right)
    return Step(name, f"{plain(left)} × {plain(right)}", exact, rounded(exact))


def quotient(name: str, dividend: Decimal, divisor: Decimal) -> Step:
    """dividend ÷ divisor; the divisor is not 0."""
    context = Context(prec=120, rounding=ROUND_HALF_EVEN)  # of this division alone, for its flag
    digits = context.divide(dividend, divisor)
    endless = bool(context.flags[Inexact])
    exact = digits.quantize(Decimal(1).scaleb(-QUOTIENT_PLACES), context=_CUT) if endless else digits
    return Step(name, f"{plain(dividend)} ÷ {plain(divisor)}", exact, rounded(digits), endless)


def total(name: str, parts: Iterable[Decimal]) -> Step:
    """The sum; nothing is rounded."""
    addends = list(parts)
    amount = add_up(addends)
    return Step(name, " + ".join(map(plain, addends)) or "nothing", amount, rounded(amount))


def difference(name: str, left: Decimal, right: Decimal) -> Step:
    """left − right; nothing is rounded."""
    exact = EXACT.subtract(left, right)
    return Step(name, f"{plain(left)} − {plain(right)}", exact, rounded(exact))


def add_up(parts: Iterable[Decimal]) -> Decimal:
    """The exact sum of any number of amounts; Python's own 28 digits would round it."""
    amount = Decimal(0)
    for part in parts:
        amount = EXACT.add(amount, part)
    return amount

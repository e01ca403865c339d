"""Money: Decimal with 12 places, half-even, in a named currency; never a float.

Scale   12 places after the point (`SCALE`), 26 before: Decimal(38, 12), the same in Python, Polars, Arrow, ClickHouse.
Rounds  half-even, once per operation that can need it; an addition never does.
Errors  `MoneyError` for what is no plain decimal, too precise or out of bounds; an overflow is an error, never a wrap.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from billing.errors import BillingError

SCALE = 12
STEP = Decimal(1).scaleb(-SCALE)
# Exact additions and products of anything that fits the columns: an operation that would have to round raises.
EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])
ROUNDING = Context(prec=120, rounding=ROUND_HALF_EVEN)
# What people and programs write: no digit of another script, no space and no underscore (2_50 is a slip for 2.50).
PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
P = ParamSpec("P")
R = TypeVar("R")


class MoneyError(BillingError, ValueError):  # a ValueError, so that pydantic adds the field
    """A text or number that is no exact amount; says which and why."""


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """Inside of `function`, and of all that it calls, + - * are exact: what would have to round raises instead.

    The operators are several times faster than the methods of a context, and a statement is made of them."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with localcontext(EXACT):
            return function(*args, **kwargs)

    return inside


def rounded(amount: Decimal) -> Decimal:
    """`amount` at 12 places, half-even."""
    return amount.quantize(STEP, context=ROUNDING)


def parse_decimal(text: object, *, what: str, places: int, most: Decimal, least: Decimal) -> Decimal:
    """A plain decimal, written as text or as a whole number, within bounds; MoneyError says what is wrong with it."""
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise MoneyError(f'{what}: {text!r} has to be written in quotes, such as "0.25": a float is not exact')
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise MoneyError(f"{what}: {text!r} is no decimal number") from None
    if not value.is_finite():
        raise MoneyError(f"{what}: {text!r} is not finite")
    if isinstance(text, str) and not PLAIN.fullmatch(text):
        raise MoneyError(f"{what}: {text!r} is no plain decimal number: digits 0 to 9, and a dot before the fraction")
    if not least <= value <= most:
        raise MoneyError(f"{what}: {text} is outside {least} to {most}")
    if value != value.quantize(Decimal(1).scaleb(-places), context=ROUNDING):
        raise MoneyError(f"{what}: {text} has more than {places} places after the point")
    return value

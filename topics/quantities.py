"""Quantities and amounts from text, exactly: no floats, no contexts, and no time spent on 10^400000.

Units   a quantity is an int in millionths of its meter's unit (0 … 10^18); an amount a Decimal of at most 12 decimals.
Errors  `problem(...)` with QUANTITY_NOT_FINITE, _NEGATIVE, _TOO_LARGE or _TOO_PRECISE, or WRONG_FIELD_TYPE.
        Where several apply, that is their order.
Cost    linear in the length of the text: digits are counted, never expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from topics.problems import problem, shown
from topics.reasons import Reason

QUANTITY_DECIMALS = 6
QUANTITY_UNIT = 1_000_000
QUANTITY_INTEGER_DIGITS_MAX = 12  # up to 10**12 itself
AMOUNT_DECIMALS = 12
AMOUNT_INTEGER_DIGITS_MAX = 15

_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_NOT_FINITE = re.compile(r"[+-]?(nan|snan|inf|infinity)", re.IGNORECASE)
_EXPONENT_DIGITS_MAX = 9


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it was written (or NaN, Infinity, -Infinity, which JSON does not know)."""

    text: str

    def __repr__(self) -> str:
        return self.text


def quantity_millionths(value: object) -> int:
    """A quantity given as int, Decimal, JSON number, or string in plain decimal notation ("1.5", not "15e-1")."""
    if type(value) is int:
        if value < 0:
            raise problem(Reason.QUANTITY_NEGATIVE, f"is {shown(value)}, below 0: publish a void to take usage back")
        if value > 10**QUANTITY_INTEGER_DIGITS_MAX:
            raise _too_large(value, QUANTITY_INTEGER_DIGITS_MAX)
        return value * QUANTITY_UNIT
    return scaled_integer(value, QUANTITY_DECIMALS, QUANTITY_INTEGER_DIGITS_MAX)


def amount(value: object) -> Decimal:
    """A signed amount of money given as Decimal, or as a string in plain decimal notation; at most 12 decimals."""
    if not isinstance(value, (str, Decimal)):
        raise problem(
            Reason.WRONG_FIELD_TYPE,
            f'is {shown(value)}: write money as a string such as "-0.25", so that nobody reads it as a float',
        )
    scaled = scaled_integer(value, AMOUNT_DECIMALS, AMOUNT_INTEGER_DIGITS_MAX, signed=True)
    return Decimal(scaled).scaleb(-AMOUNT_DECIMALS)


def quantity_decimal(millionths: int) -> Decimal:
    """Millionths as a Decimal in units, without trailing zeros."""
    whole, rest = divmod(millionths, QUANTITY_UNIT)
    return Decimal(millionths).scaleb(-QUANTITY_DECIMALS).normalize() if rest else Decimal(whole)


def plain_text(value: Decimal) -> str:
    """A finite Decimal in plain notation, without exponent and without trailing zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def scaled_integer(value: object, decimals: int, integer_digits_max: int, *, signed: bool = False) -> int:
    """`value` × 10^decimals as an int, if it is exact and at most 10^integer_digits_max."""
    text, plain = _text(value)
    found = _NUMBER.fullmatch(text)
    if found is None or (plain and found[5] is not None):
        if _NOT_FINITE.fullmatch(text):
            raise problem(Reason.QUANTITY_NOT_FINITE, f"is {shown(text)}: send a number")
        raise problem(
            Reason.WRONG_FIELD_TYPE, f'is {shown(value)}: send a number, or a string in plain decimals such as "1.5"'
        )
    sign, whole, fraction, exponent_sign, exponent_digits = found.groups(default="")
    digits = (whole + fraction).lstrip("0")
    if not digits:
        return 0
    if sign and not signed:
        raise problem(Reason.QUANTITY_NEGATIVE, f"is {shown(value)}, below 0: publish a void to take usage back")
    significant = digits.rstrip("0")
    exponent = _exponent(exponent_sign, exponent_digits) - len(fraction) + len(digits) - len(significant)
    integer_digits = len(significant) + exponent
    if integer_digits > integer_digits_max and (integer_digits, significant) != (integer_digits_max + 1, "1"):
        raise _too_large(value, integer_digits_max)
    if exponent < -decimals:
        raise problem(
            Reason.QUANTITY_TOO_PRECISE,
            f"is {shown(value)}: at most {decimals} decimals are billed, round before sending",
        )
    scaled = int(significant + "0" * (exponent + decimals))
    return -scaled if sign else scaled


def _text(value: object) -> tuple[str, bool]:
    """The number's text, and whether only plain notation is allowed."""
    if isinstance(value, str):
        return value, True
    if isinstance(value, Number):
        return value.text, False
    if isinstance(value, Decimal):
        return str(value), False
    if isinstance(value, float):
        raise problem(
            Reason.WRONG_FIELD_TYPE, f"is the float {value!r}, which is not exact: use an int, a Decimal or a string"
        )
    raise problem(
        Reason.WRONG_FIELD_TYPE, f'is {shown(value)}: send a number, or a string in plain decimals such as "1.5"'
    )


def _exponent(sign: str, digits: str) -> int:
    significant = digits.lstrip("0") or "0"
    # A record is far shorter than 10^9 characters, so a longer exponent decides alone.
    size = int(significant) if len(significant) <= _EXPONENT_DIGITS_MAX else 10**_EXPONENT_DIGITS_MAX
    return -size if sign == "-" else size


def _too_large(value: object, integer_digits_max: int) -> Exception:
    return problem(
        Reason.QUANTITY_TOO_LARGE,
        f"is {shown(value)}, above 10^{integer_digits_max}: check the unit, or split the event",
    )

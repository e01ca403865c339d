"""A line before it is converted and rounded, and how numbers are written in its sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from billing.currencies import exponent
from billing.money import ROUNDING
from billing.statements.document import LineKind
from billing.statements.inputs import Reason

WORDS: dict[Reason, str] = {"late": "late usage", "void": "usage taken back", "rerate": "usage rated again"}
SENTENCES: dict[Reason, str] = {
    "late": "Usage of {} that arrived after the statement of that period.",
    "void": "Usage of {} that was taken back after the statement of that period.",
    "rerate": "Usage of {} that was rated again after the statement of that period.",
}


class Draft(NamedTuple):
    """A line in the charge currency; `rate` leads to the statement's. Fields as in `StatementLine`."""

    key: str
    kind: LineKind
    label: str
    unit: str
    quantity: Decimal | None
    charge: Decimal
    reason: str
    refers_to: str
    rate: Decimal


def plain(number: Decimal) -> str:
    """Without zeros at the end: 3, 0.25, 54.838710."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(amount: Decimal, currency: str) -> str:
    """Such as 2.50 USD; every digit of an amount that is no whole number of smallest units."""
    least = amount.quantize(Decimal(1).scaleb(-exponent(currency)), context=ROUNDING)
    return f"{least if least == amount else amount.normalize():f} {currency}"


def counted(number: Decimal, one: str, many: str) -> str:
    """Such as 1 task, 3 tasks."""
    return f"{plain(number)} {one if number == 1 else many}"


def word(number: Decimal, one: str, many: str) -> str:
    """The unit as it goes with the number."""
    return one if number == 1 else many

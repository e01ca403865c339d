"""A line before it is converted and rounded, and how numbers are written in its sentences."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from billing.statements.document import LineKind
from billing.statements.inputs import Reason

WORDS: dict[Reason, str] = {"late": "late usage", "void": "usage taken back", "rerate": "usage rated again"}


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


def counted(number: Decimal, one: str, many: str) -> str:
    """ "1 task", "3 tasks"."""
    return f"{plain(number)} {one if number == 1 else many}"


def word(number: Decimal, one: str, many: str) -> str:
    """The unit as it goes with the number."""
    return one if number == 1 else many

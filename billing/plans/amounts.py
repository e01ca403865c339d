"""How amounts, quantities and rates are written in a plan book: in quotes, exact, within bounds.

Units   amounts at most 12 places in the book's currency; quantities at most 6 places; rates are parts of 1, as "0.21".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from billing.money import SCALE, parse_decimal

AMOUNT_MAX = Decimal(10) ** 9
QUANTITY_PLACES = 6  # as in totals: millionths
QUANTITY_STEP = Decimal(1).scaleb(-QUANTITY_PLACES)


def _amount(value: object) -> Decimal:
    return parse_decimal(value, what="amount", places=SCALE, least=Decimal(0), most=AMOUNT_MAX)


def _quantity(value: object) -> Decimal:
    return parse_decimal(value, what="quantity", places=QUANTITY_PLACES, least=Decimal(0), most=Decimal(10) ** 12)


def _rate(value: object) -> Decimal:
    return parse_decimal(value, what="rate", places=SCALE, least=Decimal(0), most=Decimal(1))


Amount = Annotated[Decimal, BeforeValidator(_amount)]
Quantity = Annotated[Decimal, BeforeValidator(_quantity)]
Rate = Annotated[Decimal, BeforeValidator(_rate)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
# Ids of which keys are made, "<plan>/<allowance>": without the slash, no two of them are the same key.
Name = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^/\s]+$")]

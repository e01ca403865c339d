"""A price: what so many units of a meter cost, exact per unit at 12 places, in the currency of its book.

Units   `price` for `per` units; `unit_price` is per one unit, 0 to 10^6, and never rounded: what is not exact at 12
        places is refused (write the price of more units: `{ price = "0.15", per = 1000000 }`).
Errors  `MoneyError` inside pydantic's, with the text of what was wrong.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.money import ROUNDING, SCALE, parse_decimal

PRICE_MAX = Decimal(10) ** 6
PER_MAX = 10**9


class Price(BaseModel):
    """What `per` units of a meter cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    price: Decimal
    per: int = Field(1, ge=1, le=PER_MAX, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        table = value if isinstance(value, dict) else {"price": value}
        amount = parse_decimal(
            table.get("price"), what="price", places=SCALE, least=Decimal(0), most=PRICE_MAX * PER_MAX
        )
        return {**table, "price": amount}

    @model_validator(mode="after")
    def _exact(self) -> Price:
        parse_decimal(str(self.unit_price), what="price per unit", places=SCALE, least=Decimal(0), most=PRICE_MAX)
        return self

    @property
    def unit_price(self) -> Decimal:
        """Of one unit."""
        return ROUNDING.divide(self.price, Decimal(self.per))


Meters = Annotated[dict[str, Price], Field(min_length=1)]


def unit_prices(meters: dict[str, Price]) -> dict[str, Decimal]:
    """Meter to the price of one unit."""
    return {meter: price.unit_price for meter, price in meters.items()}

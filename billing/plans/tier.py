"""Tiers: a line's price by how much of it was used in the period, instead of event by event.

Volume     all units at the price of the step that the whole quantity reaches.
Graduated  each unit at the price of the step it falls into.
Rule       A step applies above its bound: with steps above 0 and above 100, the hundredth unit is still of the first.
           The tier's charge replaces the line's; the difference, up or down, is the Builder's. What the AI costs, and
           so the provider's reward and the platform's fee, stay as they are. Rounded once, half-even at 12 places.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.money import EXACT, rounded
from billing.plans.amounts import Amount, Quantity, Text


class TierStep(BaseModel):
    """Above so many units of the period, a unit costs `price`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    above: Quantity
    price: Amount


class Tier(BaseModel):
    """The tiers of one rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rule: Text
    kind: Literal["volume", "graduated"]
    steps: tuple[TierStep, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Tier:
        bounds = [step.above for step in self.steps]
        if bounds[0]:
            raise ValueError(f"tiers of {self.rule}: the first step is above 0, or the first units would have no price")
        if any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(f"tiers of {self.rule}: every step is above the one before it")
        return self

    def charge(self, quantity: Decimal) -> Decimal:
        """What this many units of a period cost, 12 places."""
        result = Decimal(0)
        for number, step in enumerate(self.steps):
            if quantity <= step.above:
                break
            if self.kind == "volume":
                result = EXACT.multiply(quantity, step.price)
                continue
            following = self.steps[number + 1 : number + 2]
            until = min(quantity, following[0].above) if following else quantity
            result = EXACT.add(result, EXACT.multiply(EXACT.subtract(until, step.above), step.price))
        return rounded(result)

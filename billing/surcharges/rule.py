"""A surcharge rule: what it matches, how it charges, and what a customer is told about it.

Kinds   markup         charge = base x (1 + percent / 100)
        margin         charge = base / (1 - percent / 100): 20 % margin is 1.25 times the base
        per_unit       charge = base + amount x quantity of a business meter
        unit_price     charge = amount x quantity of a business meter; usage without that meter is unpriced
        pass_through   charge = base
        included       charge = 0, the Builder funds the base
Then    charge = max(floor, min(cap, charge)) where given. Rounded once, half-even, 12 places.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from billing.money import SCALE, parse_decimal

# In order of weight: a rule that names an earlier field is more specific than one that names only later ones.
MATCH_FIELDS = (
    "tenant", "workspace", "builder", "feature", "workflow", "action", "model", "model_class", "provider", "mode", "route"
)  # fmt: skip
Kind = Literal["markup", "margin", "per_unit", "unit_price", "pass_through", "included"]
Text = Annotated[str, Field(min_length=1, max_length=256)]
PERCENT_PLACES = SCALE - 2
MARGIN_MAX = Decimal("99.99")


def _amount(value: object) -> Decimal:
    return parse_decimal(value, what="amount", places=SCALE, least=Decimal(0), most=Decimal(10) ** 6)


def _percent(value: object) -> Decimal:
    return parse_decimal(value, what="percent", places=PERCENT_PLACES, least=Decimal(-100), most=Decimal(10) ** 6)


Amount = Annotated[Decimal, BeforeValidator(_amount)]


class Rule(BaseModel):
    """One rule of a rule book."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Text
    kind: Kind
    match: dict[str, Text] = Field(default_factory=dict)
    label: Text
    unit: Text
    reason: Text
    percent: Annotated[Decimal, BeforeValidator(_percent)] | None = None
    amount: Amount | None = None
    meter: Text | None = None
    floor: Amount | None = None
    cap: Amount | None = None

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        wrong = sorted(set(self.match) - set(MATCH_FIELDS))
        if wrong:
            raise ValueError(f"rule {self.id}: match knows {', '.join(MATCH_FIELDS)}, not {', '.join(wrong)}")
        needs = {"markup": ("percent",), "margin": ("percent",), "per_unit": ("amount", "meter"),
                 "unit_price": ("amount", "meter")}.get(self.kind, ())  # fmt: skip
        for name in ("percent", "amount", "meter"):
            if (getattr(self, name) is not None) != (name in needs):
                verb = "needs" if name in needs else "takes no"
                raise ValueError(f"rule {self.id}: {self.kind} {verb} {name}")
        if self.kind == "margin" and self.percent is not None and not 0 <= self.percent <= MARGIN_MAX:
            raise ValueError(f"rule {self.id}: a margin is 0 to {MARGIN_MAX} percent of the price")
        if self.floor is not None and self.cap is not None and self.floor > self.cap:
            raise ValueError(f"rule {self.id}: floor {self.floor} is above cap {self.cap}")
        return self

    @property
    def specificity(self) -> tuple[bool, ...]:
        """Which fields are named, in order of weight: compared as a tuple, the greater wins."""
        return tuple(field in self.match for field in MATCH_FIELDS)

    def matches(self, tags: Mapping[str, str], classes: Mapping[str, frozenset[str]]) -> bool:
        """Whether every field named is the event's."""
        return all(
            tags["model"] in classes[wanted] if field == "model_class" else tags[field] == wanted
            for field, wanted in self.match.items()
        )

"""A surcharge rule: what it matches, how it charges, and what a customer is told about it.

Charge = what the rule's kind makes of the base (kinds.py), then at most `cap`, then at least `floor`.
Every rule has a label, a unit and a reason in plain words: what creates this charge. Without a reason it is refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from billing.documents import Name
from billing.money import SCALE, parse_decimal
from billing.surcharges.kind import SurchargeKind
from billing.surcharges.kinds import KINDS
from topics.events import Mode, Route

# In order of weight: a rule that names an earlier field is more specific than one that names only later ones.
MATCH_FIELDS = (
    "tenant",
    "workspace",
    "builder",
    "feature",
    "workflow",
    "action",
    "model",
    "model_class",
    "provider",
    "mode",
    "route",
)
CHOICES = {"mode": tuple(Mode), "route": tuple(Route)}  # fields of which an event has one of a few values
AMOUNT_MAX = Decimal(10) ** 6
Text = Annotated[str, Field(min_length=1, max_length=256)]


def _amount(value: object) -> Decimal:
    return parse_decimal(value, what="amount", places=SCALE, least=Decimal(0), most=AMOUNT_MAX)


def _percent(value: object) -> Decimal:
    return parse_decimal(value, what="percent", places=SCALE - 2, least=-AMOUNT_MAX, most=AMOUNT_MAX)


Amount = Annotated[Decimal, BeforeValidator(_amount)]


class Rule(BaseModel):
    """One rule of a rule book."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    kind: str
    match: dict[str, Name] = Field(default_factory=dict)
    label: Name
    unit: Name
    reason: Text
    percent: Annotated[Decimal, BeforeValidator(_percent)] | None = None
    amount: Amount | None = None
    meter: Text | None = None
    floor: Amount | None = None
    cap: Amount | None = None

    @model_validator(mode="before")
    @classmethod
    def _explained(cls, value: Any) -> Any:
        """Pydantic would say that a field is required, not what it is for."""
        for name in ("label", "unit", "reason"):
            if isinstance(value, dict) and not value.get(name):
                what = "what creates this charge" if name == "reason" else "what the statement calls it"
                raise ValueError(f"rule {value.get('id', 'without id')} has no {name}: tell the customer {what}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Rule:
        if self.kind not in KINDS:
            raise ValueError(f"rule {self.id}: kind is one of {', '.join(KINDS)}, not {self.kind}")
        wrong = sorted(set(self.match) - set(MATCH_FIELDS))
        if wrong:
            raise ValueError(f"rule {self.id}: match knows {', '.join(MATCH_FIELDS)}, not {', '.join(wrong)}")
        for field, choices in CHOICES.items():
            if self.match.get(field, choices[0]) not in choices:
                raise ValueError(f"rule {self.id}: {field} is one of {', '.join(choices)}, not {self.match[field]}")
        for name in ("percent", "amount", "meter"):
            wanted = name in self.surcharge.fields
            if (getattr(self, name) is not None) != wanted:
                raise ValueError(f"rule {self.id}: {self.kind} {'needs' if wanted else 'takes no'} {name}")
        least, most = self.surcharge.percent_bounds
        if self.percent is not None and not least <= self.percent <= most:
            raise ValueError(
                f"rule {self.id}: the percent of a {self.kind} is {least} to {most}, not {self.percent}; it is a "
                f"part of {self.surcharge.percent_of}"
            )
        if self.floor is not None and self.cap is not None and self.floor > self.cap:
            raise ValueError(f"rule {self.id}: floor {self.floor} is above cap {self.cap}")
        if not self.reason.strip() or not self.label.strip() or not self.unit.strip():
            raise ValueError(f"rule {self.id}: label, unit and reason have to say something to the customer")
        return self

    @property
    def surcharge(self) -> SurchargeKind:
        """How this rule charges."""
        return KINDS[self.kind]

    @property
    def parameter(self) -> Decimal | None:
        """The number that the kind's formula takes."""
        return self.surcharge.parameter(self.percent, self.amount)

    @property
    def specificity(self) -> tuple[bool, ...]:
        """Which fields are named, in order of weight: compared as tuples, the greater wins."""
        return tuple(field in self.match for field in MATCH_FIELDS)

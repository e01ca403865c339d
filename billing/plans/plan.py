"""A plan: what a tenant pays for by the period, what is included in it, and what bounds the sum.

Fee        for each period, in arrears on the statement of that period; a part of a period pays that part, by days.
Trial      on its days no fee is charged and no minimum counts; usage is charged as always (a promotional grant gives
           usage away), and allowances are whole.
Minimum    compares what usage of the period comes to after tiers and allowances, before credits; the fee is not usage.
Cap        bounds the same sum. Past it: `stop`, gateways are told to stop, and what comes through all the same is
           carried by the platform, whose gateways were late; `builder`, usage goes on and the Builder carries it;
           `continue`, usage is charged as always and the cap only warns.
Units      one or two meters that the customer sees; quantities of other meters stay inside, their amounts do not.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing.credits import Grant
from billing.plans.allowance import Allowance
from billing.plans.amounts import Amount, Name, Quantity, Text
from billing.plans.tier import Tier

REQUESTS = "requests"  # the meter that counts events where nothing else counts them


class PlanUnit(BaseModel):
    """What customers count in: a business meter, and its words."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    meter: Text  # `requests` counts events
    one: Text  # as rules write it: "task"
    many: Text  # "tasks"


class Cap(BaseModel):
    """The most that usage of a period may come to, and what happens past it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    amount: Amount
    then: Literal["stop", "builder", "continue"]


class TopUp(BaseModel):
    """Something that a tenant of the plan can buy: units, or money to be used up."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Text
    label: Text
    unit: str = ""  # one of the plan's units; "" for money
    quantity: Quantity
    price: Amount
    rules: tuple[Text, ...] = ()  # whose lines it pays for; none: all of them
    expires_after_days: Annotated[int, Field(ge=1, le=3660)] | None = None
    priority: int = 100

    @model_validator(mode="after")
    def _something(self) -> TopUp:
        if not self.quantity:
            raise ValueError(f"top-up {self.id}: a quantity of 0 is nothing to buy")
        return self

    def bought(self, grant_id: str, *, tenant: str, currency: str, at: datetime, settled: bool = False) -> Grant:
        """The grant that buying it makes."""
        ends = at + timedelta(days=self.expires_after_days) if self.expires_after_days else None
        kind: Literal["top_up", "prepaid"] = "top_up" if self.unit else "prepaid"
        return Grant(
            grant_id, tenant, kind, self.unit, currency, self.quantity, self.price, at, ends,
            priority=self.priority, settled=settled, label=self.label, rules=self.rules,
        )  # fmt: skip


class Plan(BaseModel):
    """One plan of a plan book; amounts in the book's currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    label: Text
    fee: Amount = Decimal(0)
    trial_days: Annotated[int, Field(ge=0, le=366)] = 0
    units: tuple[PlanUnit, ...] = Field(min_length=1, max_length=2)
    allowances: tuple[Allowance, ...] = ()
    top_ups: tuple[TopUp, ...] = ()
    tiers: tuple[Tier, ...] = ()
    minimum: Amount = Decimal(0)
    cap: Cap | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Plan:
        for what, names in (
            ("allowance", [each.id for each in self.allowances]),
            ("top-up", [each.id for each in self.top_ups]),
            ("tiers of rule", [each.rule for each in self.tiers]),
            ("unit", [each.meter for each in self.units]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"plan {self.id}: {what} {', '.join(twice)} stands twice")
        meters = {unit.meter for unit in self.units}
        units = [(f"allowance {each.id}", each.unit) for each in self.allowances]
        units += [(f"top-up {each.id}", each.unit) for each in self.top_ups if each.unit]
        for where, unit in units:
            if unit not in meters:
                raise ValueError(
                    f"plan {self.id}: {where} counts {unit}, which customers of the plan do not see: "
                    f"its units are {', '.join(sorted(meters))}"
                )
        if self.cap is not None and self.cap.amount < self.minimum:
            raise ValueError(f"plan {self.id}: the cap {self.cap.amount} is below the minimum {self.minimum}")
        return self

    def unit(self, word: str) -> PlanUnit | None:
        """The unit that a rule's word means; None for what customers of this plan do not count."""
        return next((unit for unit in self.units if word in (unit.one, unit.many, unit.meter)), None)

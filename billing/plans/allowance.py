"""An allowance: units of the period that the tenant does not pay, and who does.

Rule    It covers units of the lines it is about, at each line's average price: charge x covered / quantity, half-even
        at 12 places. Lines in the order of `rules`; without `rules` every line counted in the unit, the dearest unit
        first (ties by rule id), so that an allowance is worth the most to the customer. Free lines use none of it.
Funding `builder`: out of the Builder's earnings; `platform`: out of the platform's fee; `prepaid`: out of money that
        the tenant has paid in advance, as far as that reaches.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from billing.plans.amounts import Name, Quantity, Text

Funding = Literal["builder", "platform", "prepaid"]


class Allowance(BaseModel):
    """One allowance of a plan, for a whole period; a part of a period has that part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Name
    label: Text
    unit: Text  # a business meter, one of the plan's units
    quantity: Quantity
    rules: tuple[Text, ...] = ()  # rule ids, in the order in which they are covered; none: all lines of the unit
    funding: Funding = "builder"
    rollover: bool = False  # what is unused becomes a grant of the next period
    rollover_max: Quantity | None = None  # at most this much stands over from all periods; None: all of it

    @model_validator(mode="after")
    def _sensible(self) -> Allowance:
        if not self.quantity:
            raise ValueError(f"allowance {self.id}: a quantity of 0 includes nothing, leave the allowance out")
        if self.rollover_max is not None and not self.rollover:
            raise ValueError(f"allowance {self.id}: rollover_max needs rollover = true")
        if self.rollover and self.funding == "prepaid":
            raise ValueError(f"allowance {self.id}: what is prepaid stays in the prepaid balance, it has no rollover")
        if len(set(self.rules)) != len(self.rules):
            raise ValueError(f"allowance {self.id}: a rule stands twice in rules")
        return self

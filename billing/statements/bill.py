"""What usage of one period comes to before anybody draws on credits: the same for a period that is closed, that is
corrected, and that still runs. A correction is the difference of two of these."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from billing.periods import Period
from billing.plans import Allowance, Plan
from billing.statements.usage import RuleUsage

MINIMUM = "minimum"  # the key of what is due although nothing was used


@dataclass(slots=True)
class Included:
    """An allowance in this period: what it includes, and what of that is used."""

    key: str  # "<plan>/<allowance>"
    allowance: Allowance
    units: Decimal  # the part of it that the plan's days have, less what was carried over already
    used: Decimal


class Cover(NamedTuple):
    """Units of a rule that an allowance takes off."""

    key: str
    allowance: Allowance
    rule_id: str
    units: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bounds:
    """Minimum and cap against what usage comes to after tiers and allowances."""

    basis: Decimal
    minimum: Decimal  # what the plan asks for at least; 0 without one
    short: Decimal  # what is due on top of usage
    cap: Decimal | None
    then: str  # stop, builder, continue; "" without a cap
    over: Decimal  # what is taken off


@dataclass(frozen=True, slots=True)
class PeriodBill:
    """Usage of a period, worked out; `rules` by rule id, in their order, with what of each is still open."""

    period: Period
    plan: Plan | None  # the one in force at the end: its units and tiers
    rules: dict[str, RuleUsage]
    included: dict[str, Included]
    covers: tuple[Cover, ...]
    bounds: Bounds

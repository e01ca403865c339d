"""Who has which plan since when, and how much of a period that is: segments of whole local days.

Rule    A change takes effect at the local midnight that begins its day. A segment has days / days of the period of its
        plan's fee, minimum and cap (half-even, 12 places) and of its allowances (half-even, 6 places).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, model_validator

from billing.currencies import Currency
from billing.money import EXACT, ROUNDING, STEP
from billing.periods import Period
from billing.plans.amounts import QUANTITY_STEP, Name, Rate, Text
from billing.plans.plan import Plan


class TaxRate(BaseModel):
    """A rate that somebody who knows has decided on: we are no tax engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    id: Text
    label: Text
    rate: Rate  # a part of 1


class Subscription(BaseModel):
    """A tenant has a plan from `since` on, up to `until` (exclusive)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    tenant: Text
    plan: Name
    since: date
    until: date | None = None
    currency: Currency | None = None  # of the statement; None: the book's
    trial_until: date | None = None  # exclusive; None: the plan's trial_days from `since` on
    tax: Text | None = None  # one of the book's taxes; or
    tax_rate: Rate | None = None
    tax_label: Text | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Subscription:
        if self.until is not None and self.until <= self.since:
            raise ValueError(f"tenant {self.tenant}: until {self.until} is not after since {self.since}")
        if (self.tax_rate is None) != (self.tax_label is None):
            raise ValueError(f"tenant {self.tenant}: tax_rate and tax_label go together")
        if self.tax is not None and self.tax_rate is not None:
            raise ValueError(f"tenant {self.tenant}: tax names a rate of the book, tax_rate gives one: not both")
        return self


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a period in which one plan holds: [first_day, end_day), `trial_days` of them in trial."""

    plan: Plan
    first_day: date
    end_day: date
    trial_days: int = 0

    @property
    def days(self) -> int:
        """Whole local days."""
        return (self.end_day - self.first_day).days


def segment_of(subscription: Subscription, plan: Plan, period: Period) -> Segment | None:
    """The part of the period in which it holds; None where it has none."""
    first = max(subscription.since, period.first_day)
    end = min(subscription.until or period.end_day, period.end_day)
    if first >= end:
        return None
    trial_until = subscription.trial_until or subscription.since + timedelta(days=plan.trial_days)
    return Segment(plan, first, end, max(0, (min(trial_until, end) - first).days))


def whole(period: Period, plan: Plan) -> Segment:
    """The plan for the whole period, without a trial."""
    return Segment(plan, period.first_day, period.end_day)


def part(amount: Decimal, days: int, period: Period, step: Decimal = STEP) -> Decimal:
    """amount x days / days of the period, half-even at `step`; all of it for all days."""
    if days == period.days:
        return amount
    return ROUNDING.divide(EXACT.multiply(amount, Decimal(days)), Decimal(period.days)).quantize(step, context=ROUNDING)


def part_of_units(quantity: Decimal, days: int, period: Period) -> Decimal:
    """The same for quantities, which have 6 places."""
    return part(quantity, days, period, QUANTITY_STEP)

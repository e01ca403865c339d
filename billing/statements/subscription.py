"""Subscription lines: the fee of each plan for the days that it holds, days in trial free; due with its own period."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.periods import Period
from billing.plans import Segment, part
from billing.statements.drafts import Draft


def fee_lines(segments: Sequence[Segment], period: Period, rate: Decimal) -> list[Draft]:
    """One line for each plan that has a fee; a plan without one has no line."""
    lines: list[Draft] = []
    for segment in segments:
        plan = segment.plan
        if not plan.fee:
            continue
        days = segment.days - segment.trial_days
        fee = part(plan.fee, days, period)
        reason = f"The fee of the plan for the {period.word}."
        if days != period.days:
            reason = f"The fee of the plan for {days} of the {period.days} days of the {period.word}."
            if segment.trial_days:
                reason = f"{reason[:-1]}; {segment.trial_days} days of trial are free."
        quantity = Decimal(1) if days == period.days else Decimal(days)
        unit = period.word if days == period.days else "day" if days == 1 else "days"
        key = f"subscription/{segment.first_day.isoformat()}/{plan.id}"
        lines.append(Draft(key, "subscription", plan.label, unit, quantity, fee, reason, plan.id, rate))
    return lines

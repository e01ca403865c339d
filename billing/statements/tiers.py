"""Tiers replace what single events were charged: the price goes by the quantity of the period (`billing.plans.tier`).

They come first, because they say what a line costs; everything else takes off from that. All units of the period count
towards a tier, also those that an allowance covers afterwards. The plan in force at the period's end has the say.
"""

from __future__ import annotations

from collections.abc import Mapping

from billing.plans import Plan
from billing.statements.sums import ZERO
from billing.statements.usage import RuleUsage


def apply_tiers(rules: Mapping[str, RuleUsage], plan: Plan | None) -> None:
    """Put the tier's charge in place of the line's. A rule that is counted in none of the plan's units has no tiers."""
    for tier in plan.tiers if plan else ():
        line = rules.get(tier.rule)
        if line is not None and line.meter:
            line.tiered = line.open = tier.charge(max(line.quantity, ZERO))

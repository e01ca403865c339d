"""Minimum and cap: both compare what usage of the period comes to after tiers and allowances, before credits.

Minimum  what is missing is due on top, and is the Builder's. Days in trial count for nothing.
Cap      what is above is taken off, from every line the same part of what is open (12 places, the last line takes
         what rounding left). Who carries it: `stop` the platform, `builder` the Builder; `continue` takes nothing.
Parts    plans that hold for a part of the period count with that part; one plan without a cap means no cap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.periods import Period
from billing.plans import Segment, part
from billing.statements.bill import Bounds
from billing.statements.sums import ZERO, share, total
from billing.statements.usage import RuleUsage


def apply_bounds(rules: Mapping[str, RuleUsage], segments: Sequence[Segment], period: Period) -> Bounds:
    """Compare the sum, and take off what is above the cap."""
    basis = total(line.open for line in rules.values())
    minimum = ZERO
    caps: list[Decimal] = []
    then = ""
    for segment in segments:
        plan = segment.plan
        if plan.minimum:
            minimum += part(plan.minimum, segment.days - segment.trial_days, period)
        if plan.cap is not None:
            caps.append(part(plan.cap.amount, segment.days, period))
            then = plan.cap.then
    cap = total(caps) if caps and len(caps) == len(segments) else None
    if basis < minimum:
        return Bounds(basis, minimum, minimum - basis, cap, then if cap is not None else "", ZERO)
    if cap is None or basis <= cap or then == "continue":
        return Bounds(basis, minimum, ZERO, cap, then if cap is not None else "", ZERO)
    over = basis - cap
    _take_off(over, [line for line in rules.values() if line.open > 0])
    return Bounds(basis, minimum, ZERO, cap, then, over)


def _take_off(over: Decimal, lines: Sequence[RuleUsage]) -> None:
    """The same part of each; since `over` is below their sum, none becomes negative."""
    still_over, still_open = over, total(line.open for line in lines)
    for line in lines:
        taken = share(still_over, line.open, still_open)
        still_over -= taken
        still_open -= line.open
        line.open -= taken

"""Explain this cent: what one event comes to, with every product, quotient and rounding on the way."""

from billing.explanation.arithmetic import Step, add_up, plain
from billing.explanation.charge import Bound, Charge
from billing.explanation.standing import (
    NOTHING,
    Correction,
    Difference,
    amounts_of,
    compare,
    corrections_of,
    minus,
    place_of,
    target_of,
)
from billing.explanation.usage import (
    AMOUNTS,
    Amounts,
    Counted,
    Lookup,
    MeterCost,
    UsageExplanation,
    explain_usage,
)

__all__ = [
    "AMOUNTS",
    "NOTHING",
    "Amounts",
    "Bound",
    "Charge",
    "Correction",
    "Counted",
    "Difference",
    "Lookup",
    "MeterCost",
    "Step",
    "UsageExplanation",
    "add_up",
    "amounts_of",
    "compare",
    "corrections_of",
    "explain_usage",
    "minus",
    "place_of",
    "plain",
    "target_of",
]

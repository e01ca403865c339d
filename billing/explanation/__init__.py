"""Explain this cent: what one event comes to, with every product, quotient and rounding on the way."""

from billing.explanation.arithmetic import Step, add_up, plain
from billing.explanation.charge import Bound, Charge
from billing.explanation.usage import (
    Amounts,
    Counted,
    Lookup,
    MeterCost,
    UsageExplanation,
    explain_usage,
)

__all__ = [
    "Amounts",
    "Bound",
    "Charge",
    "Counted",
    "Lookup",
    "MeterCost",
    "Step",
    "UsageExplanation",
    "add_up",
    "explain_usage",
    "plain",
]

"""Tax: a given rate of the rounded net, rounded once, half-even; we are no tax engine.

The net holds top-ups in the period in which they are bought, and is less what credits pay: so what is prepaid is taxed
once, when it is bought. A net below 0 has a tax below 0: what is taken back is taken back with its tax.
"""

from __future__ import annotations

from decimal import Decimal

from billing.allocation import round_minor
from billing.money import EXACT
from billing.plans import TaxRate
from billing.statements.document import StatementLine
from billing.statements.drafts import plain
from billing.statements.sums import ZERO


def tax_line(net: Decimal, tax: TaxRate, currency: str, exponent: int) -> StatementLine:
    """One line; also where the rate is 0, for an exemption is worth saying."""
    exact = EXACT.multiply(net, tax.rate)
    amount = round_minor(exact, exponent)
    reason = f"{plain(EXACT.multiply(tax.rate, Decimal(100)))} % of {net:f} {currency}."
    return StatementLine(f"tax/{tax.id}", "tax", tax.label, "", None, None, amount, exact, ZERO, reason, tax.id)

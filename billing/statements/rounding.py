"""Conversion and rounding: once, at the end, so that the lines add up to the total.

Conversion  each line to the statement's currency at 12 places, half-even, at the rate of the last day of the period
            that it belongs to: what is taken back of an earlier period is taken back at the rate it was billed at.
Rounding    the sum of the lines, half-even, to the currency's smallest unit; the lines get shares by largest remainder
            (ties by key, `billing.allocation`), so each is within one smallest unit of what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.allocation import allocate
from billing.money import ROUNDING, STEP, rounded
from billing.statements.document import StatementLine
from billing.statements.drafts import Draft
from billing.statements.sums import product


def rounded_lines(drafts: Sequence[Draft], exponent: int) -> list[StatementLine]:
    """The same lines in the statement's currency; their amounts add up to their rounded sum."""
    exact = [rounded(draft.charge) if draft.rate == 1 else product(draft.charge, draft.rate) for draft in drafts]
    by_key = sorted(range(len(drafts)), key=lambda index: drafts[index].key)
    shares = dict(zip(by_key, allocate([exact[index] for index in by_key], exponent), strict=True))
    return [
        StatementLine(
            draft.key,
            draft.kind,
            draft.label,
            draft.unit,
            draft.quantity,
            unit_price(exact[index], draft.quantity),
            shares[index],
            exact[index],
            rounded(draft.charge),
            draft.reason,
            draft.refers_to,
        )
        for index, draft in enumerate(drafts)
    ]


def unit_price(amount: Decimal, quantity: Decimal | None) -> Decimal | None:
    """What one unit came to, 12 places; None where nothing is counted or nothing was used."""
    if not quantity:
        return None
    return ROUNDING.divide(amount, quantity).quantize(STEP, context=ROUNDING)

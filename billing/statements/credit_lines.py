"""The lines of credits, in words: what each grant paid in the period, and what was bought."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from billing.credits import Draw, Grant, Purse
from billing.periods import Period
from billing.plans import Plan
from billing.statements.drafts import Draft, counted, money
from billing.statements.sums import ZERO

NAMES: Mapping[str, str] = {
    "top_up": "Top-up",
    "promotional": "Promotional credit",
    "prepaid": "Prepaid credit",
    "rollover": "Carried over",
    "goodwill": "Goodwill credit",
}


def name_of(grant: Grant) -> str:
    """What a customer calls it."""
    return grant.label or NAMES[grant.kind]


def drawn_by_grant(draws: tuple[Draw, ...], period: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Quantity and amount that each grant paid for usage of a period, in the order in which they were drawn."""
    found: dict[str, tuple[Decimal, Decimal]] = {}
    for draw in draws:
        if draw.kind == "drawn" and draw.period == period:
            quantity, amount = found.get(draw.grant_id, (ZERO, ZERO))
            found[draw.grant_id] = quantity + draw.quantity, amount + draw.amount
    return found


def credit_line(
    grant: Grant, quantity: Decimal, amount: Decimal, purse: Purse, plan: Plan | None, rate: Decimal
) -> Draft:
    """What a grant paid for usage of the statement's own period; of money only the amount is shown."""
    left = purse.left(grant.id)
    reason = f"{_amount(quantity, grant, plan)} of {_amount(grant.quantity, grant, plan)} used here, "
    reason += f"{_amount(left, grant, plan)} left."
    one, many = _words(grant, plan)
    shown = quantity if grant.unit else None
    unit = (one if quantity == 1 else many) if grant.unit else ""
    return Draft(f"credit/{grant.id}", "credit", name_of(grant), unit, shown, -amount, reason, grant.id, rate)


def top_up_lines(purse: Purse, period: Period, plan: Plan | None, rate: Decimal) -> list[Draft]:
    """The price of each grant that no statement has asked for yet; from now on it is sold."""
    sold = {draw.grant_id for draw in purse.draws if draw.kind == "sold"}
    lines = []
    for grant in purse.grants.values():
        if grant.id not in sold:
            continue
        reason = f"Bought on {grant.granted_at.date().isoformat()}: {_amount(grant.quantity, grant, plan)}."
        lines.append(
            Draft(f"top_up/{grant.id}", "top_up", name_of(grant), "", None, grant.price_paid, reason, grant.id, rate)
        )
    return lines


def _amount(quantity: Decimal, grant: Grant, plan: Plan | None) -> str:
    return counted(quantity, *_words(grant, plan)) if grant.unit else money(quantity, grant.currency)


def _words(grant: Grant, plan: Plan | None) -> tuple[str, str]:
    unit = plan.unit(grant.unit) if plan else None
    return (unit.one, unit.many) if unit else (grant.unit, grant.unit)

"""A balance as JSON: amounts and quantities as strings, exact, without zeros at their end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.money import EXACT
from billing.statements import Standing, Statement, StatementLine
from tollstream.balances.outlook import Outlook
from tollstream.balances.reading import Balance
from topics.quantities import plain_text

SPENT = frozenset({"usage", "tier", "allowance", "cap"})  # what minimum and cap compare, as far as it is charged
ZERO = Decimal(0)


def outlook_record(outlook: Outlook) -> dict[str, Any]:
    """What all balances of a Builder have in common."""
    period = outlook.running
    return {
        "builder": outlook.builder,
        "period": period.label,
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
        "as_of": outlook.as_of.isoformat(),
        "overdue": list(outlook.overdue),
    }


def balance_record(balance: Balance, *, lines: bool) -> dict[str, Any]:
    """One tenant; `lines`: with the lines of the statement so far."""
    made = balance.statement
    if made is None:
        return {"tenant": balance.given.tenant, "refusal": balance.refusal}
    found: dict[str, Any] = {
        "tenant": made.tenant,
        "plan": balance.given.segments[-1].plan.id if balance.given.segments else "",
        "currency": made.currency,
        "charge_currency": made.charge_currency,
        "spent": plain_text(spent(made)),
        "net": plain_text(made.totals.net),
        "allowances": [_standing(each) for each in of_kind(made, "allowance")],
        "credits": [_standing(each) for each in of_kind(made, "credit")],
        "cap": next((_standing(each) | {"then": balance.past_cap} for each in of_kind(made, "cap")), None),
    }
    if lines:
        found["lines"] = [_line(line) for line in made.lines]
    return found


def spent(made: Statement) -> Decimal:
    """What usage comes to so far, in the charge currency: after tiers, allowances and cap, before credits."""
    found = ZERO
    for line in made.lines:
        if line.kind in SPENT:
            found = EXACT.add(found, line.charge)
    return found


def of_kind(made: Statement, kind: str) -> list[Standing]:
    """Allowances, credits, or the cap."""
    return [standing for standing in made.standings if standing.kind == kind]


def left(standing: Standing) -> Decimal:
    """Never below 0: what is used past a limit is not left."""
    return max(ZERO, EXACT.subtract(standing.limit, standing.used))


def _standing(standing: Standing) -> dict[str, str]:
    return {
        "key": standing.key,
        "label": standing.label,
        "unit": standing.unit,
        "used": plain_text(standing.used),
        "limit": plain_text(standing.limit),
        "left": plain_text(left(standing)),
    }


def _line(line: StatementLine) -> dict[str, Any]:
    return {
        "key": line.key,
        "kind": line.kind,
        "label": line.label,
        "unit": line.unit,
        "quantity": None if line.quantity is None else plain_text(line.quantity),
        "unit_price": None if line.unit_price is None else plain_text(line.unit_price),
        "amount": plain_text(line.amount),
        "reason": line.reason,
        "refers_to": line.refers_to,
    }

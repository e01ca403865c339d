"""Statements in a line or two: usage, a plan, and what the lines of a statement come to, as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.credits import Grant, GrantBalance
from billing.plans import Plan, Segment, whole
from billing.statements import Statement, StatementInput, UsageLine, statement
from tests.support.statement_strategies import OCTOBER, usage

D = Decimal
GRANT = Grant("g1", "globex", "promotional", "", "USD", D(5), D(0), OCTOBER.start)


def line(rule: str, quantity: str, charge: str, **change: Any) -> UsageLine:
    """Half of the charge is cost: 70 % of that the provider's, 30 % the platform's."""
    base = D(charge) / 2
    made = usage(rule, "north", "chat", D(quantity), D(charge), base * D("0.7"), base * D("0.3"))
    return made._replace(**change)


def plan(**fields: Any) -> Plan:
    """Counts tasks and pages."""
    units = [{"meter": "tasks", "one": "task", "many": "tasks"}, {"meter": "pages", "one": "page", "many": "pages"}]
    return Plan.model_validate({"id": "pro", "label": "Pro", "units": units, **fields})


def allowance(quantity: str, **fields: Any) -> dict[str, Any]:
    """Of tasks."""
    return {"id": "included", "label": "Included", "unit": "tasks", "quantity": quantity, **fields}


def made(
    *lines: UsageLine,
    of: Plan | None = None,
    segments: tuple[Segment, ...] | None = None,
    grants: tuple[Grant, ...] = (),
    **fields: Any,
) -> Statement:
    """October's."""
    if segments is None:
        segments = (whole(OCTOBER, of),) if of else ()
    held = tuple(GrantBalance(grant) for grant in grants)
    fields = {"statement_currency": "USD", "segments": segments, "usage": lines, "grants": held, **fields}
    found = statement(StatementInput("acme", "globex", OCTOBER, "USD", **fields))
    assert isinstance(found, Statement), found
    return found


def charges(found: Statement, kind: str) -> dict[str, str]:
    """What the lines of a kind charge, by what they refer to."""
    return {each.refers_to: f"{each.charge.normalize():f}" for each in found.lines if each.kind == kind}


def shown(*numbers: Decimal | None) -> str:
    """As one text, such as 5 3 -."""
    return " ".join("-" if number is None else f"{number.normalize():f}" for number in numbers)


def covered(found: Statement) -> dict[str, str]:
    """Units that allowances take off, by rule."""
    lines = [each for each in found.lines if each.kind == "allowance"]
    return {each.key.rpartition("/")[2]: f"{each.quantity.normalize():f}" for each in lines if each.quantity}

"""Credits drawn: what pays for what is still open after allowances, minimum and cap; none of them goes below zero.

Order    prepaid allowances; then grants by priority, expiry, time and id (`billing.credits`). Units pay for lines
         counted in them, the dearest first, at the line's average price; money pays for lines in order of rule ids and
         then for the minimum. Neither pays for subscriptions, top-ups or tax.
Again    A period that is corrected draws first what it drew before, from the same grants, as far as that is still open:
         what is not goes back to the grant it came from, and only the rest is drawn anew, grant by grant. Fewer units
         give units back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from billing.credits import PAID_KINDS, CreditError, Draw, Grant, Purse
from billing.money import ROUNDING
from billing.periods import Period
from billing.plans.amounts import QUANTITY_STEP
from billing.statements.allowances import covered_lines, in_order
from billing.statements.bill import MINIMUM, PeriodBill
from billing.statements.sums import ZERO, share
from billing.statements.usage import RuleUsage


@dataclass(frozen=True, slots=True)
class Prepaid:
    """Units of a rule that a prepaid allowance paid for, and how much it was."""

    key: str
    rule_id: str
    units: Decimal
    amount: Decimal


def open_lines(bill: PeriodBill) -> dict[str, RuleUsage]:
    """What credits can pay for, by the key of its line: usage, and what the minimum asks for on top."""
    lines = {line.key: line for line in bill.rules.values()}
    short = bill.bounds.short
    if short:
        lines[MINIMUM] = RuleUsage(MINIMUM, "", "", "", "", "", "", ZERO, short, short, short, ZERO)
    return lines


def draw_again(
    purse: Purse, period: Period, was: Mapping[str, RuleUsage], now: Mapping[str, RuleUsage], draws: Iterable[Draw]
) -> None:
    """Keep what was drawn for a period as far as it is still open, and give the rest back.

    A line that stands `now` as it `was` keeps its draws to the last digit, in whatever order they were made."""
    held: dict[tuple[str, str], tuple[Decimal, Decimal]] = {}
    for draw in draws:
        if draw.kind == "drawn":
            quantity, amount = held.get((draw.grant_id, draw.line), (ZERO, ZERO))
            held[draw.grant_id, draw.line] = quantity + draw.quantity, amount + draw.amount
    same = {key for key, line in now.items() if key in was and _open(line) == _open(was[key])}
    for (grant_id, key), (quantity, amount) in sorted(held.items(), key=lambda item: _drawn_order(purse, item[0])):
        line = now.get(key)
        if line is not None and key in same:
            _take(line, purse.grants[grant_id], quantity, amount)
            continue
        kept, worth = _pay(line, purse.grants[grant_id], quantity) if line is not None else (ZERO, ZERO)
        if kept != quantity or worth != amount:
            purse.draw(grant_id, "drawn", period.label, key, kept - quantity, worth - amount)


def _open(line: RuleUsage) -> tuple[Decimal, Decimal]:
    return line.open, line.open_units


def _drawn_order(purse: Purse, drawn: tuple[str, str]) -> tuple[object, str]:
    grant_id, key = drawn
    grant = purse.grants.get(grant_id)
    if grant is None:
        raise CreditError(f"grant {grant_id} was drawn and is not among the grants: read all of the tenant's")
    return grant.order, key


def draw_prepaid(purse: Purse, bill: PeriodBill) -> list[Prepaid]:
    """Pay for the units of prepaid allowances out of money paid in advance, as far as it reaches."""
    paid: list[Prepaid] = []
    period = bill.period
    for held in bill.included.values():
        if held.allowance.funding != "prepaid":
            continue
        grants = [grant for grant in _serving(purse, period) if grant.kind in PAID_KINDS and not grant.unit]
        for line in covered_lines(bill.rules, held.allowance):
            units = min(held.units - held.used, line.open_units)
            if units <= 0:
                break
            worth = share(line.open, units, line.open_units)
            open_before, units_before, wanted = line.open, line.open_units, worth
            for grant in grants:
                if _about(grant, line):
                    wanted -= _draw(purse, period, line, grant, wanted)
            if wanted == worth:
                continue  # none of this money is about this line
            if wanted:  # the balance did not reach: so many units less
                units = _whole(share(units_before, open_before - line.open, open_before))
            held.used += units
            paid.append(Prepaid(held.key, line.rule_id, units, worth - wanted))
    return paid


def draw_grants(purse: Purse, period: Period, lines: Mapping[str, RuleUsage]) -> None:
    """Pay for what is open, grant by grant in their order."""
    for grant in _serving(purse, period):
        targets = [line for line in lines.values() if line.open > 0 and _about(grant, line)]
        for line in in_order(targets, grant.unit) if grant.unit else targets:
            _draw(purse, period, line, grant, None)


def expire(purse: Purse, period: Period, as_of: datetime) -> None:
    """What is left of a grant that has run out is gone, and what was paid for it is earned."""
    for grant in purse.grants.values():
        if grant.expires_at is not None and grant.expires_at <= as_of and purse.left(grant.id):
            purse.draw(grant.id, "expired", period.label, "", purse.left(grant.id), ZERO)


def _serving(purse: Purse, period: Period) -> list[Grant]:
    """Grants that may pay for usage of a period; what was carried over out of it may pay for what arrives late."""
    start, end, carried = period.start, period.end, f"{period.label}/"
    return [
        grant
        for grant in purse.grants.values()
        if (grant.serves(start, end) or grant.source.startswith(carried)) and purse.left(grant.id)
    ]


def _about(grant: Grant, line: RuleUsage) -> bool:
    return not grant.rules or (line.rule_id in grant.rules and line.key != MINIMUM)


def _draw(purse: Purse, period: Period, line: RuleUsage, grant: Grant, most: Decimal | None) -> Decimal:
    """Draw as much as is open, left and wanted; answers what it paid."""
    left = purse.left(grant.id)
    if most is not None:
        left = min(left, most)
    quantity, amount = _pay(line, grant, left)
    if quantity or amount:
        purse.draw(grant.id, "drawn", period.label, line.key, quantity, amount)
    return amount


def _pay(line: RuleUsage, grant: Grant, most: Decimal) -> tuple[Decimal, Decimal]:
    """At most so much of a grant for what is open of a line: the quantity taken, and what it is worth."""
    if line.open <= 0 or most <= 0:
        return ZERO, ZERO
    if grant.unit:
        quantity = min(most, _whole(line.open_units))
        if quantity <= 0:
            return ZERO, ZERO
        amount = share(line.open, quantity, line.open_units)
    else:
        quantity = amount = min(most, line.open)
    _take(line, grant, quantity, amount)
    return quantity, amount


def _take(line: RuleUsage, grant: Grant, quantity: Decimal, amount: Decimal) -> None:
    """Money that pays a part of a line pays that part of its units, so that the rest keeps its price per unit."""
    line.open_units -= quantity if grant.unit else share(line.open_units, amount, line.open)
    line.open -= amount


def _whole(units: Decimal) -> Decimal:
    """Grants of units are drawn at 6 places, never more than is there."""
    return units.quantize(QUANTITY_STEP, rounding=ROUND_DOWN, context=ROUNDING)

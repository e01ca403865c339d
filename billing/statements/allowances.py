"""Allowances take units off at the line's average price, before minimum, cap and credits (`billing.plans.allowance`).

Included   a plan that holds for a part of the period includes that part of its allowance (days, half-even, 6 places).
Rollover   what of a rollover allowance is unused at the end becomes a grant of the next period, at most so much that no
           more than `rollover_max` stands over from all periods; it never expires. What was carried over has left the
           period: usage of it that arrives late is paid from the carried grant. What a void frees is carried over, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from billing.credits import Grant, Purse
from billing.money import ROUNDING
from billing.periods import Period
from billing.plans import Allowance, Segment, part_of_units
from billing.statements.bill import Cover, Included
from billing.statements.sums import ZERO, share
from billing.statements.usage import RuleUsage


def include(segments: Iterable[Segment], period: Period, carried: Mapping[str, Decimal]) -> dict[str, Included]:
    """What each allowance includes in the period, by "<plan>/<allowance>"."""
    found: dict[str, Included] = {}
    for segment in segments:
        for allowance in segment.plan.allowances:
            key = f"{segment.plan.id}/{allowance.id}"
            units = part_of_units(allowance.quantity, segment.days, period)
            held = found.get(key)
            if held is None:
                found[key] = Included(key, allowance, units - carried.get(key, ZERO), ZERO)
            else:
                held.units += units
    return found


def apply_allowances(rules: Mapping[str, RuleUsage], included: Mapping[str, Included]) -> tuple[Cover, ...]:
    """Cover units; what is prepaid waits for the credits, for it is only worth what was paid."""
    covers: list[Cover] = []
    for held in included.values():
        if held.allowance.funding == "prepaid":
            continue
        for line in covered_lines(rules, held.allowance):
            units = min(held.units - held.used, line.open_units)
            if units <= 0:
                break
            amount = share(line.open, units, line.open_units)
            line.open -= amount
            line.open_units -= units
            held.used += units
            covers.append(Cover(held.key, held.allowance, line.rule_id, units, amount))
    return tuple(covers)


def covered_lines(rules: Mapping[str, RuleUsage], allowance: Allowance) -> list[RuleUsage]:
    """The lines that an allowance is about and that still cost something, in the order in which it covers them."""
    wanted = allowance.rules or rules
    found = [rules[rule_id] for rule_id in wanted if rule_id in rules]
    return in_order(found, allowance.unit, sort=not allowance.rules)


def in_order(lines: Iterable[RuleUsage], unit: str, *, sort: bool = True) -> list[RuleUsage]:
    """Lines counted in this unit that still cost something: the dearest unit first, ties by rule id."""
    found = [line for line in lines if line.meter == unit and line.open > 0 and line.open_units > 0]
    if sort and len(found) > 1:
        found.sort(key=lambda line: (-ROUNDING.divide(line.open, line.open_units), line.rule_id))
    return found


def carried_of(grants: Iterable[Grant], period: Period) -> dict[str, Decimal]:
    """What has been carried over out of a period, by "<plan>/<allowance>"."""
    found: dict[str, Decimal] = {}
    before = f"{period.label}/"
    for grant in grants:
        if grant.kind == "rollover" and grant.source.startswith(before):
            key = grant.source.removeprefix(before)
            found[key] = found.get(key, ZERO) + grant.quantity
    return found


def carry_over(
    held: Included, units: Decimal, used_in: Period, now: Period, purse: Purse, pending: Iterable[Grant]
) -> Grant | None:
    """A grant of what was left of a rollover allowance of `used_in`, made by the statement of `now`."""
    allowance = held.allowance
    if allowance.rollover_max is not None:
        standing = ZERO
        for grant, left in [*((each, purse.left(each.id)) for each in purse.grants.values()), *_whole(pending)]:
            if grant.kind == "rollover" and grant.source.partition("/")[2] == held.key:
                standing += left
        units = min(units, allowance.rollover_max - standing)
    if units <= 0:
        return None
    grant_id = f"rollover/{held.key}/{used_in.label}" + ("" if used_in == now else f"/{now.label}")
    return Grant(
        id=grant_id,
        tenant=purse.tenant,
        kind="rollover",
        unit=allowance.unit,
        currency=purse.currency,
        quantity=units,
        price_paid=ZERO,
        granted_at=now.end,
        priority=0,
        funding="platform" if allowance.funding == "platform" else "builder",
        label=f"{allowance.label}, carried over from {used_in.label}",
        source=f"{used_in.label}/{held.key}",
        rules=allowance.rules,
    )


def _whole(grants: Iterable[Grant]) -> list[tuple[Grant, Decimal]]:
    return [(grant, grant.quantity) for grant in grants]

"""Usage lines: what a tenant used under each rule, as the customer counts it, and what of it is still to be paid.

One line a rule, so that light and heavy usage, which have rules of their own, stay apart. Providers and features are
added up: the customer sees neither. A line counts what its rule's word means in the plan ("task": the meter `tasks`);
a word that is none of the plan's units is not shown, its amount is. Without a plan every rule counts by its own meter,
or else events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.fx import FxRates, MissingRate
from billing.periods import Period
from billing.plans import REQUESTS, Plan
from billing.statements.inputs import UsageLine
from billing.statements.sums import ZERO, product


@dataclass(slots=True)
class RuleUsage:
    """What one rule comes to in a period; allowances, caps and credits take off from `open`."""

    key: str  # of its line: "usage/<rule>", or "minimum" for what is due although nothing was used
    rule_id: str
    label: str
    reason: str
    meter: str  # what it is counted in: a business meter, `requests` for events; "" where nothing is counted
    one: str  # the customer's words for it
    many: str
    quantity: Decimal
    charge: Decimal  # what the rule made of it, in the charge currency of the plan
    tiered: Decimal  # what tiers made of it; the charge where there are none
    open: Decimal  # still to be paid
    open_units: Decimal  # not covered by an allowance yet


def rate_of(fx: FxRates, base: str, quote: str, period: Period, missing: set[MissingRate]) -> Decimal:
    """The rate of the period's last day. A missing one is noted, and 1 stands for it: nothing comes of it then."""
    rate = fx.rate(base, quote, period.last_day)
    if isinstance(rate, MissingRate):
        missing.add(rate)
        return Decimal(1)
    return rate


def by_rule(usage: Iterable[UsageLine], plan: Plan | None, rates: Mapping[str, Decimal]) -> dict[str, RuleUsage]:
    """Usage added up by rule, in order of rule ids; amounts in the currency that `rates` lead to."""
    found: dict[str, RuleUsage] = {}
    for line in sorted(usage, key=_order):
        rule_id = line.rule_id
        rate = rates[line.currency]
        charge = line.charge if rate == 1 else product(line.charge, rate)
        held = found.get(rule_id)
        if held is None:
            meter, one, many = _unit(line, plan)
            held = found[rule_id] = RuleUsage(
                f"usage/{rule_id}", rule_id, line.label, line.reason, meter, one, many, ZERO, ZERO, ZERO, ZERO, ZERO
            )
        held.quantity += _quantity(line, held.meter)
        held.charge += charge
    for held in found.values():
        held.tiered = held.open = held.charge
        held.open_units = held.quantity
    return found


def _order(line: UsageLine) -> tuple[str, ...]:
    """Lines of one rule differ in words where a new version has others: the words sort, not the order of reading."""
    return line.rule_id, line.label, line.unit, line.reason, line.meter


def _unit(line: UsageLine, plan: Plan | None) -> tuple[str, str, str]:
    """Meter and words that a line is counted in."""
    if plan is None:
        return line.meter or REQUESTS, line.unit, line.unit
    unit = plan.unit(line.unit) or (plan.unit(line.meter) if line.meter else None)
    return (unit.meter, unit.one, unit.many) if unit else ("", "", "")


def _quantity(line: UsageLine, meter: str) -> Decimal:
    if not meter:
        return ZERO
    counted = line.quantities.get(meter)
    if counted is not None:
        return counted
    return Decimal(line.events) if meter == REQUESTS else ZERO

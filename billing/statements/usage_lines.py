"""The lines of a period's usage, in words: what was used, what tiers, allowances and bounds made of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.statements.bill import MINIMUM, Included, PeriodBill
from billing.statements.drafts import Draft, counted, money, plain, word
from billing.statements.draws import Prepaid
from billing.statements.usage import RuleUsage


def usage_lines(bill: PeriodBill, rate: Decimal) -> list[Draft]:
    """One for each rule: what creates the charge is what the rule says."""
    return [
        Draft(
            line.key, "usage", line.label, word(line.quantity, line.one, line.many),
            line.quantity if line.meter else None, line.charge, line.reason, line.rule_id, rate,
        )
        for line in bill.rules.values()
    ]  # fmt: skip


def tier_lines(bill: PeriodBill, rate: Decimal) -> list[Draft]:
    """What tiers change, where they do."""
    return [
        Draft(
            f"tier/{line.rule_id}", "tier", f"{line.label}: price by quantity", "", None,
            line.tiered - line.charge,
            f"{counted(line.quantity, line.one, line.many)} in the {bill.period.word} are priced by their number.",
            line.rule_id, rate,
        )
        for line in bill.rules.values()
        if line.tiered != line.charge
    ]  # fmt: skip


def allowance_lines(bill: PeriodBill, prepaid: Sequence[Prepaid], rate: Decimal) -> list[Draft]:
    """What allowances take off, for each line that they cover."""
    lines: list[Draft] = []
    for key, rule_id, units, amount in [
        *((cover.key, cover.rule_id, cover.units, cover.amount) for cover in bill.covers),
        *((paid.key, paid.rule_id, paid.units, paid.amount) for paid in prepaid),
    ]:
        line, held = bill.rules[rule_id], bill.included[key]
        lines.append(
            Draft(
                f"allowance/{key}/{rule_id}",
                "allowance",
                f"{held.allowance.label}: {line.label}",
                word(units, line.one, line.many),
                units,
                -amount,
                _included(held, line, bill.period.word),
                key,
                rate,
            )
        )
    return lines


def _included(held: Included, line: RuleUsage, span: str) -> str:
    paid = ", out of what you paid in advance" if held.allowance.funding == "prepaid" else ""
    return f"{plain(held.used)} of {counted(held.units, line.one, line.many)} included in the {span} are used{paid}."


def bound_lines(bill: PeriodBill, rate: Decimal, currency: str) -> list[Draft]:
    """The minimum or the cap, where usage is below or above."""
    bounds, span = bill.bounds, bill.period.word
    if bounds.short:
        reason = (
            f"Usage came to {money(bounds.basis, currency)}, less than the minimum of "
            f"{money(bounds.minimum, currency)} for the {span}."
        )
        return [Draft(MINIMUM, "minimum", "Minimum", "", None, bounds.short, reason, MINIMUM, rate)]
    if bounds.over and bounds.cap is not None:
        reason = (
            f"Usage came to {money(bounds.basis, currency)}, more than the cap of "
            f"{money(bounds.cap, currency)} for the {span}: you do not pay what is above."
        )
        return [Draft("cap", "cap", "Spend cap", "", None, -bounds.over, reason, "cap", rate)]
    return []

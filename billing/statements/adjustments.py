"""Adjustment lines: what a closed period has become, less what it was billed as, line by line.

The period is worked out twice by the plan it had, from what was billed and from what stands now; every difference is a
line that names the period and the reason. So a late event may still fall into an allowance that was not used up, and
one that crosses a tier reprices what was billed. Nothing of a closed statement changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing.credits import Purse
from billing.statements.bill import MINIMUM, PeriodBill
from billing.statements.credit_lines import drawn_by_grant, name_of
from billing.statements.drafts import SENTENCES, WORDS, Draft, counted, money, word
from billing.statements.inputs import REASONS, Change, EarlierPeriod
from billing.statements.sums import ZERO
from billing.statements.usage import RuleUsage, by_rule


def adjustment_lines(
    earlier: EarlierPeriod, before: PeriodBill, now: PeriodBill, purse: Purse, rates: dict[str, Decimal], rate: Decimal
) -> list[Draft]:
    """In the order of a statement: usage by rule and reason, then tiers, allowances, bounds, credits."""
    label = earlier.period.label
    why = _why(earlier.changes)
    lines = _usage(earlier, now, rates, rate)

    def line(
        key: str, name: str, charge: Decimal, reason: str, unit: str = "", quantity: Decimal | None = None
    ) -> None:
        if charge or quantity:
            lines.append(
                Draft(
                    f"adjustment/{label}/{key}",
                    "adjustment",
                    f"{name} ({label})",
                    unit,
                    quantity,
                    charge,
                    reason,
                    label,
                    rate,
                )
            )

    for rule_id, held in now.rules.items():
        was = before.rules.get(rule_id)
        tiered = held.tiered - held.charge
        change = tiered - (was.tiered - was.charge) if was else tiered
        line(
            f"tier/{rule_id}",
            f"{held.label}: price by quantity",
            change,
            f"{why} moved the price by quantity in {label}.",
        )
    for key, units, amount in _covers(before, now):
        unit = _unit_of(now, key)
        name = now.included[key].allowance.label
        shown = -units
        reason = f"{why} changed what was included in {label}."
        line(f"allowance/{key}", name, -amount, reason, word(shown, *unit), shown)
    short = now.bounds.short - before.bounds.short
    line(MINIMUM, "Minimum", short, f"{why} changed what was missing to the minimum of {label}.")
    over = before.bounds.over - now.bounds.over
    line("cap", "Spend cap", over, f"{why} changed what was above the cap of {label}.")
    for grant_id, (quantity, amount) in drawn_by_grant(purse.draws, label).items():
        grant = purse.grants[grant_id]
        used = (
            counted(abs(quantity), *_words_of(now, grant.unit)) if grant.unit else money(abs(quantity), grant.currency)
        )
        verb = "used for" if amount > 0 else "given back for"
        reason = f"{used} {verb} {label}: {why[0].lower()}{why[1:]}."
        line(f"credit/{grant_id}", name_of(grant), -amount, reason)
    return lines


def _usage(earlier: EarlierPeriod, now: PeriodBill, rates: dict[str, Decimal], rate: Decimal) -> list[Draft]:
    label = earlier.period.label
    lines: list[Draft] = []
    for why in REASONS:
        changed = by_rule((change.usage for change in earlier.changes if change.reason == why), now.plan, rates)
        for held in changed.values():
            if not held.charge and not held.quantity:
                continue
            reason = f"{SENTENCES[why].format(label)} {held.reason}"
            lines.append(
                Draft(
                    f"adjustment/{label}/{why}/{held.rule_id}",
                    "adjustment",
                    f"{held.label} ({label}): {WORDS[why]}",
                    word(held.quantity, held.one, held.many),
                    held.quantity if held.meter else None,
                    held.charge,
                    reason,
                    label,
                    rate,
                )
            )
    return lines


def _why(changes: Sequence[Change]) -> str:
    found = {change.reason for change in changes}
    text = " and ".join(WORDS[reason] for reason in REASONS if reason in found)
    return text[:1].upper() + text[1:]


def _covers(before: PeriodBill, now: PeriodBill) -> list[tuple[str, Decimal, Decimal]]:
    """How many units more, and how much more, each allowance covers."""
    sums: dict[str, tuple[Decimal, Decimal]] = dict.fromkeys(now.included, (ZERO, ZERO))
    for bill, sign in ((now, 1), (before, -1)):
        for cover in bill.covers:
            units, amount = sums[cover.key]
            if sign > 0:
                sums[cover.key] = units + cover.units, amount + cover.amount
            else:
                sums[cover.key] = units - cover.units, amount - cover.amount
    return [(key, units, amount) for key, (units, amount) in sums.items() if units or amount]


def _unit_of(bill: PeriodBill, key: str) -> tuple[str, str]:
    return _words_of(bill, bill.included[key].allowance.unit)


def _words_of(bill: PeriodBill, meter: str) -> tuple[str, str]:
    found: RuleUsage | None = next((line for line in bill.rules.values() if line.meter == meter), None)
    return (found.one, found.many) if found else (meter, meter)

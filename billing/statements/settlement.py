"""The postings of a statement: who owes whom for every line, so that each currency adds up to 0.

What a line asks of the tenant stands once, as the receivable of the statement; here is the other side of it:

    usage          reward to the provider, fee to the platform, earnings to the Builder, all in the usage's own currency
    subscription   the Builder's; so are tiers' differences, minimums, and what was paid for credits that expired
    allowance, cap the funder's account, so that what a Builder or the platform gave away is seen and not netted
    credit         what was paid for it is no liability any more; what it is worth beyond that is its funder's
    top_up         owed to the tenant until it is used

Conversion is bridged by `fx_difference`, rounding by `rounding_difference`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from billing.credits import Draw, Grant
from billing.postings import (
    BUILDER_FUNDING,
    BUILDER_PAYABLE,
    FX_DIFFERENCE,
    PLATFORM,
    PLATFORM_FEE,
    PLATFORM_FUNDING,
    PREPAID_LIABILITY,
    PROVIDER_PAYABLE,
    Journal,
)
from billing.statements.bill import PeriodBill
from billing.statements.inputs import UsageLine
from billing.statements.sums import ZERO, product


def post_usage(
    journal: Journal, builder: str, usage: Iterable[UsageLine], rates: Mapping[str, Decimal], currency: str, what: str
) -> None:
    """Reward, fee and earnings of each line; `rates` lead to the charge currency, where the tenant is charged."""
    rewards: dict[tuple[str, str], Decimal] = {}
    parts: dict[str, tuple[Decimal, Decimal]] = {}
    for line in usage:
        key = line.provider, line.currency
        rewards[key] = rewards.get(key, ZERO) + line.reward
        fee, earnings = parts.get(line.currency, (ZERO, ZERO))
        parts[line.currency] = fee + line.fee, earnings + line.earnings
        if line.currency != currency:
            journal.add(FX_DIFFERENCE, PLATFORM, line.currency, what, line.charge)
            journal.add(FX_DIFFERENCE, PLATFORM, currency, what, -product(line.charge, rates[line.currency]))
    for (provider, unit), reward in rewards.items():
        journal.add(PROVIDER_PAYABLE, provider, unit, what, -reward)
    for unit, (fee, earnings) in parts.items():
        journal.add(PLATFORM_FEE, PLATFORM, unit, what, -fee)
        journal.add(BUILDER_PAYABLE, builder, unit, what, -earnings)


def post_bill(journal: Journal, builder: str, bill: PeriodBill, currency: str, before: PeriodBill | None) -> None:
    """What plans make of usage; `before`, if the period was billed before, is taken off again."""
    _post_plan(journal, builder, bill, currency, before is None, 1)
    if before is not None:
        _post_plan(journal, builder, before, currency, False, -1)


def _post_plan(journal: Journal, builder: str, bill: PeriodBill, currency: str, own: bool, sign: int) -> None:
    def what(name: str) -> str:
        return name if own else f"adjustment {bill.period.label}"

    def signed(amount: Decimal) -> Decimal:
        return amount if sign > 0 else -amount

    for line in bill.rules.values():
        if line.tiered != line.charge:
            difference = line.charge - line.tiered
            journal.add(BUILDER_PAYABLE, builder, currency, what("tier"), signed(difference))
    for cover in bill.covers:
        account, party = _funder(cover.allowance.funding, builder)
        journal.add(account, party, currency, what("allowance"), signed(cover.amount))
    bounds = bill.bounds
    if bounds.short:
        journal.add(BUILDER_PAYABLE, builder, currency, what("minimum"), signed(-bounds.short))
    if bounds.over:
        account, party = _funder("platform" if bounds.then == "stop" else "builder", builder)
        journal.add(account, party, currency, what("cap"), signed(bounds.over))


def post_draws(
    journal: Journal,
    builder: str,
    tenant: str,
    draws: Iterable[Draw],
    grants: Mapping[str, Grant],
    currency: str,
    period: str,
) -> None:
    """What credits paid, what of them expired, and what was sold; `period` is the statement's own."""
    for draw in draws:
        grant = grants[draw.grant_id]
        account, party = _funder(grant.funding, builder)
        if draw.kind == "sold":
            journal.add(PREPAID_LIABILITY, tenant, currency, "top_up", -draw.amount)
        elif draw.kind == "expired":
            journal.add(PREPAID_LIABILITY, tenant, currency, "expired credit", draw.earned)
            journal.add(BUILDER_PAYABLE, builder, currency, "expired credit", -draw.earned)
        else:
            what = "credit" if draw.period == period else f"adjustment {draw.period}"
            journal.add(PREPAID_LIABILITY, tenant, currency, what, draw.earned)
            journal.add(account, party, currency, what, draw.amount - draw.earned)


def post_fees(journal: Journal, builder: str, fees: Iterable[Decimal], currency: str) -> None:
    """Subscriptions are the Builder's."""
    amount = ZERO
    for fee in fees:
        amount += fee
    journal.add(BUILDER_PAYABLE, builder, currency, "subscription", -amount)


def _funder(funding: str, builder: str) -> tuple[str, str]:
    return (PLATFORM_FUNDING, PLATFORM) if funding == "platform" else (BUILDER_FUNDING, builder)

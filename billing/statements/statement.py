"""A statement: the order of its steps, and why it is this one. Every step has a file of its own.

Shapes  statement(input) -> Statement | Refusal; pure: the same input gives the same statement, byte for byte, for a
        period that is closed, for one that is closed again after a crash, and for the live balance of one that runs.
Errors  `Refusal` is a value: exchange rates are missing. `CreditError`, `PostingsError`: the input contradicts itself.

    1  usage        by rule, as the rules charged it: everything else takes off from that, or comes on top
    2  tiers        before allowances, for they say what a line costs
    3  allowances   before bounds: what is included is not spent
    4  bounds       minimum and cap compare what is spent; before credits, for what a credit pays is spent, too
    5  earlier      closed periods that have changed, oldest first: steps 1 to 4 twice, the difference is a line
    6  credits      prepaid allowances, then grants; earlier periods before this one, for they were used earlier
    7  expiry       after credits: a grant pays to the last moment it is valid
    8  fees and top-ups: credits do not pay for them, so they can stand apart
    9  conversion and rounding, once, over all lines that make up the net
    10 tax          on the rounded net, which is what the customer can check
    11 postings     of all that, or nothing
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from billing.allocation import round_minor
from billing.credits import CreditError, Grant, GrantBalance, Purse
from billing.currencies import exponent
from billing.fx import MissingRate
from billing.money import exactly
from billing.periods import Period
from billing.plans import Segment
from billing.postings import (
    CASH,
    FX_DIFFERENCE,
    PLATFORM,
    ROUNDING_DIFFERENCE,
    TAX_PAYABLE,
    TENANT_RECEIVABLE,
    Journal,
)
from billing.statements import allowances, bounds, draws, settlement, tiers
from billing.statements.adjustments import adjustment_lines
from billing.statements.bill import PeriodBill
from billing.statements.credit_lines import credit_line, drawn_by_grant, name_of, top_up_lines
from billing.statements.document import Standing, Statement, StatementLine, Totals
from billing.statements.drafts import Draft
from billing.statements.inputs import EarlierPeriod, StatementInput, UsageLine
from billing.statements.refusal import Refusal
from billing.statements.rounding import rounded_lines
from billing.statements.subscription import fee_lines
from billing.statements.sums import ZERO, total
from billing.statements.tax import tax_line
from billing.statements.usage import by_rule, rate_of
from billing.statements.usage_lines import allowance_lines, bound_lines, tier_lines, usage_lines

Rates = dict[str, Decimal]


@exactly
def statement(given: StatementInput) -> Statement | Refusal:
    """What a tenant pays for a period, what everybody is owed by it, and what it leaves for the next one."""
    missing: set[MissingRate] = set()
    journal = Journal()
    period, currency, label = given.period, given.currency, given.period.label
    purse = _purse(given)
    carried_over: list[Grant] = []

    # 5, with 1 to 4 in it, and 6: oldest first.
    adjustments: list[Draft] = []
    for earlier in sorted(given.earlier, key=lambda each: each.period.start):
        adjustments += _adjust(given, earlier, purse, journal, carried_over, missing)

    # 1 to 4.
    rates = _rates(given, given.usage, period, missing)
    rate = rate_of(given.fx, currency, given.statement_currency, period, missing)
    bill = _worked_out(given.segments, given.usage, period, rates, {})

    # 6 and 7.
    open_now = draws.open_lines(bill)
    prepaid = draws.draw_prepaid(purse, bill)
    prepaid_draws = len(purse.draws)
    draws.draw_grants(purse, period, open_now)
    drawn = purse.draws[prepaid_draws:]
    draws.expire(purse, period, given.as_of or period.end)
    _sell(purse, given)

    # 8.
    plan = bill.plan
    fees = fee_lines(given.segments, period, rate)
    top_ups = top_up_lines(purse, period, plan, rate)
    drafts = [
        *fees,
        *usage_lines(bill, rate),
        *tier_lines(bill, rate),
        *allowance_lines(bill, prepaid, rate),
        *bound_lines(bill, rate, currency),
        *(
            credit_line(purse.grants[grant_id], quantity, amount, purse, plan, rate)
            for grant_id, (quantity, amount) in drawn_by_grant(drawn, label).items()
        ),
        *adjustments,
        *top_ups,
    ]
    if missing:
        return Refusal(given.builder, given.tenant, label, tuple(sorted(missing)))

    # 9 and 10.
    places = exponent(given.statement_currency)
    lines = rounded_lines(drafts, places)
    totals, extra = _totals(given, lines, purse, places)

    # 11.
    settlement.post_usage(journal, given.builder, given.usage, rates, currency, "usage")
    settlement.post_bill(journal, given.builder, bill, currency, None)
    settlement.post_fees(journal, given.builder, (fee.charge for fee in fees), currency)
    settlement.post_draws(journal, given.builder, given.tenant, purse.draws, purse.grants, currency, label)
    _post_totals(journal, given, drafts, totals)

    for held in bill.included.values():
        if held.allowance.rollover:
            left = held.units - held.used
            grant = allowances.carry_over(held, left, period, period, purse, carried_over)
            carried_over += [grant] if grant else []
    return Statement(
        given.builder,
        given.tenant,
        period,
        given.statement_currency,
        currency,
        (*lines, *extra),
        totals,
        journal.closed(),
        purse.draws,
        tuple(carried_over),
        _standings(bill, purse, given),
    )


def _worked_out(
    segments: Sequence[Segment],
    usage: Iterable[UsageLine],
    period: Period,
    rates: Mapping[str, Decimal],
    carried: Mapping[str, Decimal],
) -> PeriodBill:
    """Steps 1 to 4."""
    plan = segments[-1].plan if segments else None
    rules = by_rule(usage, plan, rates)
    tiers.apply_tiers(rules, plan)
    included = allowances.include(segments, period, carried)
    covers = allowances.apply_allowances(rules, included)
    return PeriodBill(period, plan, rules, included, covers, bounds.apply_bounds(rules, segments, period))


def _adjust(
    given: StatementInput,
    earlier: EarlierPeriod,
    purse: Purse,
    journal: Journal,
    carried_over: list[Grant],
    missing: set[MissingRate],
) -> list[Draft]:
    """A closed period as it was billed and as it stands now: lines, postings and draws of the difference."""
    period, currency = earlier.period, given.currency
    changed = [change.usage for change in earlier.changes]
    rates = _rates(given, [*earlier.billed, *changed], period, missing)
    rate = rate_of(given.fx, currency, given.statement_currency, period, missing)
    carried = allowances.carried_of(purse.grants.values(), period)
    before = _worked_out(earlier.segments, earlier.billed, period, rates, carried)
    now = _worked_out(earlier.segments, [*earlier.billed, *changed], period, rates, carried)
    lines = draws.open_lines(now)
    draws.draw_again(purse, period, draws.open_lines(before), lines, earlier.draws)
    draws.draw_grants(purse, period, lines)
    settlement.post_usage(journal, given.builder, changed, rates, currency, f"adjustment {period.label}")
    settlement.post_bill(journal, given.builder, now, currency, before)
    for key, held in now.included.items():
        freed = before.included[key].used - held.used
        if held.allowance.rollover and freed > 0:
            grant = allowances.carry_over(held, freed, period, given.period, purse, carried_over)
            carried_over += [grant] if grant else []
    return adjustment_lines(earlier, before, now, purse, rates, rate)


def _purse(given: StatementInput) -> Purse:
    for held in given.grants:
        grant = held.grant
        if grant.currency != given.currency:
            raise CreditError(
                f"grant {grant.id} is in {grant.currency}, and {given.tenant} is charged in {given.currency}: "
                f"grant it in {given.currency}"
            )
    return Purse(given.grants, given.tenant, given.currency)


def _rates(given: StatementInput, usage: Iterable[UsageLine], period: Period, missing: set[MissingRate]) -> Rates:
    """What leads from each currency of usage to the charge currency."""
    found = {given.currency: Decimal(1)}
    for line in usage:
        if line.currency not in found:
            found[line.currency] = rate_of(given.fx, line.currency, given.currency, period, missing)
    return found


def _sell(purse: Purse, given: StatementInput) -> None:
    """Grants whose price no statement has asked for yet: those granted before the period's end."""
    for held in sorted(given.grants, key=_grant_order):
        grant = held.grant
        if grant.price_paid and not held.sold and grant.granted_at < given.period.end:
            purse.draw(grant.id, "sold", given.period.label, "", ZERO, grant.price_paid)


def _grant_order(held: GrantBalance) -> tuple[object, ...]:
    return held.grant.order


def _totals(
    given: StatementInput, lines: Sequence[StatementLine], purse: Purse, places: int
) -> tuple[Totals, list[StatementLine]]:
    """Net, tax, and what was paid already."""
    exact = total(line.exact for line in lines)
    net = total(line.amount for line in lines)
    extra: list[StatementLine] = []
    tax = ZERO
    if given.tax is not None:
        line = tax_line(net, given.tax, given.statement_currency, places)
        tax = line.amount
        extra.append(line)
    paid = ZERO
    for line in lines:
        if line.kind == "top_up" and purse.grants[line.refers_to].settled:
            paid += line.amount
            extra.append(_payment(line, purse.grants[line.refers_to]))
    gross = net + tax
    due = gross - paid
    zero = round_minor(ZERO, places)
    return Totals(exact, net + zero, tax + zero, gross + zero, paid + zero, due + zero), extra


def _payment(line: StatementLine, grant: Grant) -> StatementLine:
    reason = f"Paid on {grant.granted_at.date().isoformat()}, when it was bought."
    amount = -line.amount
    key = f"payment/{grant.id}"
    return StatementLine(key, "payment", f"Paid: {line.label}", "", None, None, amount, amount, ZERO, reason, grant.id)


def _post_totals(journal: Journal, given: StatementInput, drafts: Sequence[Draft], totals: Totals) -> None:
    """The receivable, and what conversion and rounding leave."""
    tenant, currency = given.tenant, given.statement_currency
    if currency != given.currency:
        charged = total(draft.charge for draft in drafts)
        journal.add(FX_DIFFERENCE, PLATFORM, given.currency, "statement", charged)
        journal.add(FX_DIFFERENCE, PLATFORM, currency, "statement", -totals.exact)
    journal.add(TENANT_RECEIVABLE, tenant, currency, "statement", totals.net)
    journal.add(ROUNDING_DIFFERENCE, PLATFORM, currency, "statement", totals.exact - totals.net)
    journal.add(TENANT_RECEIVABLE, tenant, currency, "tax", totals.tax)
    journal.add(TAX_PAYABLE, PLATFORM, currency, "tax", -totals.tax)
    journal.add(TENANT_RECEIVABLE, tenant, currency, "payment", -totals.paid)
    journal.add(CASH, PLATFORM, currency, "payment", totals.paid)


def _standings(bill: PeriodBill, purse: Purse, given: StatementInput) -> tuple[Standing, ...]:
    """How far allowances, credits and the cap are used."""
    found = [
        Standing("allowance", held.key, held.allowance.label, held.allowance.unit, held.used, held.units)
        for held in bill.included.values()
    ]
    start, end = given.as_of or bill.period.start, bill.period.end
    for grant in purse.grants.values():
        if grant.serves(start, end):
            unit = grant.unit or grant.currency
            found.append(Standing("credit", grant.id, name_of(grant), unit, purse.used(grant.id), grant.quantity))
    if bill.bounds.cap is not None:
        found.append(Standing("cap", "cap", "Spend cap", given.currency, bill.bounds.basis, bill.bounds.cap))
    return tuple(found)

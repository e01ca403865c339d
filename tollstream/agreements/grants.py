"""Credits: what is granted to a tenant by somebody, and recording it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from billing.credits import Grant, GrantKind
from billing.errors import BillingError
from billing.money import SCALE, parse_decimal
from billing.plans import PlanBooks, TopUp
from billing.plans.amounts import AMOUNT_MAX, QUANTITY_PLACES
from sinks.agreements import GRANTS, GrantRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.journals import append
from tollstream.closing.periods import running_period
from tollstream.errors import UserError
from topics.meters import MeterCatalogue

KINDS: tuple[GrantKind, ...] = ("top_up", "prepaid", "promotional", "goodwill")  # a rollover is a statement's to make


class GrantRefusedError(UserError):
    """Nothing was granted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a grant."""

    record: GrantRecord
    stood: bool  # the same was granted before


def amount(text: str, what: str) -> Decimal:
    """An amount of money or units, exact."""
    try:
        return parse_decimal(text, what=what, places=SCALE, least=Decimal(0), most=AMOUNT_MAX)
    except BillingError as error:
        raise GrantRefusedError(f"{error}.") from None


def made(grant: Grant) -> Grant:
    """The same, if it is one that can be. Raises `GrantRefusedError`."""
    if grant.unit and grant.quantity != round(grant.quantity, QUANTITY_PLACES):
        raise GrantRefusedError(f"{grant.quantity} {grant.unit}: units have at most {QUANTITY_PLACES} places.")
    if grant.kind in ("promotional", "goodwill") and grant.price_paid:
        raise GrantRefusedError(f"A {grant.kind} credit is given, it has no price: a top_up or prepaid one has.")
    return grant


def refuse_unknown_unit(unit: str, plans: PlanBooks, catalogue: MeterCatalogue) -> None:
    """A credit in a unit that nothing is counted in would never pay for anything. Raises `GrantRefusedError`."""
    shown = {each.meter for book in plans.versions for plan in book.plans for each in plan.units}
    if not unit or unit in shown or unit in catalogue:
        return
    near = difflib.get_close_matches(unit, [*shown, *catalogue], n=1)
    instead = f"Plans count in {', '.join(sorted(shown))}." if shown else "Without --unit it is money."
    raise GrantRefusedError(
        f"--unit: {unit!r} is no meter{f', such as {near[0]}' if near else ''}: nothing is counted in it, and it would "
        f"pay for nothing. {instead}"
    )


def charge_currency(plans: PlanBooks, now: datetime) -> str | None:
    """What the Builder's credits are in: the currency of its plans; None without plans."""
    period, _ = running_period(plans, now)
    book = plans.in_force(period) or next(iter(plans.versions), None)
    return book.currency if book is not None else None


def top_up_of(plans: PlanBooks, tenant: str, top_up_id: str, now: datetime) -> TopUp:
    """What a tenant can buy under its plan. Raises `GrantRefusedError`, naming what there is."""
    period, _ = running_period(plans, now)
    terms = plans.terms(tenant, period)
    offered = [each for segment in (terms.segments if terms else ()) for each in segment.plan.top_ups]
    for each in offered:
        if each.id == top_up_id:
            return each
    names = ", ".join(each.id for each in offered)
    there = f"it is one of {names}" if names else "the tenant's plan offers none"
    raise GrantRefusedError(f"{tenant} cannot buy top-up {top_up_id!r}: {there}.")


async def record_grant(store: ClickHouseStatementStore, record: GrantRecord) -> Outcome:
    """Grant it, unless the very same stands. Raises `GrantRefusedError`."""
    stood: list[GrantRecord] = []

    def judge(standing: list[GrantRecord]) -> list[GrantRecord]:
        for each in standing:
            if (each.grant.tenant, each.grant.id) == (record.grant.tenant, record.grant.id):
                if not _equal(each.grant, record.grant):
                    raise GrantRefusedError(
                        f"{record.grant.tenant} has a grant {record.grant.id} with other terms, by {each.recorded_by}: "
                        "give this one an id of its own."
                    )
                stood.append(each)
                return []
        return [record]

    recorded = await append(store, GRANTS, {"builder": record.builder}, judge)
    return Outcome(recorded[0] if recorded else stood[0], not recorded)


def _equal(one: Grant, other: Grant) -> bool:
    """The same terms. The moment may differ, for it is mostly the one at which somebody asked, and a top-up expires so
    long after it."""
    if replace(one, granted_at=other.granted_at, expires_at=other.expires_at) != other:
        return False
    return one.expires_at == other.expires_at or _lasts(one) == _lasts(other)


def _lasts(grant: Grant) -> timedelta | None:
    return grant.expires_at - grant.granted_at if grant.expires_at else None

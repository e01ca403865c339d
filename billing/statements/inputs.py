"""What a statement is made from: usage that is added up already, and what was agreed. Nothing here computes.

Units   amounts Decimal, 12 places, in the currency they name; quantities Decimal, 6 places, by meter.
Where   usage comes from the window totals, added up per tenant by (rule, provider, feature, currency); unpriced usage
        is not in it. Reading order means nothing: everything is sorted before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from billing.credits import Draw, GrantBalance
from billing.fx import NO_RATES, FxRates
from billing.periods import Period
from billing.plans import Segment, TaxRate

Reason = Literal["late", "void", "rerate"]
REASONS: tuple[Reason, ...] = ("late", "void", "rerate")
ZERO = Decimal(0)


class UsageLine(NamedTuple):
    """Usage of a tenant in a period under one rule: charge = reward + fee + earnings, exactly. May be a difference."""

    rule_id: str
    label: str  # label, unit and reason as the rule says them to the customer
    unit: str  # the rule's word, such as "task"
    reason: str
    provider: str  # who is owed the reward; "" where no provider was involved
    feature: str  # for the Builder's own reading; no customer sees it
    currency: str  # of the amounts: the price book's
    quantities: Mapping[str, Decimal]  # by meter
    events: int  # usage less voids
    charge: Decimal
    reward: Decimal
    fee: Decimal
    earnings: Decimal
    meter: str = ""  # the business meter that the rule charges by; "" where it has none


@dataclass(frozen=True, slots=True)
class Change:
    """What usage of a closed period has become, less what it was billed as, for one reason."""

    reason: Reason
    usage: UsageLine  # a difference: any of its numbers may be below 0


@dataclass(frozen=True, slots=True)
class EarlierPeriod:
    """A closed period whose totals have changed. billed + changes = the totals as they stand now, key by key.

    `billed` is what all statements so far have billed of its usage; `draws` are the draws they made for that period
    (`Draw.period` is its label), in the order in which they were made."""

    period: Period
    segments: tuple[Segment, ...]  # as they were when it was closed
    billed: tuple[UsageLine, ...]
    changes: tuple[Change, ...]
    draws: tuple[Draw, ...] = ()


@dataclass(frozen=True, slots=True)
class StatementInput:
    """Everything that a statement depends on. `currency` is what plans and grants are in: the charge currency."""

    builder: str
    tenant: str
    period: Period
    currency: str
    statement_currency: str
    segments: tuple[Segment, ...] = ()  # () for a tenant without a plan
    usage: tuple[UsageLine, ...] = ()
    earlier: tuple[EarlierPeriod, ...] = ()
    grants: tuple[GrantBalance, ...] = ()  # all of the tenant's, used up ones too: see billing.credits.balances
    fx: FxRates = field(default=NO_RATES)
    tax: TaxRate | None = None
    as_of: datetime | None = None  # of a live balance: what has expired by then; None: the period's end

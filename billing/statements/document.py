"""A statement: what a customer reads, what everybody is owed by it, and what it leaves for the next one.

Units   `amount` is rounded, in `currency` (the statement's); `exact` is the same before rounding, at 12 places there.
        `charge` is in `charge_currency`, where all arithmetic is done. Quantities in the unit, at most 6 places.
Laws    Σ amount of the net lines = totals.net; postings add up to 0 in every currency.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, NamedTuple

from billing.credits import Draw, Grant
from billing.periods import Period
from billing.postings import Posting

LineKind = Literal[
    "subscription",
    "usage",
    "tier",
    "allowance",
    "minimum",
    "cap",
    "credit",
    "adjustment",
    "top_up",
    "tax",
    "payment",
]
# In the order in which they stand on a statement.
KINDS: tuple[LineKind, ...] = (
    "subscription",
    "usage",
    "tier",
    "allowance",
    "minimum",
    "cap",
    "credit",
    "adjustment",
    "top_up",
    "tax",
    "payment",
)
NET_KINDS = frozenset(KINDS) - {"tax", "payment"}


class StatementLine(NamedTuple):
    """One line. `key` is unique on the statement and the same whenever the line is computed again."""

    key: str  # kind and what it is about: "usage/quill-premium"
    kind: LineKind
    label: str
    unit: str  # the customer's word for `quantity`, singular or plural as it needs; "" where nothing is counted
    quantity: Decimal | None  # None where nothing is counted
    unit_price: Decimal | None  # amount / quantity, in `currency`, 12 places, half-even; None where nothing is counted
    amount: Decimal  # rounded to the currency's smallest unit
    exact: Decimal  # in the statement's currency
    charge: Decimal  # in the charge currency
    reason: str  # what creates the charge, or takes it off
    refers_to: str  # rule id, grant id, allowance id, or the label of the period that it adjusts


@dataclass(frozen=True, slots=True)
class Totals:
    """In the statement's currency, rounded: due = net + tax - paid. `exact` is the net before rounding."""

    exact: Decimal
    net: Decimal
    tax: Decimal
    total: Decimal  # net + tax
    paid: Decimal  # collected already: top-ups that were paid for when they were bought
    due: Decimal  # below 0: a credit balance of the tenant


@dataclass(frozen=True, slots=True)
class Standing:
    """How far something is used up, for balances and alerts: `used` of `limit`, credits summed over all statements."""

    kind: Literal["allowance", "credit", "cap"]
    key: str  # "<plan>/<allowance>", the grant's id, or "cap"
    label: str
    unit: str  # a meter; the charge currency for money
    used: Decimal
    limit: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement of a tenant for a period; a live balance is the same of a period that still runs."""

    builder: str
    tenant: str
    period: Period
    currency: str
    charge_currency: str
    lines: tuple[StatementLine, ...]
    totals: Totals
    postings: tuple[Posting, ...]
    draws: tuple[Draw, ...]  # to be kept: the next statement needs them
    carried_over: tuple[Grant, ...]  # rollovers, to be granted
    standings: tuple[Standing, ...]

"""Payouts and rewards for a payment run: rows as CSV or JSON, amounts as text; what is not due is left out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from billing.money import EXACT
from tollstream.payouts.documents import instant
from tollstream.payouts.standing import Standing, State, row
from tollstream.rendering.figures import plain_money

COLUMNS = ("number", "kind", "party", "period", "currency", "amount", "due_at", "state", "reference")


def payable(found: Sequence[Standing], now: datetime) -> list[Standing]:
    """What a payment run may pay at a moment."""
    return [each for each in found if each.state(now) == State.DUE]


def as_csv(found: Sequence[Standing], now: datetime) -> str:
    """A line for each, the names of the columns first."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row(each, now) for each in found)
    return out.getvalue()


def as_json(found: Sequence[Standing], now: datetime, kind: str, period: str) -> str:
    """One object: the rows, and what they add up to by currency."""
    return json.dumps(
        {
            "kind": kind,
            "period": period,
            "as_of": instant(now),
            "totals": {currency: plain_money(amount, currency) for currency, amount in totals(found).items()},
            "payments": [row(each, now) for each in found],
        },
        ensure_ascii=False,
    )


def totals(found: Sequence[Standing]) -> dict[str, Decimal]:
    """By currency."""
    sums: dict[str, Decimal] = {}
    for each in found:
        record = each.record
        sums[record.currency] = EXACT.add(sums.get(record.currency, Decimal(0)), record.amount)
    return dict(sorted(sums.items()))

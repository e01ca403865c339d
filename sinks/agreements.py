"""What statements are agreed on, as it is recorded: plan books, exchange rates, credits. Append-only, by whom and why.

Units   `rate` is units of `quote` for one of `base`; amounts and quantities Decimal, 12 places; times aware UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from billing.credits import Grant
from billing.fx import Rate
from sinks.journals import AMOUNT, EPOCH, MOMENT, Journal, plain

_WHO = [("record_id", pa.string()), ("recorded_by", pa.string()), ("reason", pa.string())]


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """A version of a Builder's plan book, as it was published."""

    builder: str
    version: str
    effective_from: datetime
    digest: str
    content: str
    recorded_by: str
    reason: str
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class RateRecord:
    """An exchange rate of a day."""

    day: date
    base: str
    quote: str
    rate: Decimal
    source: str
    recorded_by: str
    reason: str
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH

    @property
    def dated(self) -> Rate:
        """As statements use it."""
        return Rate(self.day, self.base, self.quote, self.rate)


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """A grant, by whom and why; one that a closing carried over has its `closing_id`, and the place 0."""

    builder: str
    grant: Grant
    recorded_by: str
    reason: str
    closing_id: str = ""
    sequence: int = 0
    record_id: str = ""
    recorded_at: datetime = EPOCH


PLAN_BOOKS = pa.schema(
    [
        ("builder", pa.string()),
        ("sequence", pa.uint32()),
        ("version", pa.string()),
        ("effective_from", MOMENT),
        ("digest", pa.string()),
        ("content", pa.string()),
        *_WHO,
    ]
)
FX_RATES = pa.schema(
    [
        ("sequence", pa.uint32()),
        ("day", pa.date32()),
        ("base", pa.string()),
        ("quote", pa.string()),
        ("rate", AMOUNT),
        ("source", pa.string()),
        *_WHO,
    ]
)
CREDIT_GRANTS = pa.schema(
    [
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("grant_id", pa.string()),
        ("sequence", pa.uint32()),
        ("kind", pa.string()),
        ("unit", pa.string()),
        ("currency", pa.string()),
        ("quantity", AMOUNT),
        ("price_paid", AMOUNT),
        ("granted_at", MOMENT),
        ("expires_at", MOMENT),
        ("priority", pa.int32()),
        ("funding", pa.string()),
        ("settled", pa.bool_()),
        ("label", pa.string()),
        ("source", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("closing_id", pa.string()),
        *_WHO,
    ]
)
_GRANT_FIELDS = tuple(each.name for each in fields(Grant))


def grant_row(record: GrantRecord) -> dict[str, Any]:
    """A row of `CREDIT_GRANTS`."""
    grant = {name: getattr(record.grant, name) for name in _GRANT_FIELDS if name != "id"}
    own = {name: getattr(record, name) for name in CREDIT_GRANTS.names if name in GrantRecord.__dataclass_fields__}
    return grant | own | {"grant_id": record.grant.id}


def grant_of(row: Mapping[str, Any]) -> Grant:
    """The grant in such a row."""
    given = {name: row["grant_id" if name == "id" else name] for name in _GRANT_FIELDS}
    return Grant(**given | {"rules": tuple(row["rules"])})


def grant_record(row: Mapping[str, Any]) -> GrantRecord:
    """What `grant_row` made, with `recorded_at`."""
    own = {name: row[name] for name in GrantRecord.__dataclass_fields__ if name != "grant"}
    return GrantRecord(grant=grant_of(row), **own)


PLANS: Journal[PlanRecord] = Journal(
    "plan_books", PLAN_BOOKS, ("builder", "sequence"), lambda row: PlanRecord(**row), plain
)
RATES: Journal[RateRecord] = Journal("fx_rates", FX_RATES, ("sequence",), lambda row: RateRecord(**row), plain)
GRANTS: Journal[GrantRecord] = Journal("credit_grants", CREDIT_GRANTS, ("builder", "sequence"), grant_record, grant_row)

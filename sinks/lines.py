"""A line: the usage of one tenant over some windows, narrowed by tags, rule and currency; and what it adds up to.

What a statement bills is such a line. `LineSums` has both sides: what the totals say, and what the ledger rows add up
to that are in these totals. Rows of a flush under way are in no total yet; they are counted apart (`pending`).
Units   windows are half-open and UTC, [start, end); amounts Decimal in `currency`, quantities in the meter's unit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from billing.money import EXACT
from sinks.tables import AMOUNTS

COUNTS = ("ledger_rows", "net_events", "unpriced_events")
NARROWING = ("workspace", "feature", "provider", "model", "mode", "rule_id", "currency")  # columns of both tables


@dataclass(frozen=True, slots=True)
class Line:
    """Which windows and which usage; a tag of "" means usage that has none."""

    builder: str
    tenant: str
    start: datetime
    end: datetime
    narrowed: Mapping[str, str] = field(default_factory=dict)  # of NARROWING


@dataclass(frozen=True, slots=True)
class Sums:
    """What some rows add up to, in one currency."""

    ledger_rows: int
    net_events: int
    unpriced_events: int
    amounts: Mapping[str, Decimal]  # by AMOUNTS
    usage: Mapping[str, Decimal]  # meter -> quantity, those that are not 0

    @property
    def customer_charge(self) -> Decimal:
        """What the tenant pays."""
        return self.amounts["customer_charge"]


@dataclass(frozen=True, slots=True)
class WindowSums:
    """Of one window and currency."""

    window_start: datetime
    currency: str
    totals: Sums
    ledger: Sums
    pending: Sums  # stored, and in no total yet: a flush is under way


@dataclass(frozen=True, slots=True)
class Origin:
    """Ledger rows of a line that were rated by the same versions and rule."""

    currency: str
    price_version: str
    rule_version: str
    rule_id: str
    pricing: str
    sums: Sums


NOTHING = Sums(0, 0, 0, dict.fromkeys(AMOUNTS, Decimal(0)), {})


@dataclass(frozen=True, slots=True)
class LineSums:
    """A line's windows by currency and time, and the same ledger rows, pending ones too, by what rated them."""

    windows: tuple[WindowSums, ...]
    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Some ledger rows of a line in order of their time, and what all of them are: from one reading of the store."""

    rows: tuple[dict[str, Any], ...]
    count: int
    amounts: Mapping[str, Decimal]  # by AMOUNTS, of all of them


def add(parts: Iterable[Sums]) -> Sums:
    """The exact sum of any number of sums."""
    counts, amounts = dict.fromkeys(COUNTS, 0), dict(NOTHING.amounts)
    usage: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        for name in COUNTS:
            counts[name] += getattr(part, name)
        for name, amount in part.amounts.items():
            amounts[name] = EXACT.add(amounts[name], amount)
        for meter, quantity in part.usage.items():
            usage[meter] = EXACT.add(usage[meter], quantity)
    return Sums(**counts, amounts=amounts, usage={meter: usage[meter] for meter in sorted(usage) if usage[meter]})

"""Last month's usage, added up by what rules can tell apart: what a new book is tried on before it is published.

Units   amounts Decimal in the group's currency, quantities Decimal in the meter's unit; voids are taken off.
Shapes  a group holds the events with equal tags and an equal set of the meters that were asked about, so that a rule
        applies to all of it or to none, and no event in it lacks a meter that another one has.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.money import EXACT

ZERO = Decimal(0)
# The tags by which usage is grouped: all that a rule can match.
TAGS = ("tenant", "workspace", "builder", "feature", "workflow", "action", "provider", "model", "mode", "route")


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """Events that a rule cannot tell apart."""

    tags: Mapping[str, str]  # every one of TAGS
    meters: frozenset[str]  # of those asked about: which each of these events has
    currency: str  # "" where nothing is rated
    events: int  # usage minus voids
    rated_events: int  # of these, how many had a price and a rule
    usage: Mapping[str, Decimal]  # sums of the rated events, by meter
    unpriced_usage: Mapping[str, Decimal]  # and of the others
    base_cost: Decimal  # sum of the rated events
    # Of one rated event, voids apart: what floors and caps are about.
    base_least: Decimal
    base_most: Decimal
    usage_least: Mapping[str, Decimal]
    usage_most: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class LastMonth:
    """What was used in [start, end), whole windows in UTC."""

    start: datetime
    end: datetime
    groups: tuple[UsageGroup, ...]

    @property
    def emitted(self) -> Mapping[str, Decimal]:
        """Every meter with a quantity, and how much of it in all."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for group in self.groups:
            for usage in (group.usage, group.unpriced_usage):
                for meter, quantity in usage.items():
                    sums[meter] = EXACT.add(sums[meter], quantity)
        return {meter: quantity for meter, quantity in sums.items() if quantity}

    @property
    def name(self) -> str:
        """The month, as it is written: 2026-03."""
        return f"{self.start:%Y-%m}"

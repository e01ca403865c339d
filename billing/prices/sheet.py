"""A price sheet: all unit prices that one set of tags can meet under one version, and which of them applies when.

A sheet has a slot for each combination of hours, tier, and tier of these hours; slot 0 is the entry's plain prices.
In a slot, a meter's price is the first of: the hours' tier, the hours, the tier, the entry; times the region's
multiplier where the region has no entry of its own. Nothing is rounded: the book refuses what is not exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

from billing.money import EXACT
from billing.prices.conditions import Hours, Tier, hours_at, tier_reached
from billing.prices.entry import PriceEntry
from billing.prices.price import unit_prices

PLAIN = 0  # the slot without any condition
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PriceSheet:
    """Of one entry, for one region. Compared by identity."""

    entry: PriceEntry
    multiplier: Decimal | None = None

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def conditional(self) -> bool:
        """Whether size or time of an event can change its prices."""
        return bool(self.entry.tiers or self.entry.hours)

    @cached_property
    def _conditions(self) -> list[tuple[Tier | None, Hours | None, Tier | None]]:
        """Of each slot."""
        found: list[tuple[Tier | None, Hours | None, Tier | None]] = []
        for hours in (None, *self.entry.hours):
            for tier in (None, *self.entry.tiers):
                found += [(tier, hours, inner) for inner in (None, *(hours.tiers if hours else ()))]
        return found

    def conditions(self, slot: int) -> tuple[Tier | None, Hours | None, Tier | None]:
        """(tier, hours, tier of these hours) of a slot."""
        return self._conditions[slot]

    def prices(self, slot: int = PLAIN) -> dict[str, Decimal]:
        """Meter to the price of one unit."""
        tier, hours, inner = self.conditions(slot)
        merged = unit_prices(self.entry.meters)
        for condition in (tier, hours, inner):
            merged |= unit_prices(condition.meters) if condition else {}
        if self.multiplier is None:
            return merged
        return {meter: EXACT.multiply(price, self.multiplier) for meter, price in merged.items()}

    def slot(self, event_time: int, prompt: int) -> int:
        """The slot that an event meets, from its time (µs since 1970) and its prompt (millionths of a token). For one
        event, without arrays: an explanation does not lean on what it explains (a block's: schedules.py)."""
        met = hours_at(self.entry.hours, EPOCH + timedelta(microseconds=event_time))
        inner = tier_reached(met.tiers, prompt) if met else None
        return self._conditions.index((tier_reached(self.entry.tiers, prompt), met, inner))

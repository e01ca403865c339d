"""A quote: the unit prices of one event, and where each comes from. Plain Python, for explanations and for tests.

The stream does not use it: it resolves the prices of a whole block (billing/terms.py). Both have to agree, and
tests/property/test_rating.py holds them against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.money import EXACT
from billing.prices.book import PriceBook, sheet_of
from billing.prices.conditions import PROMPT_METERS, Hours, Tier
from billing.prices.entry import PriceEntry


@dataclass(frozen=True, slots=True)
class QuotedPrice:
    """The price of one unit of a meter."""

    unit_price: Decimal  # what is charged
    base_price: Decimal  # before the region's multiplier
    multiplier: Decimal | None
    origin: str  # base | tier | hours | hours tier


@dataclass(frozen=True, slots=True)
class Quote:
    """All prices that one event meets."""

    entry: PriceEntry
    canonical_model: str
    prompt: int  # millionths of a token
    tier: Tier | None
    hours: Hours | None
    hours_tier: Tier | None
    multiplier: Decimal | None
    prices: Mapping[str, QuotedPrice]


def quote(book: PriceBook, tags: Mapping[str, str], usage: Mapping[str, int], event_time: int) -> Quote | None:
    """What a unit of each meter costs an event with these tags, `usage` (meter -> millionths) and time (µs since 1970).

    None where the book has no entry for the tags."""
    sheet = sheet_of(book, tags)
    if sheet is None:
        return None
    prompt = sum(usage.get(meter, 0) for meter in PROMPT_METERS)
    tier, hours, inner = sheet.conditions(sheet.slot(event_time, prompt))
    layers = [("base", sheet.entry.meters), ("tier", tier and tier.meters), ("hours", hours and hours.meters)]
    prices: dict[str, QuotedPrice] = {}
    for origin, meters in (*layers, ("hours tier", inner and inner.meters)):
        for meter, price in (meters or {}).items():
            unit = price.unit_price
            charged = unit if sheet.multiplier is None else EXACT.multiply(unit, sheet.multiplier)
            prices[meter] = QuotedPrice(charged, unit, sheet.multiplier, origin)
    return Quote(sheet.entry, sheet.entry.model, prompt, tier, hours, inner, sheet.multiplier, prices)

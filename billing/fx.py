"""Exchange rates by day: what an amount is worth in another currency, or why nobody can say.

Units   `rate` is how much of `quote` one unit of `base` is worth, at most 12 places; amounts 12 places, half-even.
Rule    The rate of a day is the latest one published on that day or within the week before it, for days without trade.
        Rates are used as they are given: none is inverted and none is made of two others, for both would have to round.
Errors  `MissingRate` is a value: it names the pair and the day, and who has it refuses to close.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from billing.errors import BillingError

STALE_DAYS_MAX = 7
ONE = Decimal(1)


class RateError(BillingError):
    """An exchange rate that cannot be one, or two for one day."""


@dataclass(frozen=True, slots=True)
class Rate:
    """On `day`, one unit of `base` is worth `rate` units of `quote`."""

    day: date
    base: str
    quote: str
    rate: Decimal


@dataclass(frozen=True, slots=True, order=True)
class MissingRate:
    """No rate of this pair on that day, nor within the week before it."""

    base: str
    quote: str
    day: date

    @property
    def text(self) -> str:
        """What is missing, for whoever can publish it."""
        return f"no exchange rate from {self.base} to {self.quote} on {self.day} or in the {STALE_DAYS_MAX} days before"


class FxRates:
    """All rates there are, by pair, in order of their days."""

    def __init__(self, rates: Iterable[Rate] = ()) -> None:
        by_pair: dict[tuple[str, str], dict[date, Decimal]] = {}
        for each in rates:
            if not each.rate.is_finite() or each.rate <= 0:
                raise RateError(f"{each.base} to {each.quote} on {each.day}: a rate is above 0, not {each.rate}")
            other = by_pair.setdefault((each.base, each.quote), {}).setdefault(each.day, each.rate)
            if other != each.rate:
                raise RateError(f"{each.base} to {each.quote} on {each.day} is both {other} and {each.rate}")
        self._days = {pair: sorted(of_pair) for pair, of_pair in by_pair.items()}
        self._rates = by_pair

    def rate(self, base: str, quote: str, day: date) -> Decimal | MissingRate:
        """What one unit of `base` is worth in `quote` on that day; 1 within one currency."""
        if base == quote:
            return ONE
        days = self._days.get((base, quote), [])
        place = bisect_right(days, day)
        if not place or (day - days[place - 1]).days > STALE_DAYS_MAX:
            return MissingRate(base, quote, day)
        return self._rates[base, quote][days[place - 1]]


NO_RATES = FxRates()

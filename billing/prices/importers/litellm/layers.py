"""Token prices as a book states them: plain prices, and what replaces them in a context tier and at some hours.

litellm resolves each price for one request. Here, the same resolution is asked for every prompt size that matters and
for both times of day, and the answers are laid over each other: a tier names what differs from the plain prices.
A class of tokens of which any price is not exact at 12 places is left out of all layers, so that none stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.prices.conditions import Hours, Tier
from billing.prices.importers.contract import Notes, SkipReason, representable, too_precise
from billing.prices.importers.litellm.hours import UnclearHoursError, off_peak_ranges
from billing.prices.importers.litellm.tokens import Rates, TokenPrices
from billing.prices.price import Price
from billing.prices.writing import readable

INCLUSIVE = frozenset({"xai"})  # whose thresholds are reached by a prompt of exactly that size


@dataclass(frozen=True, slots=True)
class Layers:
    """The token prices of one service tier of one entry of the map."""

    meters: Rates
    tiers: tuple[Tier, ...] = ()
    hours: tuple[Hours, ...] = ()


@dataclass(frozen=True, slots=True)
class Layering:
    """One entry of the map under one service tier."""

    key: str
    provider: str
    prices: TokenPrices
    mode: str
    stated: frozenset[str]
    off_peak: Mapping[str, object] | None
    notes: Notes

    def layers(self) -> Layers:
        """All of them; what has to be left out is noted."""
        base = self._rates(None)
        by_bound = {bound: self._rates(bound) for bound in self.prices.bounds()}
        cheap = self._cheap(by_bound)
        inexact: dict[str, Decimal] = {}
        for rates in (base, *by_bound.values(), cheap):
            inexact |= {
                meter: price for meter, price in rates.items() if not representable(price) and meter not in inexact
            }
        for meter, price in sorted(inexact.items()):
            self.notes.add(too_precise(self.key, meter if self.mode == "standard" else f"{self.mode}, {meter}", price))
        kept = self.stated - inexact.keys()
        bound_name = "from" if self.provider in INCLUSIVE else "above"
        tiers = tuple(
            Tier.model_validate({bound_name: bound, "meters": meters})
            for bound, meters in _changes(
                _only(base, kept), {bound: _only(rates, kept) for bound, rates in by_bound.items()}
            )
        )
        return Layers(_only(base, kept), tiers, tuple(self._hours(_only(cheap, kept), base, conditional=bool(tiers))))

    def _rates(self, bound: int | None, *, off_peak: bool = False) -> Rates:
        found = self.prices.rates(self.mode, bound, off_peak=off_peak)
        if "input_tokens" in found:  # these are input, told apart by what brought it or what it is for
            found |= {"tool_use_input_tokens": found["input_tokens"], "embedding_tokens": found["input_tokens"]}
        return _only(found, self.stated)

    def _cheap(self, by_bound: Mapping[int, Rates]) -> Rates:
        """The off-peak prices, where there are any and they are the same for every prompt."""
        if self.off_peak is None or self.mode == "batch":
            return {}
        cheap = self._rates(None, off_peak=True)
        if any(self._rates(bound, off_peak=True) != cheap for bound in by_bound):
            self._refuse("its off-peak prices differ by the size of the prompt")
            return {}
        return cheap

    def _hours(self, cheap: Rates, base: Rates, *, conditional: bool) -> Iterator[Hours]:
        meters = {meter: readable(price) for meter, price in cheap.items() if conditional or price != base.get(meter)}
        if not meters or self.off_peak is None:
            return
        try:
            zone, ranges = off_peak_ranges(self.off_peak)
        except UnclearHoursError as error:
            self._refuse(str(error))
            return
        for begin, end, days in ranges:
            yield Hours.model_validate({"from": begin, "to": end, "zone": zone, "days": days, "meters": meters})

    def _refuse(self, sentence: str) -> None:
        self.notes.skip(self.key, "off_peak_pricing", SkipReason.NO_CONDITION, sentence)


def _only(rates: Rates, meters: frozenset[str]) -> Rates:
    return {meter: price for meter, price in rates.items() if meter in meters}


def _changes(base: Rates, by_bound: Mapping[int, Rates]) -> Iterator[tuple[int, dict[str, Price]]]:
    """Bound to the prices that replace the plain ones there.

    A tier takes the place of the lower ones, so it states everything that differs from the plain prices; one that goes
    back to all of them states those that the tier below had replaced."""
    below = base
    for bound, rates in sorted(by_bound.items()):
        if rates != below:
            changed = {meter: price for meter, price in rates.items() if price != base.get(meter)}
            undone = {meter: price for meter, price in rates.items() if price != below.get(meter)}
            yield bound, {meter: readable(price) for meter, price in (changed or undone).items()}
        below = rates

"""What litellm adds for a place: multipliers on the price of tokens, as multipliers of regions or as regional entries.

OpenAI costs more at its European, American and government hosts, Anthropic where the answer is to stay in one country,
Vertex AI anywhere but at its global endpoint. The uplift is one on tokens; a search costs the same everywhere. So a
model whose entries price nothing but tokens gets a region's multiplier, any other one entries of that region.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from billing.money import EXACT
from billing.prices.book import RegionMultiplier
from billing.prices.conditions import Hours, Tier
from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import Notes, SkipReason, number, representable, too_precise
from billing.prices.price import Price
from billing.prices.writing import readable

BY_FIELD = {
    "regional_processing_uplift_multiplier_eu": "eu",
    "regional_processing_uplift_multiplier_us": "us",
    "fedramp_uplift_multiplier": "fedramp",
}
ANYWHERE = "regional_endpoint_uplift_multiplier"  # every location but `global`
GEO_PROVIDERS = frozenset({"anthropic", "bedrock"})  # whose `provider_specific_entry` names multipliers
MULTIPLIER_MAX = 1000


@dataclass(frozen=True, slots=True)
class Uplifts:
    """Region to multiplier, of one entry of the map; `anywhere` is that of all regions but the global one."""

    by_region: Mapping[str, Decimal] = field(default_factory=dict)
    anywhere: Decimal | None = None

    @staticmethod
    def read(raw: str, provider: str, document: Mapping[str, object], notes: Notes) -> Uplifts:
        """The multipliers of an entry; what is none is noted."""
        found = {region: document[name] for name, region in BY_FIELD.items() if document.get(name) is not None}
        specific = document.get("provider_specific_entry")
        if provider in GEO_PROVIDERS and isinstance(specific, Mapping):
            for name, value in specific.items():
                if name == "fast":
                    sentence = "for a speed that no event tells"
                    notes.skip(raw, f"provider_specific_entry, {name}", SkipReason.NO_MODE, sentence)
                elif number(value) is not None and len(str(name)) == 2:
                    found[str(name)] = value
        multipliers = {region: factor for region, value in found.items() if (factor := _factor(value)) is not None}
        for region in found.keys() - multipliers.keys():
            notes.skip(raw, f"multiplier of {region}", SkipReason.MALFORMED, f"{found[region]!r} is no multiplier")
        return Uplifts(multipliers, _factor(document.get(ANYWHERE)))

    def of(self, regions: Iterable[str]) -> Mapping[str, Decimal]:
        """With that of all regions spelled out for those in use."""
        return {**(dict.fromkeys(regions, self.anywhere) if self.anywhere else {}), **self.by_region}


def _factor(value: object) -> Decimal | None:
    factor = number(value)
    return factor if factor is not None and 0 < factor <= MULTIPLIER_MAX else None


def regional(
    entries: Iterable[tuple[PriceEntry, Mapping[str, Decimal]]],
    known: frozenset[tuple[str, str, str, str]],
    notes: Notes,
) -> tuple[list[PriceEntry], list[RegionMultiplier]]:
    """Regional entries and multipliers for entries of any region, each with its uplifts."""
    by_model: dict[tuple[str, str], list[tuple[PriceEntry, Mapping[str, Decimal]]]] = {}
    for entry, uplifts in entries:
        if uplifts and not entry.region:
            by_model.setdefault((entry.provider, entry.model), []).append((entry, uplifts))
    models: dict[tuple[str, str, Decimal], list[str]] = {}
    made: dict[tuple[str, str, str, str], PriceEntry] = {}
    for (provider, model), those in by_model.items():
        for region, factor in sorted(those[0][1].items()):
            if all(_multiplies(entry, factor) for entry, _ in those) and not known & {
                (*e.key[:3], region) for e, _ in those
            }:
                models.setdefault((provider, region, factor), []).append(model)
                continue
            for entry, _ in those:
                multiplied = _multiplied(entry, region, factor, notes)
                if multiplied is not None and multiplied.key not in known:
                    made[multiplied.key] = multiplied
    multipliers = [
        RegionMultiplier.model_validate(
            {"provider": provider, "region": region, "multiplier": f"{factor:f}", "models": sorted(names)}
        )
        for (provider, region, factor), names in sorted(models.items())
    ]
    return list(made.values()), multipliers


def of_tokens(meter: str) -> bool:
    """Whether a meter counts tokens."""
    return meter.endswith("_tokens")


def _products(meters: Mapping[str, Price], factor: Decimal) -> Iterator[tuple[str, Decimal]]:
    for meter, price in meters.items():
        unit = price.unit_price
        yield meter, EXACT.multiply(unit, factor) if of_tokens(meter) else unit


def _multiplies(entry: PriceEntry, factor: Decimal) -> bool:
    """Whether multiplying every price of the entry gives exactly what its tokens cost there."""
    return all(
        of_tokens(meter) and representable(price)
        for meters in entry.all_meters()
        for meter, price in _products(meters, factor)
    )


def _multiplied(entry: PriceEntry, region: str, factor: Decimal, notes: Notes) -> PriceEntry | None:
    """The entry of a region; classes whose product is not exact at 12 places are left out everywhere, and noted."""
    lost: dict[str, Decimal] = {}
    for meters in entry.all_meters():
        for meter, price in _products(meters, factor):
            if not representable(price):
                lost.setdefault(meter, price)
    key = entry.provenance.key if entry.provenance else entry.words
    for meter, price in lost.items():
        notes.add(too_precise(key, f"{entry.mode} in {region}, {meter}", price))

    def priced(meters: Mapping[str, Price]) -> dict[str, Price]:
        return {meter: readable(price) for meter, price in _products(meters, factor) if meter not in lost}

    def tiers(those: Iterable[Tier]) -> tuple[Tier, ...]:
        return tuple(tier.model_copy(update={"meters": priced(tier.meters)}) for tier in those if priced(tier.meters))

    hours: list[Hours] = [
        each.model_copy(update={"meters": priced(each.meters), "tiers": tiers(each.tiers)})
        for each in entry.hours
        if priced(each.meters)
    ]
    if not priced(entry.meters):
        return None
    update = {"region": region, "meters": priced(entry.meters), "tiers": tiers(entry.tiers), "hours": tuple(hours)}
    return entry.model_copy(update=update)

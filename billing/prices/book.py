"""A price book: one dated version, a full list; nothing in it is ever changed.

Units   unit prices are Decimal per one unit of the meter, in the book's currency, 12 places, 0 to 10^6.
Match   provider, model and mode exactly, as served; a model's other names (`aliases`) stand for it. The exact region
        first, then the entry without region, times the region's multiplier if it has one. There is no fallback between
        modes or models: what has no price is unpriced, never guessed and never 0.
Errors  `BookError` (billing/documents.py), naming file, entry and field.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from billing.currencies import Currency
from billing.documents import Moment, Name, Versions
from billing.loading import load_versions
from billing.money import EXACT, SCALE, parse_decimal
from billing.prices.entry import PriceEntry
from billing.prices.price import PRICE_MAX
from billing.prices.sheet import PriceSheet

DEFAULT_REWARD_SHARE = "0.70"
MULTIPLIER_PLACES = 6


def _share(value: object) -> Decimal:
    return parse_decimal(value, what="reward share", places=SCALE, least=Decimal(0), most=Decimal(1))


def _multiplier(value: object) -> Decimal:
    return parse_decimal(value, what="multiplier", places=MULTIPLIER_PLACES, least=Decimal(0), most=Decimal(1000))


Share = Annotated[Decimal, BeforeValidator(_share)]


class RewardContract(BaseModel):
    """The provider's share of the base from a day on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    share: Share


class Alias(BaseModel):
    """Other names under which a model is served, such as dated snapshots: they cost what the model costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    model: Name
    names: tuple[Name, ...] = Field(min_length=1)


class RegionMultiplier(BaseModel):
    """What a region without entries of its own costs, as a multiple; of some models, or of all of the provider."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    region: Name
    multiplier: Annotated[Decimal, BeforeValidator(_multiplier)]
    models: tuple[Name, ...] = ()


class PriceBook(BaseModel):
    """One version. A `retroactive` one never applies by itself: past usage is rated again with it, by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Name
    effective_from: Moment
    retroactive: bool = False
    currency: Currency
    default_reward_share: Share = Decimal(DEFAULT_REWARD_SHARE)
    rewards: tuple[RewardContract, ...] = ()
    aliases: tuple[Alias, ...] = ()
    regions: tuple[RegionMultiplier, ...] = ()
    prices: tuple[PriceEntry, ...] = Field(min_length=1)
    content: str = Field("", repr=False)
    digest: str = ""
    _entries: dict[tuple[str, str, str, str], PriceEntry] = PrivateAttr(default_factory=dict)
    _models: dict[tuple[str, str], str] = PrivateAttr(default_factory=dict)  # (provider, other name) -> model
    _multipliers: dict[tuple[str, str, str], Decimal] = PrivateAttr(default_factory=dict)  # model "" means all
    _shares: dict[str, Decimal] = PrivateAttr(default_factory=dict)
    # One sheet for an entry and a multiplier, so that usage under the same prices is told by identity.
    _sheets: dict[tuple[tuple[str, str, str, str], Decimal | None], PriceSheet] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _decidable(self) -> PriceBook:
        for entry in self.prices:
            if entry.key in self._entries:
                raise ValueError(f"{entry.words} is priced twice: keep one entry")
            self._entries[entry.key] = entry
        for contract in self.rewards:
            if contract.provider in self._shares:
                raise ValueError(f"provider {contract.provider} has two reward shares: keep one")
            self._shares[contract.provider] = contract.share
        priced = {(entry.provider, entry.model) for entry in self.prices}
        for alias in self.aliases:
            self._index_alias(alias, priced)
        for region in self.regions:
            self._index_region(region, priced)
        self._refuse_inexact()
        return self

    def _index_alias(self, alias: Alias, priced: set[tuple[str, str]]) -> None:
        if (alias.provider, alias.model) not in priced:
            raise ValueError(f"aliases of {alias.provider} / {alias.model}: the book has no price for that model")
        for name in alias.names:
            if (alias.provider, name) in priced:
                raise ValueError(f"{alias.provider} / {name} has prices and is an alias of {alias.model}: keep one")
            if self._models.setdefault((alias.provider, name), alias.model) != alias.model:
                other = self._models[alias.provider, name]
                raise ValueError(f"{alias.provider} / {name} is an alias of {other} and of {alias.model}: keep one")

    def _index_region(self, region: RegionMultiplier, priced: set[tuple[str, str]]) -> None:
        for model in region.models or ("",):
            if model and (region.provider, model) not in priced:
                raise ValueError(f"region {region.region}: the book has no price for {region.provider} / {model}")
            key = (region.provider, region.region, model)
            if key in self._multipliers:
                words = " / ".join(filter(None, key))
                raise ValueError(f"{words} has two multipliers: keep one")
            self._multipliers[key] = region.multiplier

    def _refuse_inexact(self) -> None:
        """A multiplied price is a price: one that is not exact at 12 places needs an entry for the region instead."""
        for (provider, region, model), multiplier in self._multipliers.items():
            for entry in self.prices:
                if entry.provider != provider or entry.region or model not in ("", entry.model):
                    continue
                for meter, price in (item for meters in entry.all_meters() for item in meters.items()):
                    product = EXACT.multiply(price.unit_price, multiplier)
                    what = f"{entry.words}, {meter} in {region}, {price.unit_price:f} x {multiplier}"
                    parse_decimal(f"{product:f}", what=what, places=SCALE, least=Decimal(0), most=PRICE_MAX)

    def canonical_model(self, provider: str, model: str) -> str:
        """The model that a served name stands for: itself, unless it is an alias."""
        return self._models.get((provider, model), model)

    def sheet(self, provider: str, model: str, mode: str, region: str) -> PriceSheet | None:
        """All prices that such usage can meet: of the exact region, else of any; `model` may be an alias. None where
        the book has none."""
        model = self.canonical_model(provider, model)
        entry, multiplier = self._entries.get((provider, model, mode, region)), None
        if entry is None:
            entry = self._entries.get((provider, model, mode, ""))
            if entry is None:
                return None
            of_all = self._multipliers.get((provider, region, ""))
            multiplier = self._multipliers.get((provider, region, model), of_all)
        key = (entry.key, multiplier)
        if key not in self._sheets:
            self._sheets[key] = PriceSheet(entry, multiplier)
        return self._sheets[key]

    def reward_share(self, provider: str) -> Decimal:
        """The provider's part of the base."""
        return self._shares.get(provider, self.default_reward_share)


class PriceBooks(Versions[PriceBook]):
    """All versions of the price book."""

    @staticmethod
    def load(path: Path) -> PriceBooks:
        """From a file or a folder of versions."""
        return PriceBooks(load_versions(path, PriceBook))


def sheet_of(book: PriceBook, tags: Mapping[str, str]) -> PriceSheet | None:
    """The price sheet for a set of tags."""
    return book.sheet(tags["provider"], tags["model"], tags["mode"], tags["region"])

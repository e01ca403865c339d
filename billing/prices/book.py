"""A price book: one dated version, a full list; nothing in it is ever changed.

Units   unit prices are Decimal per one unit of the meter, in the book's currency, 12 places, 0 to 10^6.
Match   provider, model and mode exactly; the exact region first, then the entry without region. There is no fallback
        between modes or models: what has no price is unpriced, never guessed and never 0.
Errors  `BookError` (billing/documents.py), naming file, entry and field.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, model_validator

from billing.documents import Versions
from billing.loading import load_versions
from billing.money import ROUNDING, SCALE, parse_decimal

PRICE_MAX = Decimal(10) ** 6
DEFAULT_REWARD_SHARE = "0.70"
Name = Annotated[str, Field(min_length=1, max_length=256)]


def _share(value: object) -> Decimal:
    return parse_decimal(value, what="reward share", places=SCALE, least=Decimal(0), most=Decimal(1))


Share = Annotated[Decimal, BeforeValidator(_share)]


class Price(BaseModel):
    """What `per` units of a meter cost; the unit price has to be exact at 12 places."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    price: Decimal
    per: int = Field(1, ge=1, le=10**9)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        table = value if isinstance(value, dict) else {"price": value}
        amount = parse_decimal(table.get("price"), what="price", places=SCALE, least=Decimal(0), most=PRICE_MAX * 10**9)
        return {**table, "price": amount}

    @model_validator(mode="after")
    def _exact(self) -> Price:
        parse_decimal(str(self.unit_price), what="price per unit", places=SCALE, least=Decimal(0), most=PRICE_MAX)
        return self

    @property
    def unit_price(self) -> Decimal:
        return ROUNDING.divide(self.price, Decimal(self.per))


class PriceEntry(BaseModel):
    """The prices of one model as served: provider, model, mode and region."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    model: Name
    mode: Name = "standard"
    region: str = ""
    meters: dict[str, Price] = Field(min_length=1)


class RewardContract(BaseModel):
    """The provider's share of the base from a day on."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    share: Share


class PriceBook(BaseModel):
    """One version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Name
    effective_from: AwareDatetime
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    default_reward_share: Share = Decimal(DEFAULT_REWARD_SHARE)
    rewards: tuple[RewardContract, ...] = ()
    prices: tuple[PriceEntry, ...] = Field(min_length=1)
    content: str = Field("", repr=False)
    digest: str = ""
    _index: dict[tuple[str, str, str, str], PriceEntry] = PrivateAttr(default_factory=dict)
    _shares: dict[str, Decimal] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _distinct(self) -> PriceBook:
        for entry in self.prices:
            key = (entry.provider, entry.model, entry.mode, entry.region)
            if key in self._index:
                raise ValueError(f"{' / '.join(filter(None, key))} is priced twice: keep one entry")
            self._index[key] = entry
        for contract in self.rewards:
            if contract.provider in self._shares:
                raise ValueError(f"provider {contract.provider} has two reward shares: keep one")
            self._shares[contract.provider] = contract.share
        return self

    def entry(self, provider: str, model: str, mode: str, region: str) -> PriceEntry | None:
        """The entry of the exact region, else the one for any region."""
        return self._index.get((provider, model, mode, region)) or self._index.get((provider, model, mode, ""))

    def reward_share(self, provider: str) -> Decimal:
        """The provider's part of the base."""
        return self._shares.get(provider, self.default_reward_share)


class PriceBooks(Versions[PriceBook]):
    """All versions of the price book."""

    @staticmethod
    def load(path: Path) -> PriceBooks:
        """From a file or a folder of versions."""
        return PriceBooks(load_versions(path, PriceBook))


def resolve_price(book: PriceBook, tags: Mapping[str, str], meter: str) -> Decimal | None:
    """The unit price of a meter for these tags, None where the book has none."""
    entry = book.entry(tags["provider"], tags["model"], tags["mode"], tags["region"])
    price = entry.meters.get(meter) if entry else None
    return price.unit_price if price else None


__all__ = ["DEFAULT_REWARD_SHARE", "PriceBook", "PriceBooks", "PriceEntry", "resolve_price"]

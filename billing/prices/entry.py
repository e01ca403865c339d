"""A price entry: the prices of one model as served, by provider, model, mode and region, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from billing.documents import Name
from billing.prices.conditions import HoursOfDay, Tiers
from billing.prices.price import Meters, Price
from topics.events import Mode


def _mode(name: str) -> str:
    if name not in set(Mode):
        raise ValueError(f"{name!r} is none of {', '.join(Mode)}: no event has it, so its prices would never apply")
    return name


class Provenance(BaseModel):
    """Where an entry comes from, for whoever asks why a price is what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Annotated[str, Field(min_length=1, max_length=256)]
    key: Annotated[str, Field(max_length=512)] = ""  # the name of the entry in the source
    note: Annotated[str, Field(max_length=1024)] = ""
    url: Annotated[str, Field(max_length=1024)] = ""


class PriceEntry(BaseModel):
    """The prices of one model: `meters`, replaced by a tier's where one is reached, then by those of the hours."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    provider: Name
    model: Name
    mode: Annotated[str, AfterValidator(_mode)] = "standard"
    region: Name | Literal[""] = ""
    meters: Meters
    tiers: Tiers = ()
    hours: HoursOfDay = ()
    provenance: Provenance | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Provider, model, mode, region."""
        return self.provider, self.model, self.mode, self.region

    @property
    def words(self) -> str:
        """`northwind / nw-large / batch / eu`: the parts that are not empty."""
        return " / ".join(filter(None, self.key))

    def all_meters(self) -> Iterator[dict[str, Price]]:
        """The plain prices, then those of each condition."""
        yield self.meters
        yield from (tier.meters for tier in self.tiers)
        for hours in self.hours:
            yield hours.meters
            yield from (tier.meters for tier in hours.tiers)

"""Price books: what a unit of each meter costs, by provider, model, mode and region, by prompt size and time of day."""

from billing.prices.book import (
    DEFAULT_REWARD_SHARE,
    Alias,
    PriceBook,
    PriceBooks,
    RegionMultiplier,
    RewardContract,
    sheet_of,
)
from billing.prices.conditions import PROMPT_METERS, Hours, Tier
from billing.prices.entry import PriceEntry, Provenance
from billing.prices.price import Price
from billing.prices.quoting import Quote, QuotedPrice, quote
from billing.prices.sheet import PriceSheet

__all__ = [
    "DEFAULT_REWARD_SHARE",
    "PROMPT_METERS",
    "Alias",
    "Hours",
    "Price",
    "PriceBook",
    "PriceBooks",
    "PriceEntry",
    "PriceSheet",
    "Provenance",
    "Quote",
    "QuotedPrice",
    "RegionMultiplier",
    "RewardContract",
    "Tier",
    "quote",
    "sheet_of",
]

"""Price books: what a unit of each meter costs, by provider, model, mode and region, and the provider's share."""

from billing.prices.book import PriceBook, PriceBooks, resolve_price

__all__ = ["PriceBook", "PriceBooks", "resolve_price"]

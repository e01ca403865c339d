"""A book imported from a list, and what the book before it has that no list knows.

Shares     what a provider keeps of the base is a contract, in no price list: always taken over from the book before.
The rest   entries, aliases and region multipliers of the book before are taken over where asked for; where the list
           says something about the same, the list is right.
"""

from __future__ import annotations

from billing.prices.book import Alias, PriceBook, RegionMultiplier


def with_shares(book: PriceBook, before: PriceBook) -> PriceBook:
    """The book with the reward shares of the one before."""
    return _rebuilt(book, rewards=before.rewards, default_reward_share=before.default_reward_share)


def with_the_rest(book: PriceBook, before: PriceBook) -> PriceBook:
    """The book with everything of the one before that it does not speak of itself."""
    spoken = {entry.key for entry in book.prices}
    names = {(alias.provider, name) for alias in book.aliases for name in alias.names}
    kept = [entry for entry in before.prices if entry.key not in spoken and (entry.provider, entry.model) not in names]
    prices = (*book.prices, *kept)
    priced = {(entry.provider, entry.model) for entry in prices}
    aliases = [_free(alias, names | priced) for alias in before.aliases if (alias.provider, alias.model) in priced]
    told = {(region.provider, region.region, model) for region in book.regions for model in region.models or ("",)}
    regions = [_untold(region, told, priced) for region in before.regions]
    return _rebuilt(
        book,
        prices=prices,
        aliases=(*book.aliases, *(alias for alias in aliases if alias)),
        regions=(*book.regions, *(region for region in regions if region)),
    )


def _free(alias: Alias, taken: set[tuple[str, str]]) -> Alias | None:
    names = tuple(name for name in alias.names if (alias.provider, name) not in taken)
    return Alias(provider=alias.provider, model=alias.model, names=names) if names else None


def _untold(
    region: RegionMultiplier, told: set[tuple[str, str, str]], priced: set[tuple[str, str]]
) -> RegionMultiplier | None:
    if not region.models:
        return None if (region.provider, region.region, "") in told else region
    models = tuple(
        model
        for model in region.models
        if (region.provider, region.region, model) not in told and (region.provider, model) in priced
    )
    return region.model_copy(update={"models": models}) if models else None


def _rebuilt(book: PriceBook, **fields: object) -> PriceBook:
    """Another book, checked as any other: its indices belong to its own entries."""
    mine = {name: getattr(book, name) for name in PriceBook.model_fields if name not in {"content", "digest"}} | fields
    return PriceBook.model_validate({**mine, "default_reward_share": f"{mine['default_reward_share']:f}"})

"""What a book keeps of the one before it, when it is made of a list that does not know everything."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.prices.book import PriceBook
from billing.prices.importers.keeping import with_shares, with_the_rest


def _entry(provider: str, model: str, price: str = "1", **more: Any) -> dict[str, Any]:
    return {"provider": provider, "model": model, "meters": {"input_tokens": price}, **more}


def _book(*entries: dict[str, Any], **fields: Any) -> PriceBook:
    head = {"version": "1", "effective_from": "2026-12-01T00:00:00Z", "currency": "USD"}
    return PriceBook.model_validate({**head, **fields, "prices": list(entries)})


def test_a_providers_share_is_a_contract_and_outlives_every_list() -> None:
    before = _book(_entry("p", "a"), default_reward_share="0.6", rewards=[{"provider": "p", "share": "0.65"}])
    book = with_shares(_book(_entry("p", "a", "2"), version="2"), before)
    assert (book.reward_share("p"), book.reward_share("q")) == (Decimal("0.65"), Decimal("0.6"))
    assert (book.version, book.prices[0].meters["input_tokens"].price) == ("2", Decimal(2))


def test_entries_that_the_list_does_not_have_are_kept_and_those_it_has_are_the_lists() -> None:
    before = _book(_entry("p", "a"), _entry("p", "a", mode="batch"), _entry("own", "x"))
    book = with_the_rest(_book(_entry("p", "a", "2")), before)
    assert [(entry.words, str(entry.meters["input_tokens"].price)) for entry in book.prices] == [
        ("p / a / standard", "2"),
        ("p / a / batch", "1"),
        ("own / x / standard", "1"),
    ]
    assert book.sheet("own", "x", "standard", "") is not None


def test_a_name_is_what_the_list_says_it_is() -> None:
    """An alias of the list takes the place of an entry, and an entry that of an alias."""
    before = _book(
        _entry("p", "a"), _entry("p", "latest"), aliases=[{"provider": "p", "model": "a", "names": ["b", "c"]}]
    )
    new = _book(_entry("p", "a"), _entry("p", "b"), aliases=[{"provider": "p", "model": "a", "names": ["latest"]}])
    book = with_the_rest(new, before)
    assert {entry.model for entry in book.prices} == {"a", "b"}
    assert {(alias.model, alias.names) for alias in book.aliases} == {("a", ("latest",)), ("a", ("c",))}


def test_region_multipliers_are_kept_where_the_list_has_none_for_the_same() -> None:
    regions = [
        {"provider": "p", "region": "eu", "multiplier": "1.5", "models": ["a", "b", "gone"]},
        {"provider": "p", "region": "us", "multiplier": "1.2"},
    ]
    before = _book(_entry("p", "a"), _entry("p", "b"), _entry("p", "gone"), regions=regions)
    listed = [{"provider": "p", "region": "eu", "multiplier": "1.1", "models": ["a"]}]
    book = with_the_rest(
        _book(_entry("p", "a"), aliases=[{"provider": "p", "model": "a", "names": ["gone"]}], regions=listed), before
    )
    assert [(region.region, str(region.multiplier), region.models) for region in book.regions] == [
        ("eu", "1.1", ("a",)),
        ("eu", "1.5", ("b",)),
        ("us", "1.2", ()),
    ]

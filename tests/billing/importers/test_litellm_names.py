"""Several keys of litellm's map for one model, aliases, and what a region adds."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import ImportedBook, Skipped, SkipReason
from billing.prices.importers.litellm import import_litellm

CHAT = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05}


def _imported(document: dict[str, Any], **options: Any) -> ImportedBook:
    """As from a file: numbers are decimals from their text."""
    return import_litellm(json.loads(json.dumps(document), parse_float=Decimal), **options)


def _prices(entry: PriceEntry) -> dict[str, str]:
    return {meter: f"{price.unit_price.normalize():f}" for meter, price in entry.meters.items()}


def _skipped(document: dict[str, Any]) -> list[tuple[str, str, SkipReason]]:
    return [(each.key, each.field, each.reason) for each in _imported(document).skipped]


# Several keys for one model.


def test_two_keys_that_agree_are_one_entry_and_both_are_taken() -> None:
    vertex = CHAT | {"litellm_provider": "vertex_ai-language-models"}
    imported = _imported({"gem": vertex, "vertex_ai/gem": vertex})
    assert [entry.words for entry in imported.entries] == ["vertex_ai / gem / standard"]
    assert imported.coverage.taken == 2


def test_of_two_keys_that_contradict_the_one_that_names_the_provider_wins() -> None:
    other = CHAT | {"output_cost_per_token": 9e-05}
    imported = _imported({"gem": CHAT, "acme/gem": other})
    assert _prices(imported.entries[0])["output_tokens"] == "0.00009"
    [skipped] = imported.skipped
    assert skipped == Skipped(
        "gem", "", SkipReason.CONFLICT, "acme / gem / standard has other prices in acme/gem, which comes first"
    )
    assert (imported.coverage.priced, imported.coverage.taken) == (2, 1)


def test_aliases_are_aliases_and_an_alias_of_nothing_is_named() -> None:
    imported = _imported({"acme/x": CHAT, "acme/latest": {"alias_of": "acme/x"}, "acme/lost": {"alias_of": "acme/y"}})
    assert [(alias.provider, alias.model, alias.names) for alias in imported.aliases] == [("acme", "x", ("latest",))]
    assert [(each.key, each.reason) for each in imported.skipped] == [("acme/lost", SkipReason.ALIAS)]


@pytest.mark.parametrize("key", ["acme/", "acme/a\0", "acme/" + "m" * 257, "acme/\ud800"])
def test_a_name_that_no_event_can_have_is_left_out_and_the_others_are_taken(key: str) -> None:
    imported = _imported(
        {"acme/x": CHAT, key: CHAT, "acme/y": {"alias_of": "acme/x"}, key + "1\n": {"alias_of": "acme/x"}}
    )
    assert [entry.model for entry in imported.entries] == ["x"]
    assert [alias.names for alias in imported.aliases] == [("y",)]
    assert {each.reason for each in imported.skipped} == {SkipReason.MALFORMED}
    assert len(imported.skipped) == 2
    json.dumps([each.record() for each in imported.skipped], ensure_ascii=False).encode()
    imported.book(version="v", effective_from=datetime(2026, 12, 1, tzinfo=UTC))


def test_an_entry_that_contradicts_itself_is_left_out_and_the_others_are_taken() -> None:
    tiers = [
        {"range": [0, 10**30], "input_cost_per_token": 1e-06},
        {"range": [10**30, 10**31], "input_cost_per_token": 1},
    ]
    imported = _imported({"acme/x": CHAT, "acme/odd": CHAT | {"tiered_pricing": tiers}})
    assert [entry.model for entry in imported.entries] == ["x"]
    [skipped] = imported.skipped
    assert (skipped.key, skipped.field, skipped.reason) == ("acme/odd", "standard", SkipReason.MALFORMED)


@pytest.mark.parametrize(
    ("price", "reason", "words"),
    [
        ("1e300", SkipReason.MALFORMED, "1e+300 for one unit is more than 1,000,000"),
        ("1e-400", SkipReason.TOO_PRECISE, "1e-400 for one unit is not exact at 12 places"),
        ("1.5e-13", SkipReason.TOO_PRECISE, "0.00000000000015 for one unit is not exact at 12 places"),
    ],
)
def test_a_price_that_no_book_can_hold_is_told_in_short(price: str, reason: SkipReason, words: str) -> None:
    imported = import_litellm(
        {"acme/x": CHAT | {"input_cost_per_token": Decimal(price), "output_cost_per_token": None}}
    )
    assert {(each.reason, each.sentence) for each in imported.skipped} == {(reason, words)}


# Regions.


def test_an_uplift_on_a_model_of_tokens_alone_is_a_multiplier() -> None:
    imported = _imported(
        {"gpt": CHAT | {"litellm_provider": "openai", "regional_processing_uplift_multiplier_eu": 1.1}}
    )
    [region] = imported.regions
    assert (region.provider, region.region, region.multiplier, region.models) == (
        "openai",
        "eu",
        Decimal("1.1"),
        ("gpt",),
    )
    assert len(imported.entries) == 1


def test_an_uplift_on_tokens_leaves_the_price_of_a_search_alone() -> None:
    searches = {"search_context_size_low": 0.01, "search_context_size_high": 0.01}
    document = {
        "gpt": CHAT
        | {"litellm_provider": "openai", "fedramp_uplift_multiplier": 1.1, "search_context_cost_per_query": searches}
    }
    by_region = {entry.region: _prices(entry) for entry in _imported(document).entries}
    assert (by_region[""]["input_tokens"], by_region["fedramp"]["input_tokens"]) == ("0.000002", "0.0000022")
    assert by_region["fedramp"]["search_queries"] == by_region[""]["search_queries"] == "0.01"
    assert _imported(document).regions == ()


def test_the_regions_of_vertex_are_those_that_are_named() -> None:
    document = {"vertex_ai/c": CHAT | {"litellm_provider": "vertex_ai", "regional_endpoint_uplift_multiplier": 1.1}}
    assert _skipped(document) == [("vertex_ai/c", "regional_endpoint_uplift_multiplier", SkipReason.NO_CONDITION)]
    imported = _imported(document, vertex_regions=("europe-west4", "us-east5"))
    assert [(region.region, region.multiplier) for region in imported.regions] == [
        ("europe-west4", Decimal("1.1")),
        ("us-east5", Decimal("1.1")),
    ]
    assert imported.skipped == ()


def test_the_countries_of_anthropic_are_regions_and_its_speeds_are_named() -> None:
    specific = {"us": 1.1, "fast": 2.0}
    imported = _imported({"claude": CHAT | {"litellm_provider": "anthropic", "provider_specific_entry": specific}})
    assert [(region.region, region.multiplier) for region in imported.regions] == [("us", Decimal("1.1"))]
    assert [(each.field, each.reason) for each in imported.skipped] == [
        ("provider_specific_entry, fast", SkipReason.NO_MODE)
    ]


def test_a_regional_key_is_not_multiplied_for_another_region() -> None:
    claude = CHAT | {"litellm_provider": "bedrock", "provider_specific_entry": {"us": 1.1}}
    imported = _imported({"bedrock/eu-west-1/claude": claude, "claude": claude | {"search_context_cost_per_query": {}}})
    assert {entry.region for entry in imported.entries} == {"", "eu-west-1"}
    assert [(region.region, region.models) for region in imported.regions] == [("us", ("claude",))]
    regional = _imported({"bedrock/eu-west-1/claude": claude})
    assert (len(regional.entries), regional.regions) == (1, ())

"""Entries of litellm's map become entries of a book: by service tier, prompt size, hours, region, in disjoint classes.

The documents are small and invented, in the shape of the map. That the real one comes to what litellm's own cost
function says is the business of test_litellm_agreement.py.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import ImportedBook, SkipReason
from billing.prices.importers.litellm import import_litellm

CHAT = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05}


def _imported(document: dict[str, Any], **options: Any) -> ImportedBook:
    """As from a file: numbers are decimals from their text."""
    return import_litellm(json.loads(json.dumps(document), parse_float=Decimal), **options)


def _prices(entry: PriceEntry) -> dict[str, str]:
    return {meter: f"{price.unit_price.normalize():f}" for meter, price in entry.meters.items()}


def _only(document: dict[str, Any], **options: Any) -> PriceEntry:
    [entry] = _imported(document, **options).entries
    return entry


def _skipped(document: dict[str, Any], **options: Any) -> list[tuple[str, str, SkipReason]]:
    return [(each.key, each.field, each.reason) for each in _imported(document, **options).skipped]


def test_classes_without_a_price_of_their_own_cost_what_litellm_lets_them_cost() -> None:
    assert _prices(_only({"acme/chatty": CHAT})) == {
        "input_tokens": "0.000002",
        "cached_input_tokens": "0.000002",
        "cache_write_5m_tokens": "0.000002",
        "cache_write_1h_tokens": "0.000002",
        "output_tokens": "0.00001",
        "reasoning_tokens": "0.00001",
    }


def test_every_class_with_a_price_of_its_own_has_that_price() -> None:
    own = {
        "cache_read_input_token_cost": 1e-07,
        "cache_creation_input_token_cost": 3e-07,
        "cache_creation_input_token_cost_above_1hr": 5e-07,
        "cache_creation_input_token_cost_above_12hr": 7e-07,
        "output_cost_per_reasoning_token": 1.1e-06,
        "input_cost_per_audio_token": 1.3e-06,
        "cache_read_input_audio_token_cost": 1.7e-06,
        "output_cost_per_audio_token": 1.9e-06,
        "input_cost_per_image_token": 2.3e-06,
        "cache_read_input_image_token_cost": 2.9e-06,
        "output_cost_per_image_token": 3.1e-06,
        "input_cost_per_video_token": 3.7e-06,
        "output_cost_per_video_token": 4.1e-06,
    }
    prices = _prices(_only({"acme/all": CHAT | own}))
    assert {meter: price for meter, price in prices.items() if meter not in {"input_tokens", "output_tokens"}} == {
        "cached_input_tokens": "0.0000001",
        "cache_write_5m_tokens": "0.0000003",
        "cache_write_1h_tokens": "0.0000005",
        "cache_write_12h_tokens": "0.0000007",
        "reasoning_tokens": "0.0000011",
        "audio_input_tokens": "0.0000013",
        "cached_audio_input_tokens": "0.0000017",
        "audio_output_tokens": "0.0000019",
        "image_input_tokens": "0.0000023",
        "cached_image_input_tokens": "0.0000029",
        "image_output_tokens": "0.0000031",
        "video_input_tokens": "0.0000037",
        "video_output_tokens": "0.0000041",
    }


def test_what_a_model_can_read_is_priced_as_input_and_what_it_cannot_is_not_priced() -> None:
    seeing = _prices(_only({"acme/seeing": CHAT | {"supports_vision": True}}))
    assert seeing["image_input_tokens"] == seeing["input_tokens"]
    assert "audio_input_tokens" not in seeing
    assert "image_input_tokens" not in _prices(_only({"acme/blind": CHAT}))


def test_an_embedding_is_priced_under_both_names_of_its_tokens_and_has_no_output() -> None:
    embedding = {"litellm_provider": "acme", "mode": "embedding", "input_cost_per_token": 1e-07}
    assert _prices(_only({"acme/e": embedding})) == {"input_tokens": "0.0000001", "embedding_tokens": "0.0000001"}


def test_cached_input_of_fireworks_costs_half() -> None:
    prices = _prices(_only({"fireworks_ai/x": CHAT | {"litellm_provider": "fireworks_ai"}}))
    assert (prices["cached_input_tokens"], prices["cache_write_5m_tokens"]) == ("0.000001", "0.000002")


# Prompt sizes.

SIZED = CHAT | {
    "input_cost_per_token_above_200k_tokens": 4e-06,
    "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "cache_read_input_token_cost": 2e-07,
    "cache_read_input_token_cost_above_200k_tokens": 4e-07,
}


def _tiers(entry: PriceEntry) -> dict[str, dict[str, str]]:
    return {
        tier.words: {meter: f"{price.unit_price.normalize():f}" for meter, price in tier.meters.items()}
        for tier in entry.tiers
    }


def test_a_price_above_a_size_is_a_tier_with_everything_that_derives_from_it() -> None:
    assert _tiers(_only({"acme/sized": SIZED})) == {
        "above 200000": {
            "input_tokens": "0.000004",
            "cached_input_tokens": "0.0000004",
            "cache_write_5m_tokens": "0.000004",
            "cache_write_1h_tokens": "0.000004",
            "output_tokens": "0.000015",
            "reasoning_tokens": "0.000015",
        }
    }


def test_xai_reaches_a_size_with_its_last_token() -> None:
    assert list(_tiers(_only({"xai/sized": SIZED | {"litellm_provider": "xai"}}))) == ["from 200000"]


def test_a_higher_size_repeats_what_it_does_not_replace_itself() -> None:
    """A tier takes the place of the lower one, where litellm goes on from it."""
    entry = _only({"acme/two": SIZED | {"output_cost_per_token_above_500k_tokens": 2e-05}})
    assert _tiers(entry)["above 500000"]["input_tokens"] == "0.000004"
    assert _tiers(entry)["above 500000"]["output_tokens"] == "0.00002"


def test_a_table_of_tiers_replaces_everything_by_the_tier_of_the_prompt() -> None:
    tiers = [
        {
            "range": [0, 32000.0],
            "input_cost_per_token": 1e-06,
            "output_cost_per_token": 2e-06,
            "cache_read_input_token_cost": 1e-07,
        },
        {"range": [32000.0, 128000.0], "input_cost_per_token": 3e-06, "output_cost_per_token": 5e-06},
    ]
    entry = _only({"acme/table": {"litellm_provider": "acme", "mode": "chat", "tiered_pricing": tiers}})
    assert _prices(entry)["cached_input_tokens"] == "0.0000001"
    assert _tiers(entry) == {
        "above 32000": {
            "input_tokens": "0.000003",
            "cached_input_tokens": "0.000003",
            "cache_write_5m_tokens": "0.000003",
            "cache_write_1h_tokens": "0.000003",
            "output_tokens": "0.000005",
            "reasoning_tokens": "0.000005",
        }
    }


def test_a_size_at_which_everything_is_as_below_all_sizes_says_so() -> None:
    """Left out, the tier below would go on."""
    back = {name.replace("200k", "500k"): SIZED[name.partition("_above")[0]] for name in SIZED if "200k" in name}
    entry = _only({"acme/bulge": SIZED | back})
    assert set(_tiers(entry)["above 500000"]) == set(_tiers(entry)["above 200000"])
    assert _tiers(entry)["above 500000"]["input_tokens"] == "0.000002"


def test_reads_of_a_requested_cache_follow_the_tier() -> None:
    tiers = [
        {"range": [0, 32000], "input_cost_per_token": 1e-06, "explicit_cache_read_input_token_cost": 1e-07},
        {"range": [32000, 64000], "input_cost_per_token": 3e-06, "cache_read_input_token_cost": 5e-07},
    ]
    flat = {"explicit_cache_read_input_token_cost": 9e-07}
    entry = _only({"acme/table": CHAT | flat | {"tiered_pricing": tiers}})
    assert _prices(entry)["explicit_cached_input_tokens"] == "0.0000001"
    assert _tiers(entry)["above 32000"]["explicit_cached_input_tokens"] == "0.0000005"


def test_a_table_of_something_else_than_tokens_is_left_out() -> None:
    tiers = [{"input_cost_per_query": 0.005, "max_results_range": [0, 25]}]
    document = {"acme/search": {"litellm_provider": "acme", "mode": "search", "tiered_pricing": tiers}, "acme/c": CHAT}
    assert ("acme/search", "tiered_pricing", SkipReason.NO_CONDITION) in _skipped(document)
    assert _imported(document).coverage.priced == 2
    assert _imported(document).coverage.taken == 1


# Service tiers.


def test_each_service_tier_with_prices_is_an_entry_and_takes_the_rest_from_the_standard_one() -> None:
    entries = _imported(
        {
            "acme/fast": CHAT
            | {
                "cache_read_input_token_cost": 2e-07,
                "input_cost_per_token_priority": 4e-06,
                "output_cost_per_token_priority": 2e-05,
                "output_cost_per_reasoning_token": 3e-05,
                "input_cost_per_token_flex": 1e-06,
            }
        }
    ).entries
    by_mode = {entry.mode: _prices(entry) for entry in entries}
    assert set(by_mode) == {"standard", "priority", "flex"}
    assert (by_mode["priority"]["input_tokens"], by_mode["priority"]["cached_input_tokens"]) == (
        "0.000004",
        "0.0000002",
    )
    assert by_mode["priority"]["reasoning_tokens"] == "0.00002"  # its own output price, not standard reasoning
    assert (by_mode["flex"]["output_tokens"], by_mode["flex"]["reasoning_tokens"]) == ("0.00001", "0.00003")


def test_a_batch_costs_what_is_stated_and_never_a_guessed_half() -> None:
    entries = _imported(
        {
            "acme/half": CHAT
            | {
                "cache_read_input_token_cost": 2e-07,
                "input_cost_per_token_batches": 1e-06,
                "output_cost_per_token_batches": 5e-06,
            },
            "acme/input": CHAT | {"input_cost_per_token_batches": 1e-06},
            "acme/none": CHAT,
        }
    ).entries
    batches = {entry.model: _prices(entry) for entry in entries if entry.mode == "batch"}
    assert set(batches) == {"half", "input"}
    assert batches["half"] == {
        "input_tokens": "0.000001",
        "cached_input_tokens": "0.0000002",  # the standard price of cached input
        "cache_write_5m_tokens": "0.000001",
        "cache_write_1h_tokens": "0.000001",
        "output_tokens": "0.000005",
        "reasoning_tokens": "0.000005",
    }
    assert "output_tokens" not in batches["input"]


@pytest.mark.parametrize("suffix", ["balanced", "ultrafast", "decisions"])
def test_service_tiers_that_no_event_can_have_are_named(suffix: str) -> None:
    document = {"acme/x": CHAT | {f"input_cost_per_token_{suffix}": 9e-06}}
    assert _skipped(document) == [("acme/x", f"input_cost_per_token_{suffix}", SkipReason.NO_MODE)]
    assert _imported(document).coverage.in_part == 1


# Exactness.


def test_the_tail_of_binary_arithmetic_is_not_part_of_a_price() -> None:
    imported = _imported({"acme/noisy": CHAT | {"input_cost_per_token": 2.0000000000000002e-07}})
    assert _prices(imported.entries[0])["input_tokens"] == "0.0000002"
    assert imported.coverage.noise == 1


@pytest.mark.parametrize("price", [0.0005666666666666667, 1.142857142857143e-07, 1.41953125e-07, 0.000283333333333])
def test_a_price_that_is_not_exact_at_twelve_places_is_named_and_nothing_stands_in_for_it(price: float) -> None:
    imported = _imported({"acme/odd": CHAT | {"cache_read_input_token_cost": price}})
    assert "cached_input_tokens" not in imported.entries[0].meters
    assert [(each.field, each.reason) for each in imported.skipped] == [("cached_input_tokens", SkipReason.TOO_PRECISE)]


def test_a_class_is_left_out_of_every_condition_when_one_of_its_prices_is_not_exact() -> None:
    entry = _only({"acme/odd": SIZED | {"cache_read_input_token_cost_above_200k_tokens": 1.1234567890123e-06}})
    assert all("cached_input_tokens" not in meters for meters in entry.all_meters())


def test_no_float_ever_becomes_a_price() -> None:
    """Numbers parsed as floats are no numbers here."""
    skipped = import_litellm({"acme/x": CHAT}).skipped
    assert [(each.field, each.reason) for each in skipped if each.field] == [
        ("input_cost_per_token", SkipReason.MALFORMED),
        ("output_cost_per_token", SkipReason.MALFORMED),
    ]


# What is no price, or not one that could be taken.


def test_entries_without_a_price_and_entries_of_zeros_are_told_apart() -> None:
    zero = {name: 0.0 if "cost" in name else value for name, value in CHAT.items()}
    document = {"acme/none": {"litellm_provider": "acme", "mode": "chat"}, "acme/zero": zero, "acme/x": CHAT}
    assert _skipped(document) == [
        ("acme/none", "", SkipReason.NO_PRICE),
        ("acme/zero", "", SkipReason.ALL_ZERO),
    ]
    coverage = _imported(document).coverage
    assert (coverage.in_source, coverage.priced, coverage.taken, coverage.share) == (3, 1, 1, Decimal(100))
    assert [entry.model for entry in _imported(document, free=True).entries] == ["zero", "x"]


def test_a_field_that_sounds_like_a_price_and_is_not_known_is_named() -> None:
    assert _skipped({"acme/x": CHAT | {"moonlight_cost_per_lumen": 0.5}}) == [
        ("acme/x", "moonlight_cost_per_lumen", SkipReason.UNKNOWN_FIELD)
    ]


@pytest.mark.parametrize("value", [-1.0, "much", [1.0]])
def test_what_is_no_price_is_named(value: object) -> None:
    document = {"acme/x": CHAT | {"output_cost_per_audio_token": value}}
    assert _skipped(document) == [("acme/x", "output_cost_per_audio_token", SkipReason.MALFORMED)]


def test_the_explanation_of_the_map_is_no_entry() -> None:
    imported = _imported({"sample_spec": CHAT, "acme/x": CHAT, "odd": 7})
    assert imported.coverage.in_source == 2
    assert [(each.key, each.reason) for each in imported.skipped] == [("odd", SkipReason.MALFORMED)]


def test_an_entry_carries_where_it_comes_from() -> None:
    entry = _only({"acme/x": CHAT | {"source": "https://acme.example/prices"}}, source="litellm 9.9")
    assert entry.provenance is not None
    assert (entry.provenance.source, entry.provenance.key) == ("litellm 9.9", "acme/x")
    assert entry.provenance.url == "https://acme.example/prices"


# The whole.


def test_only_the_providers_asked_for_are_kept_and_the_coverage_is_theirs() -> None:
    imported = _imported({"acme/x": CHAT, "apex/y": CHAT | {"litellm_provider": "apex"}}).of(["apex"])
    assert [entry.words for entry in imported.entries] == ["apex / y / standard"]
    assert (imported.coverage.priced, imported.coverage.taken) == (1, 1)
    with pytest.raises(Exception, match="has no prices of nobody: check the names"):
        imported.of(["nobody"])

"""What litellm's map prices otherwise than by the token, and how its keys are taken apart."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from billing.prices.importers.contract import ImportedBook, SkipReason
from billing.prices.importers.litellm import import_litellm
from billing.prices.importers.litellm.keys import parse_key
from topics.meters import load_catalogue


def _imported(document: dict[str, Any]) -> ImportedBook:
    return import_litellm(json.loads(json.dumps(document), parse_float=Decimal))


@pytest.mark.parametrize(
    ("raw", "litellm_provider", "parts"),
    [
        ("gpt-5", "openai", ("openai", "gpt-5", "", "")),
        ("openai/gpt-5", "openai", ("openai", "gpt-5", "", "")),
        ("azure/eu/gpt-5", "azure", ("azure", "gpt-5", "eu", "")),
        ("azure/global-standard/gpt-4o", "azure", ("azure", "gpt-4o", "global-standard", "")),
        ("azure/speech/azure-tts", "azure", ("azure", "speech/azure-tts", "", "")),
        ("bedrock/us-gov-west-1/claude", "bedrock", ("bedrock", "claude", "us-gov-west-1", "")),
        ("bedrock/*/1-month-commitment/command", "bedrock", ("bedrock", "1-month-commitment/command", "", "")),
        ("us.anthropic.claude", "bedrock_converse", ("bedrock", "us.anthropic.claude", "", "")),
        ("gemini-2.5-pro", "vertex_ai-language-models", ("vertex_ai", "gemini-2.5-pro", "", "")),
        ("vertex_ai/xai/grok", "vertex_ai", ("vertex_ai", "xai/grok", "", "")),
        ("perplexity/perplexity/sonar", "perplexity", ("perplexity", "perplexity/sonar", "", "")),
        ("amazon-nova/nova-lite", "amazon_nova", ("amazon_nova", "nova-lite", "", "")),
        (
            "fireworks_ai/accounts/fireworks/models/x",
            "fireworks_ai",
            ("fireworks_ai", "accounts/fireworks/models/x", "", ""),
        ),
        ("hd/1024-x-1792/dall-e-3", "openai", ("openai", "dall-e-3", "", "_hd_1024x1792")),
        ("1024-x-1024/gpt-image", "openai", ("openai", "gpt-image", "", "_1024x1024")),
        ("azure/high/1024-x-1536/gpt-image-1", "azure", ("azure", "gpt-image-1", "", "_high_1024x1536")),
        ("512-x-512/50-steps/stability.sd", "bedrock", ("bedrock", "stability.sd", "", "_50_steps_512x512")),
        (
            "1024-x-1024/max-steps/bedrock/amazon.nova",
            "bedrock",
            ("bedrock", "amazon.nova", "", "_max_steps_1024x1024"),
        ),
        ("max-x-max/50-steps/stability.sd", "bedrock", ("bedrock", "stability.sd", "", "_50_steps_max")),
        ("fal_ai/low/1024-x-768/openai/gpt/edit", "fal_ai", ("fal_ai", "openai/gpt/edit", "", "_low_1024x768")),
    ],
)
def test_a_key_is_taken_apart(raw: str, litellm_provider: str, parts: tuple[str, ...]) -> None:
    key = parse_key(raw, litellm_provider)
    assert (key.provider, key.model, key.region, key.variant) == parts


@pytest.mark.parametrize(
    ("mode", "fields", "meters"),
    [
        ("image_generation", {"output_cost_per_image": 0.04}, {"generated_images": "0.04"}),
        ("image_edit", {"output_cost_per_image": 0.04}, {"generated_images": "0.04"}),
        ("image_generation", {"input_cost_per_image": 0.009}, {"generated_images": "0.009"}),
        ("image_generation", {"input_cost_per_pixel": 5e-08}, {"generated_pixels": "0.00000005"}),
        (
            "image_generation",
            {"output_cost_per_image": 0.08, "output_cost_per_image_0.5K": 0.06, "output_cost_per_image_4K": 0.16},
            {"generated_images": "0.08", "generated_images_0_5k": "0.06", "generated_images_4k": "0.16"},
        ),
        (
            "video_generation",
            {"output_cost_per_second": 0.1, "output_cost_per_second_1080p": 0.12, "input_cost_per_image": 0.01},
            {"generated_video_seconds": "0.1", "generated_video_seconds_1080p": "0.12", "input_images": "0.01"},
        ),
        ("video_generation", {"output_cost_per_video_per_second": 0.1}, {"generated_video_seconds": "0.1"}),
        (
            "audio_transcription",
            {"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0},
            {"audio_input_seconds": "0.0001"},
        ),
        ("audio_transcription", {"output_cost_per_second": 0.0001}, {"audio_input_seconds": "0.0001"}),
        ("audio_speech", {"input_cost_per_character": 1.5e-05}, {"input_characters": "0.000015"}),
        ("audio_speech", {"output_cost_per_image": 0.06}, {"provider_requests": "0.06"}),
        ("chat", {"input_cost_per_second": 0.001902, "cost_per_second": 0.001902}, {"compute_seconds": "0.001902"}),
        (
            "embedding",
            {"input_cost_per_query": 7e-05, "input_cost_per_image": 0.0001},
            {"embedding_queries": "0.00007", "input_images": "0.0001"},
        ),
        ("embedding", {"input_cost_per_video_per_second": 0.0007}, {"video_input_seconds": "0.0007"}),
        ("embedding", {"input_cost_per_audio_per_second": 0.00014}, {"audio_input_seconds": "0.00014"}),
        ("rerank", {"input_cost_per_query": 0.001}, {"rerank_queries": "0.001"}),
        ("search", {"input_cost_per_query": 0.005}, {"search_queries": "0.005"}),
        ("chat", {"input_cost_per_request": 0.005}, {"provider_requests": "0.005"}),
        ("chat", {"code_interpreter_cost_per_session": 0.03}, {"code_sessions": "0.03"}),
        ("chat", {"file_search_cost_per_1k_calls": 2.5}, {"file_searches": "0.0025"}),
        ("realtime", {"input_cost_per_text_message": 0.004}, {"input_messages": "0.004"}),
        (
            "ocr",
            {"ocr_cost_per_page": 0.004, "annotation_cost_per_page": 0.005},
            {"scanned_pages": "0.004", "annotated_pages": "0.005"},
        ),
        ("ocr", {"ocr_cost_per_credit": 0.015}, {"provider_credits": "0.015"}),
        (
            "guardrail",
            {"guardrail_cost_per_unit": {"contentPolicyImageUnits": 0.00075}},
            {"guardrail_content_image_units": "0.00075"},
        ),
    ],
)
def test_a_unit_of_each_kind_has_its_meter(mode: str, fields: dict[str, Any], meters: dict[str, str]) -> None:
    [entry] = _imported({"acme/x": {"litellm_provider": "acme", "mode": mode, **fields}}).entries
    assert {meter: f"{price.unit_price.normalize():f}" for meter, price in entry.meters.items()} == meters
    assert set(meters) <= set(load_catalogue())


def test_pictures_of_each_size_and_quality_are_one_entry() -> None:
    picture = {"litellm_provider": "openai", "mode": "image_generation"}
    imported = _imported(
        {
            "low/1024-x-1024/gpt-image": picture | {"input_cost_per_image": 0.009},
            "high/1024-x-1024/gpt-image": picture | {"input_cost_per_image": 0.133},
            "gpt-image": picture | {"input_cost_per_token": 5e-06, "output_cost_per_image_token": 3e-05},
        }
    )
    [entry] = imported.entries
    assert set(entry.meters) == {
        "generated_images_low_1024x1024",
        "generated_images_high_1024x1024",
        "input_tokens",
        "image_output_tokens",
    }
    assert imported.coverage.taken == 3


def test_a_price_of_pixels_is_that_of_a_picture_where_the_key_tells_its_size() -> None:
    exact = {
        "litellm_provider": "azure",
        "mode": "image_generation",
        "input_cost_per_pixel": 4e-08,
        "output_cost_per_pixel": 0.0,
    }
    imported = _imported(
        {
            "azure/hd/1024-x-1024/dall-e-3": exact,
            "azure/standard/1024-x-1024/dall-e-3": exact | {"input_cost_per_pixel": 4.19617e-08},
        }
    )
    [entry] = imported.entries
    assert entry.meters["generated_images_hd_1024x1024"].unit_price == Decimal("0.04194304")
    assert ("azure/standard/1024-x-1024/dall-e-3", SkipReason.TOO_PRECISE) in [
        (each.key, each.reason) for each in imported.skipped
    ]


@pytest.mark.parametrize(
    ("fields", "left_out"),
    [
        ({"output_cost_per_image_token": 3e-05, "output_cost_per_image": 0.039}, "output_cost_per_image"),
        ({"input_cost_per_image": 0.0011}, "input_cost_per_image"),
        ({"output_cost_per_second": 0.00025}, "output_cost_per_second"),
        ({"input_cost_per_second": 0.0001}, "input_cost_per_second"),
        ({"input_cost_per_video_per_second": 0.0001}, "input_cost_per_video_per_second"),
        ({"input_cost_per_character": 2.5e-07}, "input_cost_per_character"),
    ],
)
def test_usage_that_is_priced_in_tokens_is_not_priced_again_in_another_unit(
    fields: dict[str, float], left_out: str
) -> None:
    tokens = {
        "litellm_provider": "acme",
        "mode": "realtime",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 2e-06,
    }
    imported = _imported({"acme/x": tokens | fields})
    assert [(each.field, each.reason) for each in imported.skipped] == [(left_out, SkipReason.ANOTHER_UNIT)]
    assert imported.coverage.in_part == 0
    assert all(meter.endswith("_tokens") for meter in imported.entries[0].meters)


@pytest.mark.parametrize(
    ("provider", "unit", "sizes", "meters"),
    [
        ("anthropic", None, (0.01, 0.01, 0.01), {"search_queries": "0.01"}),
        (
            "openai",
            None,
            (0.03, 0.035, 0.05),
            {"search_queries_low": "0.03", "search_queries_medium": "0.035", "search_queries_high": "0.05"},
        ),
        ("gemini", None, (0.035, 0.035, 0.035), {"grounded_prompts": "0.035"}),
        ("gemini", "per_query", (0.014, 0.014, 0.014), {"search_queries": "0.014"}),
    ],
)
def test_a_search_is_counted_as_the_provider_bills_it(
    provider: str, unit: str | None, sizes: tuple[float, ...], meters: dict[str, str]
) -> None:
    prices = dict(
        zip(("search_context_size_low", "search_context_size_medium", "search_context_size_high"), sizes, strict=True)
    )
    entry = {"litellm_provider": provider, "mode": "chat", "search_context_cost_per_query": prices}
    [made] = _imported({"x": entry | ({"web_search_billing_unit": unit} if unit else {})}).entries
    assert {meter: f"{price.unit_price.normalize():f}" for meter, price in made.meters.items()} == meters


def test_pages_of_a_batch_have_the_price_of_a_batch() -> None:
    pages = {
        "litellm_provider": "mistral",
        "mode": "ocr",
        "ocr_cost_per_page": 0.004,
        "ocr_cost_per_page_batches": 0.002,
    }
    by_mode = {entry.mode: entry.meters["scanned_pages"].price for entry in _imported({"mistral/ocr": pages}).entries}
    assert by_mode == {"standard": Decimal(4000), "batch": Decimal(2000)}


def test_a_price_that_differs_by_an_interval_is_not_taken_at_all() -> None:
    video = {
        "litellm_provider": "acme",
        "mode": "embedding",
        "input_cost_per_image": 0.0001,
        "input_cost_per_video_per_second": 0.0005,
        "input_cost_per_video_per_second_above_8s_interval": 0.001,
    }
    imported = _imported({"acme/x": video})
    assert set(imported.entries[0].meters) == {"input_images"}
    assert {each.reason for each in imported.skipped} == {SkipReason.NO_CONDITION}


def test_free_searches_of_a_month_are_the_statements_business() -> None:
    entry = {
        "litellm_provider": "gemini",
        "mode": "chat",
        "input_cost_per_token": 1e-06,
        "search_free_requests": {"count": 5000},
    }
    assert [each.reason for each in _imported({"gemini/x": entry}).skipped] == [SkipReason.ALLOWANCE]

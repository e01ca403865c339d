"""genai-prices become entries of a book: derived classes, tiers, dates, hours, service tiers, names."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.documents import BookError
from billing.prices.importers.contract import ImportedBook, SkipReason
from billing.prices.importers.genai import document_of_module, import_genai_prices

DAY = date(2026, 12, 1)


def _list(prices: object, provider: str = "acme", **model: object) -> list[dict[str, Any]]:
    return [{"id": provider, "models": [{"id": "m", "match": {"equals": "m"}, "prices": prices, **model}]}]


def _imported(prices: object, **model: Any) -> ImportedBook:
    return import_genai_prices(_list(prices, **model), at=DAY)


def _meters(imported: ImportedBook, number: int = 0) -> dict[str, str]:
    return {meter: f"{price.unit_price.normalize():f}" for meter, price in imported.entries[number].meters.items()}


def _mtok(**prices: str) -> dict[str, Decimal]:
    return {f"{name}_mtok": Decimal(price) for name, price in prices.items()}


def test_a_class_without_a_price_costs_what_the_wider_class_costs() -> None:
    assert _meters(_imported(_mtok(input="3", output="15", cache_write="3.75"))) == {
        "input_tokens": "0.000003",
        "output_tokens": "0.000015",
        "cache_write_5m_tokens": "0.00000375",
        "cached_input_tokens": "0.000003",
        "cache_write_1h_tokens": "0.00000375",
        "tool_use_input_tokens": "0.000003",
        "reasoning_tokens": "0.000015",
    }


@pytest.mark.parametrize(
    ("key", "price", "meter", "unit"),
    [
        ("web_searches_kcount", "10", "search_queries", "0.01"),
        ("storage_searches_kcount", "2.5", "file_searches", "0.0025"),
        ("requests_kcount", "5", "provider_requests", "0.005"),
        ("input_document_kpages", "4", "scanned_pages", "0.004"),
        ("input_annotated_document_kpages", "5", "annotated_pages", "0.005"),
        ("audio_hours", "0.36", "audio_input_seconds", "0.0001"),
        ("output_audio_hours", "3.6", "audio_output_seconds", "0.001"),
        ("input_mchars", "15", "input_characters", "0.000015"),
        ("input_text_messages_kcount", "4", "input_messages", "0.004"),
        ("output_citation_mtok", "2", "citation_tokens", "0.000002"),
        ("output_video_mtok", "17.5", "video_output_tokens", "0.0000175"),
    ],
)
def test_each_unit_is_one_of_many(key: str, price: str, meter: str, unit: str) -> None:
    assert _meters(_imported({key: Decimal(price)})) == {meter: unit}


def test_an_hour_of_audio_that_is_no_exact_price_of_a_second_is_named() -> None:
    imported = _imported({"audio_hours": Decimal("0.04"), "input_mtok": Decimal(1)})
    assert [(each.field, each.reason) for each in imported.skipped] == [("audio_input_seconds", SkipReason.TOO_PRECISE)]


def test_tiers_are_cliffs_above_their_start() -> None:
    tiered = {"base": Decimal(1), "tiers": [{"start": 200000, "price": Decimal(2)}]}
    [entry] = _imported({"input_mtok": tiered, "output_mtok": Decimal(5), "cache_read_mtok": Decimal("0.1")}).entries
    assert [(tier.words, set(tier.meters)) for tier in entry.tiers] == [
        (
            "above 200000",
            {"input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "tool_use_input_tokens"},
        )
    ]


def test_of_several_dates_the_last_one_begun_decides_and_a_later_one_is_named() -> None:
    listed = [
        {"prices": _mtok(input="1")},
        {"constraint": {"start_date": "2026-06-01"}, "prices": _mtok(input="2")},
        {"constraint": {"start_date": "2026-12-01"}, "prices": _mtok(input="3")},
        {"constraint": {"start_date": "2027-01-01"}, "prices": _mtok(input="4")},
    ]
    imported = _imported(listed)
    assert _meters(imported)["input_tokens"] == "0.000003"
    assert [(each.reason, each.sentence) for each in imported.skipped] == [
        (SkipReason.LATER, "other prices from 2027-01-01: import again for that day")
    ]
    assert imported.coverage.in_part == 0


def test_prices_of_hours_are_hours_of_the_entry() -> None:
    peak = {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}
    [entry] = _imported(
        [{"prices": _mtok(input="1", output="3")}, {"constraint": peak, "prices": _mtok(input="2", output="3")}]
    ).entries
    [hours] = entry.hours
    assert hours.words == "00:30 to 16:30 UTC"
    assert "output_tokens" not in hours.meters
    assert hours.meters["input_tokens"].price == Decimal(2)


def test_variants_are_service_tiers_price_by_price_and_other_variants_are_named() -> None:
    variants = [
        {"when": {"service_tier": "default"}, "prices": {}},
        {"when": {"processing": "batch"}, "prices": _mtok(input="0.5")},
        {"when": {"processing": "batch"}, "prices": _mtok(input="9", output="1")},
        {"when": {"service_tier": "priority"}, "prices": _mtok(input="2"), "constraint": {"start_date": "2026-10-12"}},
        {"when": {"speed": "fast"}, "prices": _mtok(input="7")},
    ]
    imported = _imported(_mtok(input="1", output="3"), price_variants=variants)
    prices = {
        entry.mode: (str(entry.meters["input_tokens"].price), str(entry.meters["output_tokens"].price))
        for entry in imported.entries
    }
    assert prices == {"standard": ("1", "3"), "batch": ("0.5", "1"), "priority": ("2", "3")}
    assert [(each.field, each.reason) for each in imported.skipped] == [
        ("price_variants, speed fast", SkipReason.NO_MODE)
    ]


def test_names_matched_as_a_whole_are_aliases_and_patterns_are_named() -> None:
    match = {"or": [{"equals": "m"}, {"equals": "m-2026"}, {"starts_with": "m-"}, {"or": [{"equals": "m-old"}]}]}
    imported = _imported(_mtok(input="1"), match=match)
    assert [(alias.model, alias.names) for alias in imported.aliases] == [("m", ("m-2026", "m-old"))]
    assert [(each.reason, each.field) for each in imported.skipped] == [(SkipReason.PATTERN, "match, starts_with 'm-'")]


def test_a_model_without_a_price_and_one_of_zeros_are_told_apart() -> None:
    assert [each.reason for each in _imported({}).skipped] == [SkipReason.NO_PRICE]
    zero = _imported(_mtok(input="0"))
    assert ([each.reason for each in zero.skipped], zero.coverage.priced) == ([SkipReason.ALL_ZERO], 0)
    assert import_genai_prices(_list(_mtok(input="0")), at=DAY, free=True).entries[0].meters["input_tokens"].price == 0


def test_a_float_and_an_unknown_price_are_named() -> None:
    imported = _imported({"input_mtok": 0.1, "output_mtok": Decimal(1), "dream_mtok": Decimal(1), "x_cost": Decimal(1)})
    assert [(each.field, each.reason) for each in imported.skipped] == [
        ("input_mtok", SkipReason.MALFORMED),
        ("dream_mtok", SkipReason.NO_METER),
        ("x_cost", SkipReason.UNKNOWN_FIELD),
    ]


MODULE = """
import datetime
from decimal import Decimal
from .types import *

providers: list[Provider] = [
    Provider(
        id='acme',
        models=[
            ModelInfo(
                id='m',
                match=ClauseOr(or_=[ClauseEquals(equals='m'), ClauseEquals(equals='n')]),
                prices=[
                    ConditionalPrice(
                        prices=ModelPrice(
                            input_mtok=TieredPrices(base=Decimal('0.10'), tiers=[Tier(start=5, price=Decimal('1'))])
                        )
                    ),
                    ConditionalPrice(
                        constraint=TimeOfDateConstraint(
                            start_time=datetime.time(0, 30, tzinfo=datetime.UTC),
                            end_time=datetime.time(16, tzinfo=datetime.timezone.utc),
                        ),
                        prices=ModelPrice(input_mtok=Decimal('2')),
                    ),
                ],
                price_variants=[
                    PriceVariant(
                        when={'processing': 'batch'},
                        prices=ModelPrice(),
                        constraint=StartDateConstraint(start_date=datetime.date(2026, 3, 1)),
                    )
                ],
            )
        ],
    )
]
"""


def test_the_module_is_read_as_the_document_it_stands_for() -> None:
    assert document_of_module(MODULE) == [
        {
            "id": "acme",
            "models": [
                {
                    "id": "m",
                    "match": {"or": [{"equals": "m"}, {"equals": "n"}]},
                    "prices": [
                        {
                            "prices": {
                                "input_mtok": {"base": Decimal("0.10"), "tiers": [{"start": 5, "price": Decimal(1)}]}
                            }
                        },
                        {
                            "constraint": {"start_time": "00:30:00Z", "end_time": "16:00:00Z"},
                            "prices": {"input_mtok": Decimal(2)},
                        },
                    ],
                    "price_variants": [
                        {"when": {"processing": "batch"}, "prices": {}, "constraint": {"start_date": "2026-03-01"}}
                    ],
                }
            ],
        }
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = (", "is no Python module"),
        ("x = 1", "has no list of providers"),
        ("providers: list = [print]", "line 1 of its data is no literal"),
        ("providers: list = [f(x=open('y'))]", "line 1 of its data is no literal"),
    ],
)
def test_a_module_that_does_more_than_list_is_refused_unrun(text: str, words: str) -> None:
    with pytest.raises(BookError, match=words):
        document_of_module(text.replace("open('y')", "y + 1"))


@pytest.mark.parametrize("document", [7, {"models": []}, [{"id": "acme"}], [{"id": "acme", "models": [{"name": "m"}]}]])
def test_a_document_of_another_shape_is_refused(document: object) -> None:
    with pytest.raises(BookError, match="genai-prices: the"):
        import_genai_prices(document, at=DAY)


def test_what_is_malformed_is_left_out_by_itself() -> None:
    models = [
        {"id": "good", "match": {"or": [{"equals": "good-1"}, {"equals": "a\nb"}]}, "prices": _mtok(input="1")},
        {"id": "\ud800", "match": {"equals": "x"}, "prices": _mtok(input="1")},
        {"id": "variants", "prices": _mtok(input="1"), "price_variants": [
            "x", {"when": {"mode": []}, "prices": {"a": 1}},
        ]},
        {"id": "hours", "prices": [
            {"prices": _mtok(input="2")},
            {"constraint": {"start_time": "noon", "end_time": "13:00:00Z"}, "prices": _mtok(input="1")},
        ]},
        {"id": "tier", "prices": {
            "input_mtok": {"base": Decimal(1), "tiers": [{"start": 10**12, "price": Decimal(2)}]},
        }},
    ]  # fmt: skip
    imported = import_genai_prices([{"id": "acme", "models": models}], at=DAY)
    assert [entry.model for entry in imported.entries] == ["good", "variants"]
    assert [alias.names for alias in imported.aliases] == [("good-1",)]
    assert [(each.key, each.reason) for each in imported.skipped if each.reason is not SkipReason.NO_MODE] == [
        ("acme:\\ud800", SkipReason.MALFORMED),
        ("acme:variants", SkipReason.MALFORMED),
        ("acme:hours", SkipReason.NO_CONDITION),
        ("acme:tier", SkipReason.NO_CONDITION),
        ("acme:good", SkipReason.MALFORMED),
    ]
    assert "noon" in next(each.sentence for each in imported.skipped if each.key == "acme:hours")


def test_a_write_of_five_minutes_takes_the_place_of_cache_writes_in_general() -> None:
    meters = _meters(_imported(_mtok(input="3", cache_write="4", cache_write_5m="3.75")))
    assert meters["cache_write_5m_tokens"] == "0.00000375"


def test_what_is_left_out_is_named_with_its_model_field_and_reason() -> None:
    prices = {**_mtok(input="1"), "input_pixels_gpixels": "1", "moon_fees": "1", "output_mtok": "dear"}
    models = [
        {"id": "m", "match": {"or": [{"equals": "m"}, {"starts_with": "m-"}]}, "prices": prices},
        {"id": "m", "match": {"equals": "m"}, "prices": _mtok(input="2")},
    ]
    imported = import_genai_prices([{"id": "acme", "models": models}], at=DAY)
    assert {(each.key, each.field, each.reason, each.sentence) for each in imported.skipped} == {
        ("acme:m", "", SkipReason.CONFLICT, "acme / m / standard is listed twice; the first one is taken"),
        ("acme:m", "input_pixels_gpixels", SkipReason.NO_METER, "no meter counts this"),
        ("acme:m", "match, starts_with 'm-'", SkipReason.PATTERN,
         "a pattern of names: write those in use as aliases"),
        ("acme:m", "moon_fees", SkipReason.UNKNOWN_FIELD, "sounds like a price, and is not known here"),
        ("acme:m", "output_mtok", SkipReason.MALFORMED, "'dear' is no price"),
    }  # fmt: skip
    assert _meters(imported)["input_tokens"] == "0.000001"


def test_a_list_below_a_key_is_read_like_a_list() -> None:
    imported = import_genai_prices({"providers": _list(_mtok(input="1"))}, at=DAY)
    assert _meters(imported)["input_tokens"] == "0.000001"


def test_models_that_are_none_are_refused_with_their_provider() -> None:
    with pytest.raises(BookError, match="the models of 'acme' are no list of models with ids"):
        import_genai_prices([{"id": "acme", "models": [{"name": "m"}]}], at=DAY)

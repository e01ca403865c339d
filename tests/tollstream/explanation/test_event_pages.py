"""The page of an event against the golden pages, and what holds for every page and every document."""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.golden.explanation import pages
from tollstream.explanation.document import event_document
from tollstream.explanation.layout import WIDTH
from tollstream.explanation.text import event_text

CASES = pages.cases()
WRONG = {"the_ledger_is_wrong", "a_void_without_its_target"}
if os.environ.get("GOLDEN") == "write":
    for name, answer in CASES.items():
        (pages.HERE / f"{name}.txt").write_text(event_text(answer) + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_golden_an_event_is_explained_as_the_page_says(name: str) -> None:
    page = (pages.HERE / f"{name}.txt").read_text(encoding="utf-8")
    assert event_text(CASES[name]) + "\n" == page


def test_every_golden_page_belongs_to_a_case() -> None:
    assert {path.stem for path in pages.HERE.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_page_fits_eighty_columns(name: str) -> None:
    lines = event_text(CASES[name]).splitlines()
    assert [line for line in lines if len(line) > WIDTH] == []


@pytest.mark.parametrize("name", CASES)
def test_amounts_stand_under_each_other_with_all_twelve_places(name: str) -> None:
    ends = [line for line in event_text(CASES[name]).splitlines() if re.search(r"\S {2,}[-+]?\d+\.\d+$", line)]
    assert [line for line in ends if len(line) != WIDTH or not re.search(r" [-+]?\d+\.\d{12}$", line)] == []


@pytest.mark.parametrize("name", CASES)
def test_only_what_is_wrong_is_told_to_be_wrong(name: str) -> None:
    answer = CASES[name]
    assert answer.holds == (name not in WRONG)
    assert ("ATTENTION" in event_text(answer)) == (name in WRONG)
    assert event_document(answer)["holds"] == answer.holds


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in _leaves(each)]
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("name", CASES)
def test_a_document_is_json_without_a_float(name: str) -> None:
    document = event_document(CASES[name])
    assert json.loads(json.dumps(document)) == document
    assert not [leaf for leaf in _leaves(document) if isinstance(leaf, float)]


def test_a_document_holds_every_step() -> None:
    document = event_document(CASES["tier_alias_region_margin"])
    [row] = document["rows"]
    told = row["explained"]["arithmetic"]
    assert (told["tier"], told["hours"], told["region_multiplier"], told["prompt_tokens"]) == (
        "above 200000", None, "1.1", "250000",
    )  # fmt: skip
    assert told["looked_for"] == {
        "provider": "northwind", "served_model": "nw-large-2025-08-07", "model": "nw-large", "mode": "standard",
        "region": "eu", "other_entries": ["northwind / nw-large / batch"],
    }  # fmt: skip
    assert told["entry"]["provenance"]["key"] == "nw-large"
    costs = {each["meter"]: each for each in told["meters"]}
    assert costs["input_tokens"] == {
        "meter": "input_tokens", "label": "Input tokens", "unit": "token", "quantity": "150000",
        "price": {"price": "5", "per": 1_000_000}, "origin": "tier", "price_of_one": "0.000005", "multiplier": "1.1",
        "unit_price": "0.0000055", "missing": False,
        "cost": {
            "name": "input_tokens", "formula": "150000 × 0.0000055", "exact": "0.825", "endless": False,
            "amount": "0.825000000000", "rounded": False, "residue": "0",
        },
    }  # fmt: skip
    assert sum(Decimal(each["cost"]["amount"]) for each in told["meters"]) == Decimal(told["base_cost"]["amount"])
    [divisor, charge] = told["charge"]["steps"]
    assert (divisor["exact"], charge["exact"], charge["endless"], charge["residue"]) == (
        "0.7", "1.241428571428571428571428", True, None,
    )  # fmt: skip
    assert [(each["id"], each["because"]) for each in told["rules_that_lost"]] == [
        ("markup", "agency names the feature (agency), markup does not")
    ]
    assert told["identity"] == {
        "customer_charge": "1.241428571429", "sum_of_parts": "1.241428571429", "holds": True,
    }  # fmt: skip
    assert row["explained"]["price_book"]["digest"] == pages.PRICE_BOOKS.versions[0].digest


def test_a_rounding_has_its_residue_with_every_digit() -> None:
    [row] = event_document(CASES["half_even"])["rows"]
    [meter] = row["explained"]["arithmetic"]["meters"]
    assert meter["cost"] == {
        "name": "audio_input_seconds", "formula": "0.5 × 0.000123456789", "exact": "0.0000617283945",
        "endless": False, "amount": "0.000061728394", "rounded": True, "residue": "-0.0000000000005",
    }  # fmt: skip


def test_the_document_of_unpriced_usage_says_what_is_missing() -> None:
    [row] = event_document(CASES["no_price_for_the_model"])["rows"]
    told = row["explained"]
    assert (row["pricing"], row["amounts"]["customer_charge"]) == ("unpriced", None)
    assert told["arithmetic"]["amounts"] is None
    assert [each["meter"] for each in told["arithmetic"]["meters"] if each["missing"]] == [
        "input_tokens", "output_tokens",
    ]  # fmt: skip
    assert told["what_is_missing"][0] == "Price book 2026-01 has no price for input_tokens, output_tokens."


def test_what_was_rated_again_is_explained_by_those_books_with_a_running_sum() -> None:
    [row] = event_document(CASES["taken_back"])["rows"]
    corrections = row["explained"]["corrections"]
    charges = [(each["amounts"]["customer_charge"], each["standing"]["customer_charge"]) for each in corrections]
    assert charges == [
        ("-0.000625000000", "0.005000000000"), ("-0.001000000000", "0.004000000000"),
        ("-0.004000000000", "0.000000000000"),
    ]  # fmt: skip
    assert [each["by_these_books"] is not None for each in corrections] == [True, False, False]
    assert corrections[0]["by_these_books"]["amounts"]["customer_charge"] == "0.005000000000"
    assert row["explained"]["standing"]["builder_earnings"] == "0.000000000000"


def test_a_rerating_that_is_not_what_its_books_say_is_named() -> None:
    plain = pages.billed(812, {"input_tokens": "1000"}, feature="chat")
    wrong = pages.adjustment(
        830, plain, {"reward": "0", "fee": "0", "earnings": "-0.000001"}, "?",
        pricing="rerated", price_version="2026-01-corrected", rule_version="rules-1",
    )  # fmt: skip
    answer = pages.answer("call-812", [plain, wrong])
    assert not answer.holds
    [row] = event_document(answer)["rows"]
    [correction] = row["explained"]["corrections"]
    assert {"name": "customer_charge", "ledger": "-0.000001000000", "explained": "-0.000625000000"} in correction[
        "differences"
    ]
    assert "this is not what it has to be" in event_text(answer)


def test_a_void_that_takes_back_too_little_is_named() -> None:
    plain = pages.billed(812, {"input_tokens": "1000"}, feature="chat")
    answer = pages.answer("call-812", [plain, pages.void(813, plain, customer_charge=-plain["base_cost"])])
    assert not answer.holds
    [row] = event_document(answer)["rows"]
    [correction] = row["explained"]["corrections"]
    assert [each["name"] for each in correction["differences"]] == ["customer_charge", "balance"]


def test_a_version_that_is_not_published_any_more_is_an_obstacle_and_the_ledger_is_still_shown() -> None:
    row = pages.billed(812, {"input_tokens": "1000"}, feature="chat") | {"price_version": "2020-01"}
    answer = pages.answer("call-812", [row])
    text = event_text(answer)
    assert not answer.holds
    assert "version 2020-01 of the prices" in " ".join(text.split())
    assert "0.003125000000" in text


def test_a_meter_that_left_the_catalogue_is_an_obstacle() -> None:
    row = pages.billed(812, {"input_tokens": "1000"}, feature="chat")
    answer = pages.answer("call-812", [row | {"usage": {"leaves": Decimal(1)}}])
    assert not answer.holds
    assert "leaves: no meter of the catalogue any more" in " ".join(event_text(answer).split())

"""litellm's off-peak blocks become hours of an entry, laid out over the week of their calendar."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import ImportedBook, SkipReason
from billing.prices.importers.litellm import import_litellm

CHAT = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05}
SIZED = CHAT | {
    "input_cost_per_token_above_200k_tokens": 4e-06,
    "output_cost_per_token_above_200k_tokens": 1.5e-05,
    "cache_read_input_token_cost": 2e-07,
    "cache_read_input_token_cost_above_200k_tokens": 4e-07,
}


def _imported(document: dict[str, Any]) -> ImportedBook:
    """As from a file: numbers are decimals from their text."""
    return import_litellm(json.loads(json.dumps(document), parse_float=Decimal))


def _only(document: dict[str, Any]) -> PriceEntry:
    [entry] = _imported(document).entries
    return entry


def test_off_peak_windows_become_hours_of_the_calendars_zone() -> None:
    """10:00-00:00 UTC is 18:00-08:00 in Shanghai, whose midnight parts two weekdays."""
    block = {
        "input_cost_per_token": 1e-06,
        "weekday_timezone": "Asia/Shanghai",
        "windows": [{"hours_utc": ["10:00-00:00"], "weekdays": [1, 2]}],
    }
    entry = _only({"acme/night": CHAT | {"off_peak_pricing": block}})
    assert [hours.words for hours in entry.hours] == [
        "00:00 to 08:00 Asia/Shanghai, mon tue",
        "18:00 to 24:00 Asia/Shanghai, mon tue",
    ]
    assert {meter for hours in entry.hours for meter in hours.meters} == {
        "input_tokens",
        "cached_input_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
    }


def test_windows_of_every_day_and_of_weekdays_are_laid_over_each_other() -> None:
    block = {
        "output_cost_per_token": 1e-06,
        "hours_utc": "01:00-02:00",
        "windows": [{"hours_utc": ["01:30-03:00"], "weekdays": ["sun"]}],
    }
    entry = _only({"acme/night": CHAT | {"off_peak_pricing": block}})
    assert [hours.words for hours in entry.hours] == [
        "01:00 to 02:00 UTC, mon tue wed thu fri sat",
        "01:00 to 03:00 UTC, sun",
    ]


def test_a_window_over_midnight_is_on_both_sides_of_it() -> None:
    block = {"output_cost_per_token": 1e-06, "windows": [{"hours_utc": "22:00-06:00", "weekdays": [6]}]}
    entry = _only({"acme/night": CHAT | {"off_peak_pricing": block}})
    assert [hours.words for hours in entry.hours] == ["00:00 to 06:00 UTC, sat", "22:00 to 24:00 UTC, sat"]


def test_off_peak_prices_hold_for_every_prompt_size() -> None:
    """One that equals the plain price has to be stated: it takes the place of the tier's."""
    block = {"hours_utc": "01:00-02:00", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-05}
    entry = _only({"acme/night": SIZED | {"off_peak_pricing": block | {"cache_read_input_token_cost": 1e-07}}})
    assert {"input_tokens", "output_tokens", "cached_input_tokens"} <= entry.hours[0].meters.keys()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"weekday_timezone": "Europe/Berlin", "hours_utc": "01:00-02:00"}, "whose offset changes with the season"),
        ({"hours_utc": "1 am-2 am"}, "is no time of day"),
        ({"windows": [{"hours_utc": ["01:00-02:00"], "weekdays": ["payday"]}]}, "are no weekdays"),
        ({"weekday_timezone": "Mars/Base", "hours_utc": "01:00-02:00"}, "is no time zone"),
    ],
)
def test_hours_that_cannot_be_laid_out_are_named_and_the_plain_prices_kept(block: dict[str, Any], words: str) -> None:
    imported = _imported({"acme/n": CHAT | {"off_peak_pricing": {"input_cost_per_token": 1e-06, **block}}})
    [skipped] = imported.skipped
    assert (skipped.reason, skipped.field) == (SkipReason.NO_CONDITION, "off_peak_pricing")
    assert words in skipped.sentence
    assert imported.entries[0].hours == ()

"""Largest remainder: each test is named after the rule it shows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.allocation import allocate, round_minor
from billing.currencies import CODES, exponent
from billing.money import MoneyError


def _shares(*amounts: str, places: int = 2) -> list[str]:
    return [f"{share:f}" for share in allocate([Decimal(amount) for amount in amounts], places)]


def test_the_spare_unit_goes_to_the_largest_remainder() -> None:
    assert _shares("0.333", "0.334", "0.333") == ["0.33", "0.34", "0.33"]


def test_ties_go_to_the_first() -> None:
    assert _shares("0.335", "0.335", "0.33") == ["0.34", "0.33", "0.33"]


def test_the_total_is_half_even_and_the_lines_follow() -> None:
    assert _shares("0.0025", "0.0025") == ["0.00", "0.00"]  # 0.005 is a tie: 0 is even
    assert _shares("0.0075", "0.0075") == ["0.01", "0.01"]  # 0.015 is a tie: 0.02 is even
    assert _shares("0.002", "0.004") == ["0.00", "0.01"]


def test_a_reversal_mirrors_what_it_reverses() -> None:
    assert _shares("0.335", "0.335", "-0.005") == ["0.34", "0.33", "-0.01"]
    assert _shares("-0.335", "-0.335", "0.005") == ["-0.34", "-0.33", "0.01"]


def test_a_total_of_nothing_is_mirrored_by_its_first_amount() -> None:
    assert _shares("0.005", "-0.005") == ["0.01", "-0.01"]
    assert _shares("-0.005", "0.005") == ["-0.01", "0.01"]


def test_whole_units_are_left_alone() -> None:
    assert _shares("5", "0.004", "0.004") == ["5.00", "0.01", "0.00"]
    assert _shares() == []


def test_smallest_units_are_the_currencys() -> None:
    assert _shares("0.5", "0.6", places=exponent("JPY")) == ["0", "1"]
    assert _shares("0.0006", "0.0006", places=exponent("KWD")) == ["0.001", "0.000"]
    assert [exponent(code) for code in ("USD", "EUR", "JPY", "KRW", "VND", "BHD", "JOD", "OMR", "TND")] == [
        2, 2, 0, 0, 0, 3, 3, 3, 3,
    ]  # fmt: skip
    assert {exponent(code) for code in CODES} == {0, 2, 3}


def test_more_than_twelve_places_are_refused_and_not_dropped() -> None:
    with pytest.raises(MoneyError, match=r"0\.0000000000001 has more than 12 places after the point"):
        allocate([Decimal("0.0000000000001")], 2)


def test_one_amount_is_rounded_half_even() -> None:
    assert [f"{round_minor(Decimal(amount), 2):f}" for amount in ("0.005", "0.015", "-0.005", "-0.015")] == [
        "0.00", "0.02", "0.00", "-0.02",
    ]  # fmt: skip

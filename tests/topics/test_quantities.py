"""Quantities and amounts, exactly, and without expanding what is huge."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from topics.quantities import Number, amount, plain_text, quantity_decimal, quantity_millionths
from topics.reasons import Reason

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("value", "millionths"),
    [
        (0, 0),
        (10**12, 10**12 * MILLION),
        (Decimal("0.000001"), 1),
        (Decimal("1.0000000"), MILLION),
        (Decimal("1E+3"), 1000 * MILLION),
        (Decimal("-0.0"), 0),
        (Number("-0"), 0),
        (Number("0e999999999999999"), 0),
        (Number("1e12"), 10**12 * MILLION),
        (Number("1.5e-5"), 15),
        (Number("0." + "0" * 100 + "1e101"), MILLION),
        (Number("1" + "0" * 50 + "e-50"), MILLION),
        ("1.5", 1_500_000),
        ("007", 7 * MILLION),
        ("1.50000000000000", 1_500_000),
    ],
)
def test_a_quantity_in_millionths(value: object, millionths: int) -> None:
    assert quantity_millionths(value) == millionths


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (True, Reason.WRONG_FIELD_TYPE),
        (None, Reason.WRONG_FIELD_TYPE),
        (1.5, Reason.WRONG_FIELD_TYPE),
        ([], Reason.WRONG_FIELD_TYPE),
        ("", Reason.WRONG_FIELD_TYPE),
        (" 1", Reason.WRONG_FIELD_TYPE),
        ("+1", Reason.WRONG_FIELD_TYPE),
        (".5", Reason.WRONG_FIELD_TYPE),
        ("5.", Reason.WRONG_FIELD_TYPE),
        ("1e3", Reason.WRONG_FIELD_TYPE),
        ("1_000", Reason.WRONG_FIELD_TYPE),
        ("\u0661", Reason.WRONG_FIELD_TYPE),
        ("0x10", Reason.WRONG_FIELD_TYPE),
        (Decimal("NaN"), Reason.QUANTITY_NOT_FINITE),
        (Decimal("sNaN"), Reason.QUANTITY_NOT_FINITE),
        (Decimal("-Infinity"), Reason.QUANTITY_NOT_FINITE),
        (Number("NaN"), Reason.QUANTITY_NOT_FINITE),
        ("inf", Reason.QUANTITY_NOT_FINITE),
        (-1, Reason.QUANTITY_NEGATIVE),
        (-(10**30), Reason.QUANTITY_NEGATIVE),
        ("-0.5", Reason.QUANTITY_NEGATIVE),
        (Number("-1e-999999999999"), Reason.QUANTITY_NEGATIVE),
        (10**12 + 1, Reason.QUANTITY_TOO_LARGE),
        (Decimal("1E+999999"), Reason.QUANTITY_TOO_LARGE),
        (Number("1e" + "9" * 100_000), Reason.QUANTITY_TOO_LARGE),
        ("1000000000000.0000001", Reason.QUANTITY_TOO_LARGE),
        (Number("1000000000000.1"), Reason.QUANTITY_TOO_LARGE),
        ("0.0000001", Reason.QUANTITY_TOO_PRECISE),
        (Decimal("1E-999999"), Reason.QUANTITY_TOO_PRECISE),
        ("999999999999.9999999", Reason.QUANTITY_TOO_PRECISE),
    ],
)
def test_what_is_no_quantity_has_a_reason(value: object, reason: Reason) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        quantity_millionths(value)
    assert refused.value.type == reason
    assert len(refused.value.message()) < 250


def test_a_number_too_long_to_print_is_refused_all_the_same() -> None:
    for value in (10**10_000, -(10**10_000)):
        with pytest.raises(PydanticCustomError, match="an integer of 33220 bits"):
            quantity_millionths(value)


@given(st.integers(0, 10**18))
def test_millionths_survive_every_way_of_writing_them(millionths: int) -> None:
    exact = quantity_decimal(millionths)
    for value in (exact, plain_text(exact), Number(str(exact)), Number(f"{exact:E}")):
        assert quantity_millionths(value) == millionths


@pytest.mark.parametrize("value", ["-0.25", "0", "-0", "1000000000000000", "0.000000000001", Decimal("-1E+3")])
def test_an_amount_is_signed_and_exact(value: Any) -> None:
    assert amount(value) == Decimal(value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1, Reason.WRONG_FIELD_TYPE),
        (Number("1.5"), Reason.WRONG_FIELD_TYPE),
        ("1e3", Reason.WRONG_FIELD_TYPE),
        ("NaN", Reason.QUANTITY_NOT_FINITE),
        ("1000000000000000.1", Reason.QUANTITY_TOO_LARGE),
        ("-0.0000000000001", Reason.QUANTITY_TOO_PRECISE),
    ],
)
def test_what_is_no_amount_has_a_reason(value: object, reason: Reason) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        amount(value)
    assert refused.value.type == reason

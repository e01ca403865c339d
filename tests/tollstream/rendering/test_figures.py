"""Figures, days and words as people read them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext

import pytest

from billing.periods import Cycle
from tollstream.rendering import figures


@pytest.mark.parametrize(
    ("amount", "currency", "money", "plain"),
    [
        ("1234567.5", "EUR", "1,234,567.50", "1234567.50"),
        ("-0.05", "USD", "−0.05", "-0.05"),
        ("-0.00", "USD", "0.00", "0.00"),
        ("1951", "JPY", "1,951", "1951"),
        ("0E+3", "JPY", "0", "0"),
        ("1E+3", "JPY", "1,000", "1000"),
        ("0.001", "BHD", "0.001", "0.001"),
        ("7", "KWD", "7.000", "7.000"),
        # An amount with more places than its currency has is a defect elsewhere; it is shown, not rounded away.
        ("0.005", "EUR", "0.005", "0.005"),
        ("99999999999999999999999999.999999999999", "EUR", "99,999,999,999,999,999,999,999,999.999999999999", None),
    ],
)
def test_money_has_the_places_of_its_currency(amount: str, currency: str, money: str, plain: str | None) -> None:
    assert figures.money(Decimal(amount), currency) == money
    assert plain is None or figures.plain_money(Decimal(amount), currency) == plain


def test_figures_do_not_depend_on_the_context_of_their_caller() -> None:
    with localcontext() as context:
        context.prec = 2
        assert figures.money(Decimal("123456.78"), "EUR") == "123,456.78"
        assert figures.plain(Decimal("-123456.7800")) == "-123456.78"
        assert figures.unit_price(Decimal("123456.789012345678"), "EUR") == "123,456.789012"


@pytest.mark.parametrize(
    ("price", "currency", "words"),
    [
        ("0.08", "USD", "0.08"),
        ("12", "USD", "12.00"),
        ("0.010", "EUR", "0.01"),
        ("1.020007000000", "USD", "1.020007"),
        ("0.0019165", "USD", "0.001916"),  # half to even
        ("0.0019175", "USD", "0.001918"),
        ("0.000285660655", "BHD", "0.0002857"),  # four digits that count
        ("0.000000000001", "USD", "0.000000000001"),
        ("-0.261", "GBP", "−0.261"),
        ("4386.25", "JPY", "4,386.25"),
        ("4386", "JPY", "4,386"),
        ("0", "KWD", "0.000"),
    ],
)
def test_a_price_has_the_digits_that_a_reader_wants(price: str, currency: str, words: str) -> None:
    assert figures.unit_price(Decimal(price), currency) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [("1000", "1,000"), ("3.500000", "3.5"), ("-390", "−390"), ("0.000001", "0.000001"), ("0", "0")],
)
def test_quantities_have_no_zeros_at_their_end(number: str, words: str) -> None:
    assert figures.quantity(Decimal(number)) == words


@pytest.mark.parametrize(
    ("cycle", "holding", "name", "days"),
    [
        (Cycle(), date(2026, 10, 9), "October 2026", "1–31 October 2026"),
        (Cycle("week"), date(2026, 10, 8), "Week 41 of 2026", "5–11 October 2026"),
        (Cycle("week"), date(2027, 1, 1), "Week 53 of 2026", "28 December 2026 – 3 January 2027"),
        (Cycle("anniversary", "UTC", date(2026, 1, 17)), date(2026, 10, 20), "17 October – 16 November 2026", None),
    ],
)
def test_a_period_is_called_what_people_call_it(cycle: Cycle, holding: date, name: str, days: str | None) -> None:
    period = cycle.holding(holding)
    assert figures.period_name(period) == name
    assert figures.period_days(period) == (days or name)


def test_a_single_day_is_one_day() -> None:
    assert figures.days(date(2026, 3, 1), date(2026, 3, 1)) == "1 March 2026"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  two\n lines\t here ", "two lines here"),
        ("\x1b[31mred", "�[31mred"),
        ("bell\x07 null\x00 delete\x7f next\x85line", "bell� null� delete� next line"),
        ("12.00\u202e00.12", "12.00�00.12"),  # would be read backwards
        ("a\u2066b\u2069c\u200ed", "a�b�c�d"),
        ("half a pair \ud800", "half a pair �"),
        ("Łódź 東京 😀", "Łódź 東京 😀"),
    ],
)
def test_nothing_is_obeyed_that_should_be_read(text: str, shown: str) -> None:
    assert figures.tidy(text) == shown


def test_lines_of_an_address_stay_lines() -> None:
    assert figures.tidy_lines("one\r\n\n two \u2028three\n") == ["one", "two", "three"]

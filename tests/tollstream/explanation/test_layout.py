"""A page of plain text: what fits, and what happens where it does not."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tollstream.explanation.layout import WIDTH, Page
from tollstream.explanation.words import grouped, money, signed

LONG = "123456789012345678901234.123456789012"


def test_an_amount_stands_at_the_right_edge() -> None:
    page = Page(40)
    page.amount("base", "0.004500000000")
    page.amount("a formula that is longer than its line =", "0.004500000000")
    assert page.text().splitlines() == [
        "    base                  0.004500000000",
        "    a formula that is",
        "      longer than its",
        "      line =              0.004500000000",
    ]


@given(st.text("0123456789. ×=", max_size=200), st.sampled_from(["0.1", LONG, "-" + LONG]))
def test_no_digit_is_cut_or_broken(words: str, amount: str) -> None:
    page = Page()
    page.amount(words, amount)
    lines = page.text().splitlines()
    assert lines[-1].endswith(amount)
    assert " ".join(page.text().split()) == " ".join([*words.split(), amount])
    assert all(len(line) <= WIDTH for line in lines if len(max(line.split(), key=len)) <= WIDTH - len(amount) - 8)


def test_a_word_longer_than_the_page_stays_in_one_piece() -> None:
    page = Page(20)
    page.field("event", "x" * 50)
    assert "x" * 50 in page.text()


def test_a_command_is_never_broken() -> None:
    page = Page(20)
    page.command("Next:", "tollstream explain a/b --window 2026-10-03T14:00:00Z")
    assert page.text().splitlines() == ["Next:", "  tollstream explain a/b --window 2026-10-03T14:00:00Z"]


def test_a_table_aligns_and_underlines_its_foot() -> None:
    page = Page()
    page.table(["window", "charge"], [["10:00", "1.5"], ["11:00", "10.25"], ["all", "11.75"]], foot=1)
    assert page.text().splitlines() == [
        "window  charge",
        "10:00      1.5",
        "11:00    10.25",
        "──────────────",
        "all      11.75",
    ]


def test_numbers_for_people_keep_every_digit() -> None:
    numbers = [Decimal(250000), Decimal("0.500"), Decimal("-1234.000001"), Decimal("-0.5"), Decimal(0)]
    assert [grouped(number) for number in numbers] == ["250,000", "0.5", "-1,234.000001", "-0.5", "0"]
    assert money(Decimal(LONG)) == LONG
    assert (signed(Decimal("-1E-12")), signed(Decimal(0))) == ("-0.000000000001", "+0.000000000000")

"""Text for a terminal: 80 columns at most, figures in one column, nothing that a terminal would obey."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from rich.cells import cell_len

from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, Party, figures, render
from tollstream.rendering.terminal import WIDTH, wrapped


def lines(name: str) -> list[str]:
    return render(SAMPLES[name], Form.TEXT).decode().splitlines()


@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_is_wider_than_a_terminal(name: str) -> None:
    assert max(map(cell_len, lines(name))) <= WIDTH


@pytest.mark.parametrize("name", SAMPLES)
def test_every_amount_ends_in_the_last_column(name: str) -> None:
    statement = SAMPLES[name].statement
    shown = [line for line in lines(name) if cell_len(line) == WIDTH]
    for line in statement.lines:
        amount = figures.money(line.amount, statement.currency)
        assert any(each.endswith(f"  {amount}") for each in shown), line.key
    assert f"{figures.money(statement.totals.due, statement.currency)} {statement.currency}" in " ".join(shown)


def test_no_control_character_reaches_the_terminal() -> None:
    text = render(SAMPLES["hostile"], Form.TEXT).decode()
    assert {sign for sign in text if unicodedata.category(sign) in ("Cc", "Cf")} == {"\n"}


def test_a_long_sender_and_a_long_number_stand_below_each_other() -> None:
    document = replace(SAMPLES["empty"], number="N" * 50, builder=Party("The Association of Long Names, Ltd"))
    first, second, third = render(document, Form.TEXT).decode().splitlines()[:3]
    assert (first, second, third) == ("The Association of Long Names, Ltd", "", f"Statement {'N' * 50}")


@pytest.mark.parametrize(
    ("text", "width", "broken"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("onetwothree", 4, ["onet", "woth", "ree"]),
        ("a 東京都千代田", 5, ["a", "東京", "都千", "代田"]),
        ("東京 京都 大阪", 9, ["東京 京都", "大阪"]),
        ("", 5, []),
        ("  spaces   between ", 20, ["spaces between"]),
    ],
)
def test_words_are_broken_only_where_they_have_to_be(text: str, width: int, broken: list[str]) -> None:
    assert wrapped(text, width) == broken

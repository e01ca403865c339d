"""Which font writes what; widths; how text is broken into lines."""

from __future__ import annotations

import pytest

from tollstream.rendering.lettering import CJK_REMARK, NUMBER_REMARK, Lettering
from tollstream.rendering.paper import Style, fitting, wrapped

LATIN = Lettering.for_text([], "EUR")


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("Zażółć", [("tollstream-noto", "Zażółć")]),
        ("−5.00", [("tollstream-firago", "−"), ("tollstream-noto", "5.00")]),
        ("a→b", [("tollstream-noto", "a"), ("tollstream-firago", "→"), ("tollstream-noto", "b")]),
        ("א", [("tollstream-noto", "‹U+05D0›")]),  # FiraGO has the letter, and would write it the wrong way round
        ("\N{COMBINING ACUTE ACCENT}", [("tollstream-noto", "\N{COMBINING ACUTE ACCENT}")]),
        ("", []),
    ],
)
def test_letters_are_written_by_the_first_font_that_can(text: str, runs: list[tuple[str, str]]) -> None:
    assert list(LATIN.runs(text, bold=False)) == runs


@pytest.mark.parametrize(
    ("texts", "currency", "font"),
    [
        (["株式会社アンブラ"], "EUR", "HeiseiKakuGo-W5"),  # kana
        (["東京"], "JPY", "HeiseiKakuGo-W5"),
        (["東京"], "CNY", "STSong-Light"),
        (["北京市朝阳区"], "JPY", "STSong-Light"),  # no Japanese font has 阳
        (["臺北市信義區"], "TWD", "STSong-Light"),
        (["서울특별시"], "JPY", "HYGothic-Medium"),
    ],
)
def test_the_readers_font_is_the_one_that_has_the_letters(texts: list[str], currency: str, font: str) -> None:
    lettering = Lettering.for_text(texts, currency)
    assert lettering.cjk == font
    assert [name for name, _ in lettering.runs(texts[0], bold=True)] == [font]
    assert lettering.remarks(texts) == [CJK_REMARK]


def test_a_letter_that_the_readers_font_lacks_is_written_by_its_number() -> None:
    lettering = Lettering.for_text(["서울阳"], "JPY")
    assert list(lettering.runs("울阳", bold=False)) == [("HYGothic-Medium", "울"), ("tollstream-noto", "‹U+9633›")]
    assert lettering.remarks(["서울阳"]) == [CJK_REMARK, NUMBER_REMARK]


def test_all_figures_have_one_width_so_that_columns_align() -> None:
    for bold in (False, True):
        assert len({LATIN.width(figure, 10, bold) for figure in "0123456789"}) == 1


def test_a_width_is_the_sum_of_its_letters() -> None:
    assert LATIN.width("−5€", 10) == pytest.approx(sum(LATIN.width(letter, 10) for letter in "−5€"))
    assert LATIN.width("wide", 20) == pytest.approx(2 * LATIN.width("wide", 10))
    assert LATIN.width("wide", 10, bold=True) > LATIN.width("wide", 10)


def test_lines_are_as_wide_as_they_may_be() -> None:
    style = Style(10)
    text = "one two three four five sixseveneightnineteneleventwelve thirteen"
    lines = wrapped(LATIN, text, style, 60)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(LATIN.width(line, style.size) <= 60 for line in lines)
    assert lines[:2] == ["one two", "three four"]


def test_a_letter_wider_than_the_line_does_not_loop() -> None:
    assert wrapped(LATIN, "WW", Style(10), 0.1) == ["W", "W"]
    assert wrapped(LATIN, "", Style(10), 50) == []


def test_a_figure_that_does_not_fit_is_set_smaller() -> None:
    style = Style(10, True)
    assert fitting(LATIN, "1.00", style, 100) is style
    small = fitting(LATIN, "1,000,000,000.00", style, 30)
    assert LATIN.width("1,000,000,000.00", small.size, True) == pytest.approx(30)

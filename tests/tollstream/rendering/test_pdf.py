"""The PDF, read back: every line and total is in it, in order; pages are numbered, headed, and end well."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO

import pytest
from pypdf import PdfReader

from tests.support.rendered.making import Made, line
from tests.support.rendered.samples import OFFERS, SAMPLES
from tollstream.rendering import Form, Party, StatementDocument, figures, pdf, render, sections
from tollstream.rendering.blocks import Block
from tollstream.rendering.paper import INK, PLUS, Align, Paper, Style


def read(content: bytes) -> PdfReader:
    return PdfReader(BytesIO(content), strict=True)


def pages(document: StatementDocument) -> list[str]:
    """The text of each page, without spaces: where a word ends is not in a PDF."""
    return [re.sub(r"\s+", "", page.extract_text()) for page in read(render(document, Form.PDF)).pages]


def close(*words: str) -> str:
    return re.sub(r"\s+", "", "".join(words))


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "hostile"])
def test_every_line_and_total_stands_in_it_in_order(name: str) -> None:
    document = SAMPLES[name]
    statement = document.statement
    furniture = [
        close(heading) for heading in ("Description", "Quantity", "Unit price", f"Amount, {statement.currency}")
    ]
    text = "".join(pages(document))
    at = 0
    for section in sections.sections(document):
        at = found(text, close(section.heading), at)
        for each in section.lines:
            at = found(text, close(figures.tidy(each.label)), at)
            at = found(text, close(figures.tidy(each.reason)), at)
            at = found(text, close(sections.counted(each)), at)
            at = found(text, close(sections.priced(each, statement.currency)), at)
            at = found(text, close(figures.money(each.amount, statement.currency)), at)
    for total in sections.totals(document):
        at = found(text, close(total.label, total.reason), at)
        at = found(text, close(figures.money(total.amount, statement.currency)), at)
    for left in sections.left(document):
        at = found(text, close(left.label, left.words), at)
    for remark in sections.remarks(document):
        at = found(text, close(remark), at)
    if sections.sections(document):
        assert all(heading in text for heading in furniture)


def found(text: str, words: str, at: int) -> int:
    place = text.find(words, at)
    assert place >= 0, f"{words!r} is not in {text[at : at + 300]!r}"
    return place + len(words)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_page_says_which_it_is_and_whose(name: str) -> None:
    document = SAMPLES[name]
    texts = pages(document)
    for number, text in enumerate(texts, 1):
        assert f"Page{number}of{len(texts)}" in text
        assert close(sections.heading(document)) in text


def test_the_headings_of_the_table_stand_on_every_page_that_it_reaches() -> None:
    texts = pages(SAMPLES["long"])
    assert len(texts) >= 3
    assert all(text.count("DescriptionQuantityUnitpriceAmount,USD") == 1 for text in texts)


@pytest.mark.parametrize("lines", range(1, 90))
def test_totals_are_never_orphaned(lines: int) -> None:
    """However many lines there are: the last line, its sum and the totals stand on one page, whole."""
    usage = [line("usage", f"Line {n}", "1.00", "Why." if n % 3 else "", about=f"r{n}") for n in range(1, lines + 1)]
    document = StatementDocument(Made("b", "t", "EUR", [*usage, line("tax", "Tax", "0.10")]).statement())
    *_, last = [text for text in pages(document) if f"Line{lines}" in text]
    for words in (f"Line{lines}", "Sumbeforetax", "Tax", "Amountdue"):
        assert words in last
    if lines > 1:
        assert "Whatyouused,together" in last


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, float, str, Style]]:
    """Everything that is written on a page: left, right, upper edge, words, style."""
    found: list[tuple[float, float, float, str, Style]] = []
    words = Paper.words

    def noted(paper: Paper, x: float, y: float, text: str, style: Style, align: Align = "left") -> None:
        wide = paper.lettering.width(text, style.size, style.bold)
        left = x - wide if align == "right" else x
        found.append((left, left + wide, y, text, style))
        words(paper, x, y, text, style, align)

    monkeypatch.setattr(Paper, "words", noted)
    return found


@pytest.mark.parametrize("size", pdf.SIZES)
@pytest.mark.parametrize("name", SAMPLES)
def test_no_words_leave_the_margins(
    name: str, size: pdf.Size, drawn: list[tuple[float, float, float, str, Style]]
) -> None:
    width, height = pdf.SIZES[size]
    reader = read(pdf.written(SAMPLES[name], size))
    assert {(float(page.mediabox.width), float(page.mediabox.height)) for page in reader.pages} == {(width, height)}
    assert drawn
    for left, right, upper, text, style in drawn:
        assert pdf.SIDE - 0.01 <= left <= right <= width - pdf.SIDE + 0.01, text
        assert 0 < upper <= height - 14 - style.line, text


def test_what_is_taken_off_has_a_colour_of_its_own(drawn: list[tuple[float, float, float, str, Style]]) -> None:
    render(SAMPLES["premium-features"], Form.PDF)
    colours = {text: style.colour for _, _, _, text, style in drawn}
    assert (colours["−0.52"], colours["15.58"]) == (PLUS, INK)


def test_fonts_are_embedded_and_the_file_says_what_it_is() -> None:
    reader = read(render(SAMPLES["premium-features"], Form.PDF))
    fonts = [font.get_object() for page in reader.pages for font in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    named = {str(font["/BaseFont"]): font for font in fonts}
    used = {name for name in named if name != "/Helvetica"}  # declared by the library on every page, used on none
    assert used == {"/AAAAAA+NotoSans-Regular", "/AAAAAA+NotoSans-Bold", "/AAAAAA+FiraGO-Regular"}
    assert all("/FontFile2" in named[name]["/FontDescriptor"] for name in used)
    assert reader.metadata is not None
    assert reader.metadata.title == "Statement FOLIO/2026/10/0093 · Folio Archives Ltd"
    assert reader.metadata.author == "Folio Archives Ltd"
    assert str(reader.root_object["/Lang"]) == "en"


def test_no_time_of_making_is_in_the_file() -> None:
    reader = read(render(SAMPLES["empty"], Form.PDF))
    assert reader.metadata is not None
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.year == 2000  # the library's own constant


@pytest.mark.parametrize("sign", [*"€£¥₹₩₺₴₫₦₱−–·×ΩЖ", "Łódź", "Ñandú"])
def test_currencies_and_accents_are_letters(sign: str) -> None:
    document = replace(SAMPLES["empty"], builder=Party(f"Name {sign}"))
    assert f"Name{sign}" in pages(document)[0]
    assert "U+" not in pages(document)[0]


def test_letters_without_a_font_are_written_by_their_number_and_the_document_says_so() -> None:
    text = "".join(pages(replace(SAMPLES["empty"], tenant=Party("שלום 😀"))))
    assert "‹U+05E9›‹U+05DC›‹U+05D5›‹U+05DD›‹U+1F600›" in text
    assert close("are written by their number") in text
    assert "U+" not in "".join(pages(SAMPLES["empty"]))


def test_japanese_is_written_in_a_font_of_the_reader_and_the_document_says_so() -> None:
    content = render(SAMPLES["hybrid-subscription"], Form.PDF)
    assert b"/HeiseiKakuGo-W5" in content
    assert "U+" not in "".join(pages(SAMPLES["hybrid-subscription"]))
    assert close("Chinese, Japanese and Korean letters are shown in a font of your PDF reader.") in "".join(
        pages(SAMPLES["hybrid-subscription"])
    )


def test_hostile_words_are_words() -> None:
    text = "".join(pages(SAMPLES["hostile"]))
    assert close('<script>alert("1")</script> & �[31mred� =HYPERLINK("http://x","y") �tfel�') in text
    content = render(SAMPLES["hostile"], Form.PDF)
    assert b"/JavaScript" not in content
    assert b"/URI" not in content


def test_a_text_longer_than_a_page_is_continued() -> None:
    words = " ".join(f"word{n}" for n in range(3000))
    used = line("usage", words, "1.00", words, count="1", unit="task")
    document = replace(
        StatementDocument(Made("b", "t", "EUR", [used]).statement()),
        note=words, builder=Party("W" * 300, "\n".join(["street"] * 20)), number="N" * 200,
    )  # fmt: skip
    texts = pages(document)
    for word in ("word0", "word1499", "word2999"):
        assert sum(text.count(word) for text in texts) >= 3
    assert "Amountdue1.00EUR" in "".join(texts)


def test_figures_of_any_size_stay_whole() -> None:
    big = "99999999999999999999999999.99"
    document = StatementDocument(
        Made("b", "t", "EUR", [line("usage", "All", big, count="3", unit="things")]).statement()
    )
    assert "".join(pages(document)).count("99,999,999,999,999,999,999,999,999.99") == 3


def block(height: float, *, glued: bool = False, row: bool = False) -> Block:
    return Block(height, lambda paper, x, y: None, glued, row)


def laid(blocks: list[Block], height: float = 296.0) -> list[list[float]]:
    """Heights of the blocks of each page; there is room for 202 on the first, 176 on the others."""
    return [[each.height for each, _ in page] for page in pdf.paginated(blocks, block(10.0, glued=True), height)]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([block(100), block(102)], [[100, 102]]),
        ([block(100), block(103)], [[100], [103]]),
        ([block(150), block(30, glued=True), block(30)], [[150], [30, 30]]),  # a heading goes with what it is about
        ([block(150), block(30, glued=True), block(22)], [[150, 30, 22]]),
        ([block(100, row=True), block(92, row=True)], [[10, 100, 92]]),
        ([block(100, row=True), block(93, row=True)], [[10, 100], [10, 93]]),  # headings again
        ([block(193), block(1, row=True)], [[193], [10, 1]]),  # no headings without a row
        ([block(100, glued=True)] * 3 + [block(100)], [[100, 100], [100], [100]]),  # more than a page is broken
        ([block(500)], [[500]]),  # nothing can be done, and nothing is lost
    ],
)
def test_blocks_are_laid_on_pages(blocks: list[Block], expected: list[list[float]]) -> None:
    assert laid(blocks) == expected


def test_an_ordinary_statement_is_a_page_or_two() -> None:
    assert {len(pages(document)) for document in OFFERS.values()} <= {1, 2}

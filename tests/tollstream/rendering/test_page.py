"""The HTML: well-formed, self-contained, accessible, and harmless whatever stands in a statement."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import resources

import pytest

from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, figures, render

VOID = {"meta", "br", "rect"}
CSS = resources.files("tollstream.rendering").joinpath("page.css").read_text(encoding="utf-8")


class Tree(HTMLParser):
    """Elements in order, and what is not closed where it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.wrong: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.words.append(data.strip())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page(name: str) -> str:
    return render(SAMPLES[name], Form.HTML).decode()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_element_is_closed_and_none_is_a_stranger(name: str) -> None:
    tree = Tree(page(name))
    assert (tree.wrong, tree.open) == ([], [])
    assert {tag for tag, _ in tree.elements} <= {
        "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "div", "p", "h1", "h2",
        "dl", "dt", "dd", "table", "caption", "thead", "tbody", "tr", "th", "td", "small", "ul", "li", "b", "span",
        "svg", "rect", "br",
    }  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_is_loaded_and_nothing_runs(name: str) -> None:
    tree = Tree(page(name))
    policy = [each["content"] for each in tree.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    names = {attribute for _, attributes in tree.elements for attribute in attributes}
    assert not names & {"src", "href", "srcset", "action", "style", "background"}
    assert not [attribute for attribute in names if attribute.startswith("on")]
    assert not re.search(r"url\(|@import|expression\(", CSS)


def test_hostile_words_are_words() -> None:
    text = page("hostile")
    assert "<script" not in text
    assert "<b>Builder" not in text
    shown = " ".join(Tree(text).words)
    assert '<script>alert("1")</script> & �[31mred� =HYPERLINK("http://x","y") �tfel�' in shown
    assert "</title><b>Builder" in shown
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", text)


@pytest.mark.parametrize("name", SAMPLES)
def test_whoever_listens_finds_landmarks_headings_and_headers_of_the_table(name: str) -> None:
    tree = Tree(page(name))
    assert tree.all("html") == [{"lang": "en"}]
    assert [len(tree.all(tag)) for tag in ("header", "main", "footer", "h1", "title")] == [1] * 5
    identifiers = [each["id"] for _, each in tree.elements if "id" in each]
    assert len(identifiers) == len(set(identifiers))
    for section in tree.all("section"):
        assert section.get("aria-label") or section.get("aria-labelledby") in identifiers
    for header in tree.all("th"):
        assert header["scope"] in ("col", "row", "rowgroup")
    assert all(each["aria-hidden"] == "true" for each in tree.all("svg"))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_line_and_total_is_there_in_words_and_figures(name: str) -> None:
    statement = SAMPLES[name].statement
    words = Tree(page(name)).words
    for line in statement.lines:
        assert figures.tidy(line.label) in words
        assert figures.money(line.amount, statement.currency) in words
    assert f"{figures.money(statement.totals.due, statement.currency)} {statement.currency}" in words


def test_a_wide_amount_is_set_smaller_and_never_broken() -> None:
    assert '<p class="figure">' in page("premium-features")
    assert '<p class="figure long">$1,394,554.74 <small>USD</small>' in page("long")
    assert re.search(r"\.due \.figure \{[^}]*white-space: nowrap", CSS)


def colours(block: str) -> dict[str, tuple[int, int, int]]:
    return {
        name: (int(code[0:2], 16), int(code[2:4], 16), int(code[4:6], 16))
        for name, code in re.findall(r"--([a-z-]+): #([0-9a-f]{6})", block)
    }


def luminance(colour: tuple[int, int, int]) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "block", [part.partition("}")[0] for part in CSS.split(":root")[1:]], ids=["light", "dark", "print"]
)
def test_all_text_stands_out_from_what_is_behind_it(block: str) -> None:
    found = colours(block)
    pairs = [
        *((ink, behind) for ink in ("ink", "soft", "plus") for behind in ("sheet", "faint")),
        ("on-accent", "accent"), ("on-accent-soft", "accent"),
    ]  # fmt: skip
    for ink, behind in pairs:
        assert contrast(found[ink], found[behind]) >= 4.5, (ink, behind)
    assert contrast(found["bar"], found["track"]) >= 3  # a picture, not text


def test_black_on_white_is_21_to_1() -> None:
    assert round(contrast((0, 0, 0), (255, 255, 255)), 6) == 21
    assert round(contrast((0x77, 0x77, 0x77), (255, 255, 255)), 2) == 4.48


def test_paper_has_the_colours_of_the_light_page() -> None:
    light, _, paper = (colours(part.partition("}")[0]) for part in CSS.split(":root")[1:])
    assert {**light, "paper": paper["paper"]} == paper

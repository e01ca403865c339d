"""What is recorded of a book is the book: read back it is the same, and another text under its name is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from billing.documents import BookError
from billing.loading import parse_version
from billing.prices import PriceBook
from billing.publication import PRICES, RULES
from billing.published import Book, books_of, read_record, record_of, suffix_of
from billing.surcharges import RuleBook

PRICE_TEXT = """
version = "p1"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "p"
model = "m"
meters = { input_tokens = "1" }
"""
RULE_TEXT = """
version: r1
effective_from: 2026-02-01T00:00:00Z
rules:
  - {id: a, kind: included, match: {}, label: l, unit: u, reason: r}
"""


def _prices(text: str = PRICE_TEXT) -> PriceBook:
    return parse_version(text, ".toml", "prices", PriceBook)


def _rules() -> RuleBook:
    return parse_version(RULE_TEXT, ".yaml", "rules", RuleBook)


@pytest.mark.parametrize(
    "book", [_prices(), _prices(f"retroactive = true\n{PRICE_TEXT}"), _rules()], ids=["prices", "retroactive", "rules"]
)
def test_a_book_is_read_back_as_it_was_published(book: Book) -> None:
    record = record_of(book)
    assert (record.version, record.effective_from, record.digest, record.content, record.retroactive) == (
        book.version, book.effective_from, book.digest, book.content, book.retroactive,
    )  # fmt: skip
    assert read_record(record) == book


def test_each_kind_stands_on_its_own_shelf() -> None:
    assert (record_of(_prices()).kind, record_of(_rules()).kind) == (PRICES, RULES)
    prices, rules = books_of([record_of(_rules()), record_of(_prices())])
    assert [book.version for book in prices.versions] == ["p1"]
    assert [book.version for book in rules.versions] == ["r1"]


@pytest.mark.parametrize(
    "change",
    [
        {"content": PRICE_TEXT.replace('"1"', '"2"')},
        {"version": "p2"},
        {"digest": "0" * 64},
        {"retroactive": True},
        {"effective_from": _rules().effective_from},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_record_whose_text_is_not_the_one_that_was_published_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BookError, match="the store's table `books` is not the one that was published"):
        read_record(replace(record_of(_prices()), **change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        ('version = "1"\n', ".toml"),
        ("# a comment\r\n\n  [prices]\n", ".toml"),
        ('"a.b" = 1\n', ".toml"),
        ("version: 1\n", ".yaml"),
        ("# a comment = with a sign\n- a: 1\n", ".yaml"),
        ("", ".yaml"),
    ],
)
def test_the_form_of_a_book_is_seen_from_its_first_line_that_says_anything(content: str, suffix: str) -> None:
    assert suffix_of(content) == suffix

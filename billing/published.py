"""From records of published books to the books themselves, and back.

Errors  `BookError` for a record whose text is not what it says it is, or that this version of tollstream cannot read:
        it was valid when it was published, so nothing in it can be mended; the sentence says what can.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from billing.documents import BookError
from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.publication import PRICES, RULES, BookDigest
from billing.surcharges import RuleBook, RuleBooks

Book = PriceBook | RuleBook
_TOML_BEGINS = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*(?:\[|[\w\"'.-]+[ \t]*=)")


def suffix_of(content: str) -> str:
    """.toml or .yaml: what a book's first line that says anything looks like."""
    return ".toml" if _TOML_BEGINS.match(content) else ".yaml"


def record_of(book: Book) -> BookDigest:
    """What is recorded of a book when it is published."""
    kind = PRICES if isinstance(book, PriceBook) else RULES
    return BookDigest(kind, book.version, book.effective_from, book.digest, book.content, retroactive=book.retroactive)


def read_record(record: BookDigest) -> Book:
    """The book whose text the record holds."""
    name = f"version {record.version} of the published {record.kind}"
    model: type[Book] = PriceBook if record.kind == PRICES else RuleBook
    book = parse_version(record.content, suffix_of(record.content), name, model)
    if (book.digest, book.version, book.effective_from, book.retroactive) != (
        record.digest, record.version, record.effective_from, record.retroactive,
    ):  # fmt: skip
        raise BookError(
            f"{name}: its text in the store's table `books` is not the one that was published, or its columns are not. "
            "Nothing rates with it: bring the table back from a backup."
        )
    return book


def books_of(records: Iterable[BookDigest]) -> tuple[PriceBooks, RuleBooks]:
    """The price books and the rule books of records that stand."""
    books = [read_record(record) for record in records]
    return (
        PriceBooks([book for book in books if isinstance(book, PriceBook)]),
        RuleBooks([book for book in books if isinstance(book, RuleBook)]),
    )


__all__ = ["Book", "books_of", "read_record", "record_of", "suffix_of"]

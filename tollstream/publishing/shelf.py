"""What is published, and the files that may be: read, and tried against each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from billing.documents import EPOCH
from billing.loading import SUFFIXES, load_versions
from billing.prices import PriceBook, PriceBooks
from billing.publication import BookDigest, Leads
from billing.published import Book, books_of
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from sinks.clickhouse import ClickHouseSink
from sinks.contract import BookRecords, Sink
from tollstream.errors import UserError
from tollstream.publishing.kind import Kind
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration
from topics.meters import MeterCatalogue

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Everything that is published, at one moment."""

    records: BookRecords
    stand: tuple[BookDigest, ...]
    prices: PriceBooks
    rules: RuleBooks

    @classmethod
    def empty(cls) -> Shelf:
        """Nothing is published."""
        return cls(BookRecords([], Leads(), EPOCH), (), PriceBooks([]), RuleBooks([]))

    def record(self, kind: Kind, version: str) -> BookDigest | None:
        """The record of a version that stands."""
        return next((book for book in self.stand if book.name == (kind.name, version)), None)

    def base(self, kind: Kind, book: Book) -> Book | None:
        """What a book has to be compared with: what else applies when it begins, or the newest if nothing does."""
        others = [each for each in kind.of(self.prices, self.rules).versions if each.version != book.version]
        before = [each for each in others if each.effective_from <= book.effective_from]
        return max(before or others, key=lambda each: each.effective_from, default=None)

    def fit(self, kind: Kind, new: Sequence[Book], catalogue: MeterCatalogue) -> None:
        """Raise `BillingError` where these could not be rated with beside all that is published."""
        names = {book.version for book in new}
        prices = [*self.prices.versions, *self.prices.retroactive]
        rules = [*self.rules.versions, *self.rules.retroactive]
        if kind.model is PriceBook:
            prices = [book for book in prices if book.version not in names]
            prices += [book for book in new if isinstance(book, PriceBook)]
        else:
            rules = [book for book in rules if book.version not in names]
            rules += [book for book in new if isinstance(book, RuleBook)]
        Rater(PriceBooks(prices), RuleBooks(rules), catalogue)


async def read_shelf(sink: Sink) -> Shelf:
    """The newest records, and the books of those that stand."""
    records = await sink.read_book_records()
    stand = records.standing()
    contents = await sink.read_book_contents({book.digest for book in stand})
    whole = [replace(book, content=contents[book.digest]) for book in stand]
    prices, rules = await asyncio.to_thread(books_of, whole)
    return Shelf(records, tuple(whole), prices, rules)


def with_store(ask: Callable[[ClickHouseSink], Awaitable[Answer]]) -> Answer:
    """The answer of the store that the settings name."""

    async def run() -> Answer:
        sink = await ClickHouseSink.connect(clickhouse_configuration(load_settings()))
        try:
            return await ask(sink)
        finally:
            await sink.close()

    return asyncio.run(run())


def book_files(path: Path) -> list[Path]:
    """The file, or those of the folder; UserError without any."""
    if path.is_dir():
        files = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        if not files:
            raise UserError(f"{path}: the folder holds no {', '.join(SUFFIXES)} file.")
        return files
    if not path.is_file():
        raise UserError(f"{path}: there is no such file or folder.")
    return [path]


def read_files(kind: Kind, path: Path) -> list[Book]:
    """Every version at a path, oldest start first; BookError names file and entry."""
    books = [book for file in book_files(path) for book in load_versions(file, kind.model)]
    return sorted(books, key=lambda book: book.effective_from)

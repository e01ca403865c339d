"""The lists as installed: how much of them a book holds, that it can be rated with, and that nothing of them is run."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from billing.prices import PriceBook, PriceBooks
from billing.prices.importers.contract import ImportedBook, SkipReason
from billing.prices.writing import toml_of
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.book_strategies import price_books_of
from tollstream.price_lists import PACKAGED, Wanted, import_list
from topics.meters import load_catalogue

PAGE = Path(__file__).resolve().parents[3] / "docs" / "importers.md"
START = datetime(2026, 12, 1, tzinfo=UTC)
SOURCES = tuple(PACKAGED)


@functools.cache
def _imported(source: str) -> ImportedBook:
    try:
        importlib.metadata.distribution(source)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{source} is not installed: `make setup` installs it")
    return import_list(Wanted(source, None, START, free=False, vertex_regions=()), load_catalogue())


def _book(imported: ImportedBook) -> PriceBook:
    return imported.book(version="imported", effective_from=START)


@pytest.mark.parametrize("source", SOURCES)
def test_of_a_hundred_priced_entries_ninety_nine_are_taken(source: str) -> None:
    coverage = _imported(source).coverage
    assert coverage.taken * 100 >= coverage.priced * 99
    assert coverage.priced > 2000


@pytest.mark.parametrize("source", SOURCES)
def test_no_price_of_a_list_goes_unnoticed(source: str) -> None:
    """Each entry is taken or named, and there is no field that sounds like a price and is unknown."""
    imported = _imported(source)
    assert not [
        each.words for each in imported.skipped if each.reason in {SkipReason.UNKNOWN_FIELD, SkipReason.MALFORMED}
    ]
    assert set(imported.coverage.not_taken) <= {each.key for each in imported.skipped}


@pytest.mark.parametrize("source", SOURCES)
def test_the_book_reads_back_and_can_be_rated_with(source: str) -> None:
    book = _book(_imported(source))
    [again] = price_books_of([toml_of(book)]).versions
    assert {entry.key: entry for entry in again.prices} == {entry.key: entry for entry in book.prices}
    Rater(PriceBooks([again]), RuleBooks([]))  # refuses a meter that no event can have


@pytest.mark.parametrize("source", SOURCES)
def test_the_page_tells_the_coverage(source: str) -> None:
    coverage = _imported(source).coverage
    row = re.search(
        rf"^\| {source} (\S+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) % \|",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    assert row, f"docs/importers.md has a row for {source}"
    if f"{source} {row[1]}" == coverage.source:
        assert [int(each.replace(",", "")) for each in row.groups()[1:4]] == [
            coverage.in_source,
            coverage.priced,
            coverage.taken,
        ]
        assert row[5] == str(coverage.share)


def test_importing_a_list_imports_nothing_of_its_package() -> None:
    """litellm is slow to import, and fetches prices when it is."""
    program = (
        "import sys, datetime\n"
        "from tollstream.price_lists import Wanted, import_list\n"
        "from topics.meters import load_catalogue\n"
        "start = datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC)\n"
        f"for source in {SOURCES!r}:\n"
        "    import_list(Wanted(source, None, start, False, ()), load_catalogue())\n"
        "assert not {'litellm', 'genai_prices', 'openai', 'httpx'} & set(sys.modules)\n"
    )
    for source in SOURCES:
        _imported(source)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=PAGE.parents[1])

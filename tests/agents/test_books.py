"""Which change of the books is refused, told in versions and moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.books import AGE_SECONDS_MAX, Bookkeeper, Books, BooksError, refuse_change
from sinks.contract import BookDigest
from sinks.memory import MemorySink

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LEAD = timedelta(seconds=360)


def book(version: str, effective_from: datetime, digest: str = "d", kind: str = "prices") -> BookDigest:
    return BookDigest(kind, version, effective_from, digest, "text")


OLD = book("1", NOW - timedelta(days=300))


def test_the_first_books_of_an_empty_store_may_begin_in_the_past() -> None:
    refuse_change([OLD, book("2", NOW)], [], NOW, LEAD)


def test_the_same_books_again_are_no_change() -> None:
    refuse_change([OLD], [OLD], NOW, LEAD)


def test_a_version_with_another_text_is_refused() -> None:
    with pytest.raises(BooksError, match="Version 1 of the prices was recorded with another text"):
        refuse_change([book("1", OLD.effective_from, "other")], [OLD], NOW, LEAD)


def test_a_used_version_without_its_file_is_refused() -> None:
    with pytest.raises(BooksError, match="Version 1 of the prices was used, and its file is not there"):
        refuse_change([book("2", NOW + timedelta(days=1))], [OLD], NOW, LEAD)


@pytest.mark.parametrize(("seconds", "refused"), [(361, False), (360, False), (359, True), (-86_400, True)])
def test_a_new_version_begins_no_sooner_than_the_lead(seconds: int, refused: bool) -> None:
    new = book("2", NOW + timedelta(seconds=seconds))
    if refused:
        with pytest.raises(BooksError, match="Version 2 of the prices would apply from"):
            refuse_change([OLD, new], [OLD], NOW, LEAD)
    else:
        refuse_change([OLD, new], [OLD], NOW, LEAD)


@pytest.mark.parametrize(("seconds", "refused"), [(361, False), (360, True)])
def test_a_version_that_others_have_already_may_be_missing_until_shortly_before_it_begins(
    seconds: int, refused: bool
) -> None:
    coming = book("2", NOW + timedelta(seconds=seconds))
    if refused:
        with pytest.raises(BooksError, match="Version 2"):
            refuse_change([OLD], [OLD, coming], NOW, LEAD)
    else:
        refuse_change([OLD], [OLD, coming], NOW, LEAD)


def test_prices_recorded_before_do_not_stand_in_for_rules() -> None:
    refuse_change([OLD, book("1", NOW, kind="rules")], [OLD], NOW, LEAD)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def keeper(sink: MemorySink, loaded: list[Books | Exception], clock: Clock) -> Bookkeeper:
    def load() -> Books:
        books = loaded[0]
        if isinstance(books, Exception):
            raise books
        return books

    return Bookkeeper(sink, load, future_skew_seconds=300, now=lambda: NOW, clock=clock)


async def test_a_second_worker_with_an_edited_file_is_refused_and_the_first_text_stands() -> None:
    sink, rater = MemorySink(), Any
    await keeper(sink, [Books(rater, (OLD,))], Clock()).look()  # type: ignore[arg-type]
    edited = Books(rater, (book("1", OLD.effective_from, "edited"),))  # type: ignore[arg-type]
    with pytest.raises(BooksError):
        await keeper(sink, [edited], Clock()).look()
    assert [each.digest for each in await sink.read_books(("prices",))] == ["d"]


async def test_a_refused_new_version_is_not_recorded() -> None:
    sink, rater = MemorySink(), Any
    await keeper(sink, [Books(rater, (OLD,))], Clock()).look()  # type: ignore[arg-type]
    with pytest.raises(BooksError):
        await keeper(sink, [Books(rater, (OLD, book("2", NOW)))], Clock()).look()  # type: ignore[arg-type]
    assert [each.version for each in await sink.read_books(("prices",))] == ["1"]


async def test_books_that_could_not_be_looked_at_for_too_long_rate_nothing() -> None:
    clock = Clock()
    loaded: list[Books | Exception] = [Books(Any, (OLD,))]  # type: ignore[arg-type]
    books = keeper(MemorySink(), loaded, clock)
    await books.look()
    clock.seconds = AGE_SECONDS_MAX
    books.require_fresh()
    loaded[0] = FileNotFoundError("the folder is away")
    with pytest.raises(FileNotFoundError):
        await books.look()
    clock.seconds += 0.1
    with pytest.raises(BooksError, match="last checked 50 s ago"):
        books.require_fresh()
    loaded[0] = Books(Any, (OLD,))  # type: ignore[arg-type]
    await books.look()
    books.require_fresh()

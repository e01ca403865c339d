"""Which books a worker rates with: what the store has, what its files add, what it refuses, and when it stops."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agents import books as module
from agents.books import AGE_SECONDS_MAX, BookFiles, Bookkeeper, BooksError
from billing.documents import BookError
from billing.loading import parse_version
from billing.prices import PriceBook
from billing.publication import PRICES, RULES, BookDigest
from billing.published import read_record, record_of, suffix_of
from billing.surcharges import RuleBook
from sinks.contract import EpochParameters
from sinks.memory import MemorySink
from sinks.publishing import publish
from topics.meters import load_catalogue

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=300)
SKEW = 300
LEAD = timedelta(seconds=60 + SKEW)
MARGIN = timedelta(seconds=10)


class Clock:
    """The store's clock and the worker's, which go together."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)


def prices(version: str, start: datetime = LONG_AGO, *, price: str = "1", meter: str = "input_tokens") -> PriceBook:
    text = f"""
version = "{version}"
effective_from = {start.isoformat()}
currency = "USD"
[[prices]]
provider = "p"
model = "m"
meters = {{ {meter} = "{price}" }}
"""
    return parse_version(text, ".toml", version, PriceBook)


def rules(version: str, start: datetime = LONG_AGO, *, currency: str = "USD") -> RuleBook:
    text = f"""
version = "{version}"
effective_from = {start.isoformat()}
currency = "{currency}"
[[rules]]
id = "all"
kind = "pass_through"
label = "AI usage"
unit = "token"
reason = "What the model costs."
"""
    return parse_version(text, ".toml", version, RuleBook)


Files = list[PriceBook | RuleBook]


async def new_sink(clock: Clock) -> MemorySink:
    sink = MemorySink(now=clock.now)
    await sink.pin_epoch(EpochParameters(1, "usage.raw", 8, 3600, 3_024_000, SKEW))
    return sink


def keeper(sink: MemorySink, files: Files, clock: Clock, worker: str = "w1") -> Bookkeeper:
    return Bookkeeper(
        sink, lambda: files, load_catalogue(), future_skew_seconds=SKEW, worker=worker, clock=clock.monotonic
    )


async def publish_now(sink: MemorySink, book: PriceBook | RuleBook, by: str = "ada") -> BookDigest:
    place = (await sink.read_book_records()).newest_place
    outcome = await publish(sink, [record_of(book)], based_on=place, published_by=by, reason="test")
    return outcome.published[0]


async def versions(sink: MemorySink) -> list[tuple[str, str]]:
    return [book.name for book in await sink.read_books((PRICES, RULES))]


async def test_files_that_the_store_lacks_are_published_under_the_workers_name_and_may_begin_in_the_past() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    files: Files = [prices("1"), prices("2", NOW - timedelta(days=1)), rules("1")]
    books = await keeper(sink, files, clock).look()
    assert books.versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]
    stored = await sink.read_books((PRICES, RULES))
    assert {(book.published_by, book.reason) for book in stored} == {("w1", "file at start")}
    assert [read_record(book).digest for book in stored] == [book.digest for book in files]


async def test_a_worker_without_files_rates_with_what_is_published() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    await publish_now(sink, prices("2", NOW + LEAD + MARGIN))
    second = keeper(sink, [], clock)
    assert (await second.look()).versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]
    assert second.books is not None
    assert [book.version for book in second.books.rater.books.versions] == ["1", "2"]


@pytest.mark.parametrize("kind", [PRICES, RULES])
async def test_an_empty_store_and_no_files_are_a_refusal_that_says_how_to_publish(kind: str) -> None:
    clock = Clock()
    sink = await new_sink(clock)
    other: Files = [rules("1")] if kind == PRICES else [prices("1")]
    with pytest.raises(BooksError, match=f"The store has no {kind}.*`tollstream {kind} publish FILE"):
        await keeper(sink, other, clock).look()


async def test_an_edited_file_is_refused_and_the_first_text_stands() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    with pytest.raises(BooksError, match="Version 1 of the prices was recorded with another text"):
        await keeper(sink, [prices("1", price="2"), rules("1")], clock).look()
    [stored] = await sink.read_books((PRICES,))
    assert stored.digest == prices("1").digest


async def test_a_version_whose_file_is_gone_is_used_from_the_store() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    books = await keeper(sink, [prices("2", NOW + timedelta(days=1))], clock).look()
    assert books.versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]


@pytest.mark.parametrize(("seconds", "refused"), [(1, False), (0, False), (-1, True), (-86_400, True)])
async def test_a_new_file_begins_no_sooner_than_the_lead(seconds: int, refused: bool) -> None:
    clock = Clock()
    sink = await new_sink(clock)
    first = keeper(sink, [prices("1"), rules("1")], clock)
    await first.look()
    second = keeper(sink, [prices("2", NOW + LEAD + MARGIN + timedelta(seconds=seconds))], clock)
    if refused:
        with pytest.raises(BooksError, match="Version 2 of the prices would apply from"):
            await second.look()
        assert await versions(sink) == [("prices", "1"), ("rules", "1")]
    else:
        await second.look()
        assert await versions(sink) == [("prices", "1"), ("prices", "2"), ("rules", "1")]


async def test_files_that_do_not_fit_what_is_published_are_refused_before_anything_is_recorded() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    with pytest.raises(BookError, match="amounts of two currencies"):
        await keeper(sink, [prices("1"), rules("1", currency="EUR")], clock).look()
    assert await versions(sink) == []
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    with pytest.raises(BookError, match="amounts of two currencies"):
        await keeper(sink, [rules("2", NOW + timedelta(days=1), currency="EUR")], clock).look()
    assert await versions(sink) == [("prices", "1"), ("rules", "1")]


async def test_a_publication_reaches_a_running_worker_and_only_then_is_a_new_rater_made() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    running = keeper(sink, [prices("1"), rules("1")], clock)
    first = await running.look()
    clock.seconds = 15
    assert (await running.look()) is first
    await publish_now(sink, prices("2", clock.now() + LEAD + MARGIN))
    await publish_now(sink, retroactive("past"))
    clock.seconds = 30
    second = await running.look()
    assert second.rater is not first.rater
    assert second.versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]  # a retroactive one never applies


def retroactive(version: str) -> PriceBook:
    text = prices(version).content.replace("currency", "retroactive = true\ncurrency")
    return parse_version(text, ".toml", version, PriceBook)


async def test_a_known_version_is_neither_fetched_nor_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    fetched: list[int] = []
    parsed: list[str] = []
    real_fetch, real_read = sink.read_book_contents, read_record

    async def fetch(digests: set[str]) -> dict[str, str]:
        fetched.append(len(digests))
        return await real_fetch(digests)

    def read(record: BookDigest) -> object:
        parsed.append(record.version)
        return real_read(record)

    monkeypatch.setattr(sink, "read_book_contents", fetch)
    monkeypatch.setattr(module, "read_record", read)
    running = keeper(sink, [], clock)
    for _ in range(3):
        await running.look()
    await publish_now(sink, prices("2", NOW + timedelta(days=1)))
    await running.look()
    assert [number for number in fetched if number] == [2, 1]
    assert parsed == ["1", "1", "2"]


async def test_a_version_with_a_meter_this_worker_lacks_waits_until_it_is_needed_and_then_stops_it() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    running = keeper(sink, [prices("1"), rules("1")], clock)
    await running.look()
    strange = prices("2", NOW + timedelta(hours=1), meter="thoughts")
    await publish_now(sink, strange)
    clock.seconds = 15
    assert (await running.look()).versions == [("prices", "1"), ("rules", "1")]
    assert list(running.unusable) == [("prices", "2")]
    clock.seconds = 3600 - SKEW - AGE_SECONDS_MAX - 1
    await running.look()
    clock.seconds += 2
    with pytest.raises(BooksError, match="Version 2 of the prices applies, and this worker cannot rate with it"):
        await running.look()
    clock.seconds += AGE_SECONDS_MAX
    with pytest.raises(BooksError, match="'thoughts' is no inference meter"):
        running.require_fresh()


async def put(sink: MemorySink, book: PriceBook, at: datetime) -> None:
    """As a store does that was given a record at a time, and shows it later."""
    place = (await sink.read_book_records()).newest_place + 1
    clock, sink._now = sink._now, lambda: at
    await sink.record_books([replace(record_of(book), sequence=place, publication_id=book.version)])
    sink._now = clock


async def test_a_version_that_shows_up_when_it_may_have_been_needed_stops_a_worker_that_went_on_without_it() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    running = keeper(sink, [prices("1"), rules("1")], clock)
    for seconds in (0, 15, 30, 45, 60, 75):
        clock.seconds = seconds
        await running.look()
    await put(sink, prices("2", NOW + LEAD), NOW)  # in time by the store's clock, and seen by nobody until now
    clock.seconds = 90
    with pytest.raises(BooksError, match=r"showed up in the store only now.*tollstream rerate"):
        await running.look()
    assert (await keeper(sink, [], clock).look()).versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]


async def test_a_worker_that_stood_still_meanwhile_may_go_on_with_it() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    running = keeper(sink, [prices("1"), rules("1")], clock)
    await running.look()
    await put(sink, prices("2", NOW + LEAD), NOW)
    clock.seconds = 3600  # for an hour nothing was rated: its books were too old
    assert (await running.look()).versions == [("prices", "1"), ("prices", "2"), ("rules", "1")]


async def test_a_version_that_was_rated_with_and_is_gone_from_the_store_stops_the_worker() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    running = keeper(sink, [], clock)
    await running.look()
    sink._books = [book for book in sink._books if book.kind == RULES]
    with pytest.raises(BooksError, match="Version 1 of the prices was rated with, and the store does not have it"):
        await running.look()


async def test_a_text_that_is_not_the_published_one_is_never_rated_with() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    await keeper(sink, [prices("1"), rules("1")], clock).look()
    sink._books = [replace(book, content=book.content.replace('"1"', '"9"')) for book in sink._books]
    with pytest.raises(BooksError, match="is not the one that was published"):
        await keeper(sink, [], clock).look()


async def test_books_that_could_not_be_looked_at_for_too_long_rate_nothing() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    broken: list[Exception] = []

    def files() -> Files:
        if broken:
            raise broken[0]
        return [prices("1"), rules("1")]

    books = Bookkeeper(sink, files, load_catalogue(), future_skew_seconds=SKEW, worker="w1", clock=clock.monotonic)
    await books.look()
    clock.seconds = AGE_SECONDS_MAX
    books.require_fresh()
    broken.append(FileNotFoundError("the folder is away"))
    with pytest.raises(FileNotFoundError):
        await books.look()
    clock.seconds += 0.1
    with pytest.raises(BooksError, match=r"last checked 50 s ago.* the folder is away"):
        books.require_fresh()
    broken.clear()
    await books.look()
    books.require_fresh()


async def test_workers_that_bring_the_same_files_at_once_publish_them_once() -> None:
    clock = Clock()
    sink = await new_sink(clock)
    files: Files = [prices("1"), rules("1"), rules("2", NOW)]
    keepers = [keeper(sink, files, clock, worker=f"w{number}") for number in range(5)]
    looks = await asyncio.gather(*(each.look() for each in keepers))
    assert {tuple(books.versions) for books in looks} == {(("prices", "1"), ("rules", "1"), ("rules", "2"))}
    assert len((await sink.read_book_records()).records) == 3


def test_files_are_read_again_when_they_change_and_only_then(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    first = tmp_path / "prices" / "1.toml"
    first.write_text(prices("1").content)
    files = BookFiles(tmp_path / "prices", None)
    books = files()
    assert [book.version for book in books] == ["1"]
    assert files() is books
    (tmp_path / "prices" / "2.toml").write_text(prices("2", NOW).content)
    assert [book.version for book in files()] == ["1", "2"]
    first.unlink()
    assert [book.version for book in files()] == ["2"]
    (tmp_path / "prices" / "2.toml").unlink()
    with pytest.raises(BookError, match="the folder holds no"):
        files()


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        ('version = "1"\n', ".toml"),
        ('# a comment: with = both\n\n  version="1: 2"\n', ".toml"),
        ('[[prices]]\nprovider = "p"\n', ".toml"),
        ('"version" = "1"', ".toml"),
        ("version: '1 = 2'\n", ".yaml"),
        ("# = \n\nversion: 1\n", ".yaml"),
        ("---\nversion: 1\n", ".yaml"),
        ("{version: 1}", ".yaml"),
    ],
)
def test_how_a_text_is_written_shows_in_its_first_line(content: str, suffix: str) -> None:
    assert suffix_of(content) == suffix


def test_a_yaml_book_comes_back_from_its_record() -> None:
    text = """version: y
effective_from: "2026-01-01T00:00:00Z"
currency: USD
prices:
  - {provider: p, model: m, meters: {input_tokens: "1"}}
"""
    book = parse_version(text, ".yaml", "y", PriceBook)
    assert read_record(record_of(book)) == book

"""Publishing, by many at once: each place once, each version once, and nobody is told anything else than what stands.

Those on ClickHouse run in processes of their own, so that nothing but the store keeps them apart.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from billing.publication import BookDigest
from sinks import publishing
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import load_migrations, migrate
from sinks.clickhouse.readers.books import BOOKS
from sinks.contract import EpochParameters, Sink
from sinks.errors import (
    PublicationOvertakenError,
    PublicationRefusedError,
    PublicationUnknownError,
    SinkTransientError,
    StoreTimeoutError,
)
from sinks.memory import MemorySink
from sinks.publishing import publish

REPOSITORY = Path(__file__).parents[2]
FAR = datetime.now(UTC) + timedelta(days=30)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
AWAY = StoreTimeoutError(url="http://store", doing="publishing prices", seconds=30)


def version(name: str, start: datetime = FAR, kind: str = "prices", content: str = "") -> BookDigest:
    text = content or f"{kind} {name}"
    return BookDigest(kind, name, start, hashlib.sha256(text.encode()).hexdigest(), text)


async def put(sink: Sink, *books: BookDigest, by: str = "ada", based_on: int | None = None) -> publishing.Outcome:
    place = (await sink.read_book_records()).newest_place if based_on is None else based_on
    return await publish(sink, books, based_on=place, published_by=by, reason="test")


async def test_what_was_published_is_answered_as_it_stands(sink: Sink) -> None:
    outcome = await put(sink, version("1", PAST), version("2", PAST + timedelta(days=1)))
    assert [(book.version, book.sequence, book.published_by) for book in outcome.published] == [
        ("1", 1, "ada"),
        ("2", 2, "ada"),
    ]
    assert [book.version for book in await sink.read_books(("prices",))] == ["1", "2"]
    again = await put(sink, version("1", PAST), version("3"), by="bob")
    assert [book.version for book in again.published] == ["3"]
    assert [(book.version, book.published_by) for book in again.known] == [("1", "ada")]


async def test_a_publisher_who_compared_with_something_older_is_told_who_was_faster(sink: Sink) -> None:
    await put(sink, version("1", PAST))
    place = (await sink.read_book_records()).newest_place
    await put(sink, version("r", PAST, kind="rules"), by="bob")
    with pytest.raises(PublicationOvertakenError, match=r"bob published version r of the rules meanwhile.*Nothing was"):
        await put(sink, version("2"), based_on=place)
    assert [book.version for book in await sink.read_books(("prices",))] == ["1"]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (version("1", content="another text"), "Version 1 of the prices was recorded with another text"),
        (version("2", datetime.now(UTC) + timedelta(seconds=60)), "sooner than 60 s from now"),
        (version("2", PAST), "and so does version 1: only one version can apply at a time"),
    ],
    ids=["other text", "too soon", "same start"],
)
async def test_what_could_not_stand_is_refused_and_not_recorded(sink: Sink, new: BookDigest, said: str) -> None:
    await put(sink, version("1", PAST))
    with pytest.raises(PublicationRefusedError, match=said):
        await put(sink, new)
    assert len((await sink.read_book_records()).records) == 1


async def test_of_several_versions_the_ones_before_a_refusal_are_named(sink: Sink) -> None:
    await put(sink, version("1", PAST))
    with pytest.raises(PublicationRefusedError, match="Nothing was published"):
        await put(sink, version("2"), version("3", PAST + timedelta(days=1)))
    assert len((await sink.read_book_records()).records) == 1


async def test_a_dry_run_judges_everything_and_records_nothing(sink: Sink) -> None:
    outcome = await publish(sink, [version("1", PAST)], based_on=0, published_by="ada", reason="try", dry_run=True)
    assert [book.version for book in outcome.published] == ["1"]
    assert (await sink.read_book_records()).records == []


@pytest.mark.parametrize(("who", "why"), [(" ", "because"), ("ada", "")])
async def test_who_and_why_are_part_of_history(who: str, why: str) -> None:
    with pytest.raises(PublicationRefusedError, match="it stands in the history for ever"):
        await publish(MemorySink(), [version("1")], based_on=0, published_by=who, reason=why)


async def test_the_lead_is_that_of_the_pinned_epoch_and_of_the_stores_clock(sink: Sink) -> None:
    await put(sink, version("1", PAST))
    await sink.pin_epoch(EpochParameters(1, "usage.raw", 8, 3600, 3_024_000, 3000))
    now = (await sink.read_book_records()).now
    with pytest.raises(PublicationRefusedError, match="sooner than 3060 s from now"):
        await put(sink, version("2", now + timedelta(seconds=3060)))
    await put(sink, version("2", now + timedelta(seconds=3100)))


class Unreliable(MemorySink):
    """Fails so many inserts, carried out or not, as a store does whose answer gets lost."""

    def __init__(self, *failures: bool) -> None:
        super().__init__()
        self.failures = list(failures)  # carried out?

    async def record_books(self, books: Sequence[BookDigest]) -> None:
        if not self.failures:
            return await super().record_books(books)
        if self.failures.pop(0):
            await super().record_books(books)
        raise AWAY


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "PAUSE_SECONDS", 0)


@pytest.mark.parametrize(
    "failures",
    [(True,), (False,), (True, True, True), (False, True, False)],
    ids=["lost answer", "lost", "x3", "mixed"],
)
async def test_an_insert_whose_outcome_is_not_known_is_made_again_and_happens_once(failures: tuple[bool, ...]) -> None:
    sink = Unreliable(*failures)
    outcome = await put(sink, version("1", PAST))
    assert [book.version for book in outcome.published] == ["1"]
    assert len((await sink.read_book_records()).records) == 1


async def test_a_store_that_never_takes_it_is_an_answer_that_does_not_pretend_to_know() -> None:
    sink = Unreliable(*[False] * 3)
    with pytest.raises(PublicationUnknownError, match="It is not known whether the prices were published"):
        await put(sink, version("1", PAST))
    assert issubclass(PublicationUnknownError, SinkTransientError)


async def test_a_record_that_the_store_made_too_late_is_not_called_published() -> None:
    class Slow(MemorySink):
        async def record_books(self, books: Sequence[BookDigest]) -> None:
            self._now = lambda: datetime.now(UTC) + timedelta(hours=1)
            await super().record_books(books)

    sink = Slow()
    sink._now = lambda: datetime.now(UTC)
    await MemorySink.record_books(sink, [replace(version("1", PAST), sequence=1, publication_id="x")])
    with pytest.raises(PublicationRefusedError, match="The store took too long"):
        await put(sink, version("2", datetime.now(UTC) + timedelta(minutes=5)))
    assert [book.version for book in await sink.read_books(("prices",))] == ["1"]


# Many at once, on the real engine.

PUBLISHER = """
import asyncio, json, sys
from datetime import datetime
from billing.publication import BookDigest
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import load_migrations, migrate
from sinks.clickhouse.readers.books import BOOKS
from sinks.errors import PublicationOvertakenError, PublicationRefusedError
from sinks.publishing import publish

async def main(url, database, me, versions):
    sink = await ClickHouseSink.connect(ClickHouseConfiguration(url, database=database))
    told = []
    print("ready", flush=True)
    sys.stdin.readline()
    for kind, version, start, digest, content in versions:
        while True:
            place = (await sink.read_book_records()).newest_place
            book = BookDigest(kind, version, datetime.fromisoformat(start), digest, content)
            try:
                outcome = await publish(sink, [book], based_on=place, published_by=me, reason="race")
            except PublicationOvertakenError:
                continue
            except PublicationRefusedError as error:
                told.append([kind, version, digest, "refused", 0])
            else:
                for what, books in (("published", outcome.published), ("known", outcome.known)):
                    told += [[kind, version, digest, what, found.sequence] for found in books]
            break
    await sink.close()
    print(json.dumps(told), flush=True)

asyncio.run(main(*json.loads(sys.argv[1])))
"""


def race(configuration: ClickHouseConfiguration, publishers: dict[str, list[BookDigest]]) -> dict[str, list[Any]]:
    """Start a process each, let them go at once, and answer what each was told, version by version."""
    processes = {}
    for name, books in publishers.items():
        wanted = [[*book.name, book.effective_from.isoformat(), book.digest, book.content] for book in books]
        argument = json.dumps([configuration.url, configuration.database, name, wanted])
        processes[name] = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER, argument],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True,
        )  # fmt: skip
    for process in processes.values():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes.values():
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return {name: json.loads(process.communicate(timeout=60)[0]) for name, process in processes.items()}


@pytest.mark.integration
async def test_publishers_in_processes_of_their_own_get_a_place_each_and_are_told_the_truth(
    database: ClickHouseConfiguration,
) -> None:
    """Four publish versions of their own, of both kinds; all four publish one version, each with a text of its own."""
    contested = [version("contested", FAR + timedelta(days=9), content=f"text {number}") for number in range(4)]
    same = version("same", FAR + timedelta(days=8))
    publishers = {
        f"p{number}": [
            version(f"{number}-{turn}", FAR + timedelta(hours=10 * turn + number), kind=("prices", "rules")[turn % 2])
            for turn in range(4)
        ]
        for number in range(4)
    }
    for number, books in enumerate(publishers.values()):
        books[2:2] = [contested[number], same]
    told = await asyncio.to_thread(race, database, publishers)
    sink = await ClickHouseSink.connect(database)
    records = await sink.read_book_records()
    await sink.close()
    stand = {book.name: book for book in records.standing()}
    assert len(records.records) == len(stand), "something was recorded that does not stand"
    assert sorted(book.sequence for book in records.records) == list(range(1, len(stand) + 1))
    assert len(stand) == 4 * 4 + 2
    outcomes: Counter[str] = Counter()
    for name, answers in told.items():
        assert len(answers) == 6
        for kind, wanted, digest, what, place in answers:
            book = stand[kind, wanted]
            mine = book.published_by == name
            outcomes[f"{wanted if wanted in ('same', 'contested') else 'own'} {what}"] += 1
            if what == "refused":
                assert book.digest != digest
            else:
                assert (book.sequence, book.digest) == (place, digest)
                assert mine is (what == "published")
    assert outcomes == {
        "own published": 16,
        "same published": 1,
        "same known": 3,
        "contested published": 1,
        "contested refused": 3,
    }


@pytest.mark.integration
async def test_inserts_for_one_place_from_many_connections_leave_one(database: ClickHouseConfiguration) -> None:
    """The mechanism alone, without anybody looking before: the server keeps the first and drops the rest."""
    sinks = [await ClickHouseSink.connect(database) for _ in range(6)]
    for place in range(1, 11):
        rivals = [
            replace(version(f"{place}-{number}"), sequence=place, publication_id=f"{place}-{number}")
            for number in range(6)
        ]
        await asyncio.gather(*(sink.record_books([book]) for sink, book in zip(sinks, rivals, strict=True)))
    records = await sinks[0].read_book_records()
    assert sorted(book.sequence for book in records.records) == list(range(1, 11))
    for sink in sinks:
        await sink.close()


@pytest.mark.integration
async def test_books_that_workers_recorded_before_there_were_places_stand_and_what_follows_keeps_the_lead(
    empty_database: ClickHouseConfiguration,
) -> None:
    """A database of the time before 0012, with an old worker's rows, one of them after the migration."""
    migrations = load_migrations()
    migrate(empty_database, migrations[:11])
    client = Client.connect(empty_database)

    def old_worker_records(book: BookDigest) -> None:
        row = pa.Table.from_pylist(
            [{name: getattr(book, name) for name in BOOKS.names[:5]}], schema=pa.schema(list(BOOKS)[:5])
        )
        client.insert_arrow("books", row, doing="recording as before")

    old_worker_records(version("1", PAST))
    migrate(empty_database)
    old_worker_records(version("2", FAR))
    client.close()
    sink = await ClickHouseSink.connect(empty_database)
    assert [(book.version, book.sequence, book.published_by) for book in await sink.read_books(("prices",))] == [
        ("1", 0, ""),
        ("2", 0, ""),
    ]
    with pytest.raises(PublicationRefusedError, match="sooner than 60 s from now"):
        await put(sink, version("3", PAST + timedelta(days=1)))
    outcome = await put(sink, version("3", FAR + timedelta(days=1)))
    assert [book.sequence for book in outcome.published] == [1]
    await sink.close()

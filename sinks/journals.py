"""Journals: append-only tables in which an entry has a place that one writer gets.

Place     the values of `Journal.place`, such as (builder, sequence). Of several inserts for one place the store keeps
          the first, so whoever writes reads what stands, judges it, records at the next place, and reads back whose it
          is (`append`). Two writers at once cannot both build on the same past.
Prefix    places are taken one after the other: what stands up to a place never changes. A closing names places instead
          of copying rows.
Errors    `SinkError` subclasses. Of an insert with an unknown outcome the read back tells; it is sent again under the
          same token, which the store counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar, cast
from uuid import uuid4

import pyarrow as pa

from sinks.errors import SinkTransientError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ATTEMPTS = 3
SEQUENCE = "sequence"
MOMENT = pa.timestamp("us", tz="UTC")
AMOUNT = pa.decimal128(38, 12)


class Entry(Protocol):
    """A row of a journal: a frozen dataclass with a field for every column."""

    @property
    def record_id(self) -> str: ...

    @property
    def recorded_at(self) -> datetime: ...


R = TypeVar("R", bound=Entry)


@dataclass(frozen=True, slots=True)
class Journal(Generic[R]):
    """A table, its columns without `recorded_at`, and how rows of it become entries."""

    table: str
    schema: pa.Schema
    place: tuple[str, ...]
    from_row: Callable[[Mapping[str, Any]], R]
    to_row: Callable[[R], dict[str, Any]]

    def token(self, entry: R) -> str:
        """Under which the store takes the first insert and drops the others."""
        return f"{self.table}:{'/'.join(str(getattr(entry, name)) for name in self.place)}"

    def standing(self, entries: Iterable[R]) -> list[R]:
        """Of every place what was recorded there first, in order of places."""
        found = sorted(entries, key=lambda entry: (*self._at(entry), entry.recorded_at, entry.record_id))
        owner: dict[tuple[Any, ...], str] = {}
        for entry in found:
            owner.setdefault(self._at(entry), entry.record_id)
        return [entry for entry in found if owner[self._at(entry)] == entry.record_id]

    def next_place(self, standing: Iterable[R]) -> int:
        """Behind the last one, from 1; of journals that number their entries."""
        return max((getattr(entry, SEQUENCE) for entry in standing), default=0) + 1

    def _at(self, entry: R) -> tuple[Any, ...]:
        return tuple(getattr(entry, name) for name in self.place)


class JournalStore(Protocol):
    """What journals ask of a store."""

    async def read_journal(self, journal: Journal[R], where: Mapping[str, str]) -> list[R]:
        """What stands, of entries whose columns have these values, in order of places."""

    async def record(self, journal: Journal[R], entries: Sequence[R]) -> None:
        """Record entries of one place, all of them, unless somebody has it; the caller reads back whose it is."""


async def append(
    store: JournalStore,
    journal: Journal[R],
    where: Mapping[str, str],
    judge: Callable[[list[R]], Sequence[R]],
) -> list[R]:
    """Record what `judge` makes of what stands, at the next place; answers it as it stands, [] if it made nothing.

    `judge` is asked again when somebody else was faster, and raises to refuse. It need not set place and record_id."""
    while True:
        standing = await store.read_journal(journal, where)
        wanted = judge(standing)
        if not wanted:
            return []
        recorded = await try_record(store, journal, where, wanted, standing)
        if recorded:
            return recorded


async def try_record(
    store: JournalStore, journal: Journal[R], where: Mapping[str, str], wanted: Sequence[R], standing: Sequence[R]
) -> list[R]:
    """Record at the place behind `standing`; [] where somebody else has it."""
    more: dict[str, Any] = {"record_id": uuid4().hex}
    if SEQUENCE in journal.place:
        more[SEQUENCE] = journal.next_place(standing)
    rows = [cast("R", replace(cast("Any", entry), **more)) for entry in wanted]
    failure: SinkTransientError | None = None
    for _ in range(ATTEMPTS):  # under one token it happens once, however often it is sent
        try:
            await store.record(journal, rows)
            found = await store.read_journal(journal, where)
        except SinkTransientError as error:
            failure = error
            continue
        mine = [entry for entry in found if entry.record_id == more["record_id"]]
        taken = any(journal._at(entry) == journal._at(rows[0]) for entry in found)
        if mine or taken:
            return mine
    if failure is not None:
        raise failure
    raise SinkTransientError(
        f"The store accepted an entry of {journal.table} and does not show it: nothing is known to be recorded. "
        "Try again."
    )


def plain(entry: Any) -> dict[str, Any]:
    """A row of an entry whose fields are its columns."""
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__ if name != "recorded_at"}

"""Publishing a book: judged, recorded at the next place, and read back to see whether it stands.

1 read   what stands, and the store's clock
2 judge  by `billing.publication`, with MARGIN to spare for what the store may take; a refusal says what would do
3 write  at the place behind all that is recorded, unless somebody else gets there first; one insert, sent again with
         the same token where its outcome is not known
4 read   who has the place: the answer is what the store says, not what was sent

Two publishers of one place never both win, and the one who lost is told: what he compared with is not the newest.
The same text under the same name again is no publication and no error: it is there. Whether prices and rules fit each
other is the caller's to judge, over everything up to the place that he names.
Errors  `PublicationRefusedError` and its subclass, `PublicationUnknownError`, and what the sink raises.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from billing.publication import BookDigest, objection
from sinks.contract import BookRecords, Sink
from sinks.errors import PublicationOvertakenError, PublicationRefusedError, PublicationUnknownError, SinkTransientError

MARGIN = timedelta(seconds=10)  # from the judgement to the insert being visible to the next reader
ATTEMPTS = 3
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the versions that were to be published."""

    published: tuple[BookDigest, ...]  # by this call, or with dry_run those that would be
    known: tuple[BookDigest, ...]  # there before, or published by somebody else at the same time: the same text


async def publish(
    sink: Sink,
    books: Sequence[BookDigest],
    *,
    based_on: int,
    published_by: str,
    reason: str,
    dry_run: bool = False,
) -> Outcome:
    """Publish versions of one kind: together where none applies yet, else one after the other.

    `based_on` is `BookRecords.newest_place` of the records that the caller compared with: if there is a newer one,
    nothing is published. With `dry_run` everything is judged and nothing is recorded."""
    kind = books[0].kind
    for what, said in (("who publishes", published_by), ("why", reason)):
        if not said.strip():
            raise PublicationRefusedError(kind=kind, detail=f"Say {what}: it stands in the history for ever.")
    published: list[BookDigest] = []
    try:
        while True:
            records = await sink.read_book_records()
            stand = records.standing()
            there = {(book.kind, book.version, book.digest): book for book in stand}
            new = [book for book in books if (*book.name, book.digest) not in there]
            if new and records.newest_place != based_on:
                raise _overtaken(records)
            if new:
                _judge(new, records)
            if not new or dry_run:
                known = [there[*book.name, book.digest] for book in books if book not in new]
                return Outcome(tuple(published or new), tuple(book for book in known if book not in published))
            # What applies from the past on is published together; what follows keeps the lead, one by one.
            applying = any(book.kind == kind and not book.retroactive for book in stand)
            recorded = await _record(sink, new[:1] if applying else new, based_on + 1, published_by, reason)
            published += recorded
            based_on += len(recorded)
    except PublicationRefusedError as error:
        error.published = tuple(book.version for book in published)
        raise


def _judge(new: Sequence[BookDigest], records: BookRecords) -> None:
    why = objection(new, records.standing(), records.now + MARGIN, records.leads.at(records.now))
    if why is not None:
        raise PublicationRefusedError(kind=new[0].kind, detail=why)


async def _record(
    sink: Sink, books: Sequence[BookDigest], place: int, published_by: str, reason: str
) -> list[BookDigest]:
    """Record and read back: what stands by this call, nothing where somebody else was first."""
    kind, publication_id = books[0].kind, str(uuid4())
    stamped = (
        replace(book, publication_id=publication_id, published_by=published_by.strip(), reason=reason.strip())
        for book in books
    )
    rows = [replace(book, sequence=place + number) for number, book in enumerate(stamped)]
    cause = await _send(sink, rows)
    try:
        records = await sink.read_book_records()
    except SinkTransientError as error:
        raise PublicationUnknownError(kind=kind, cause=str(cause or error)) from error
    mine = [book for book in records.standing() if book.publication_id == publication_id]
    if len(mine) == len(rows):
        return mine
    if any(book.publication_id == publication_id for book in records.records):
        raise PublicationRefusedError(
            kind=kind,
            detail=f"The store took too long: when version {rows[0].version} of the {kind} was recorded it was too "
            "late for it, and no worker will use it. Give it a later effective_from and publish it again.",
        )
    if records.newest_place < place:
        raise PublicationUnknownError(kind=kind, cause=str(cause or "the record cannot be read back yet."))
    return []


async def _send(sink: Sink, rows: Sequence[BookDigest]) -> SinkTransientError | None:
    """Insert, again where the outcome is not known: under one token it happens once. The failure, if all failed."""
    failure: SinkTransientError | None = None
    for attempt in range(ATTEMPTS):
        try:
            await sink.record_books(rows)
        except SinkTransientError as error:
            failure = error
            await asyncio.sleep(PAUSE_SECONDS * (attempt + 1))
        else:
            return None
    return failure


def _overtaken(records: BookRecords) -> PublicationOvertakenError:
    newest = [book for book in records.standing() if book.sequence == records.newest_place]
    if not newest:
        return PublicationOvertakenError(kind="", detail="Somebody else publishes at this moment: try again.")
    [book] = newest
    return PublicationOvertakenError(
        kind=book.kind,
        detail=f"{book.published_by} published version {book.version} of the {book.kind} meanwhile: look at the "
        "difference again.",
    )


__all__ = ["MARGIN", "Outcome", "publish"]

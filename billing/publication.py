"""Which of the recorded price books and rule books stand: one rule for whoever publishes and for whoever rates.

A book is published by recording it; nothing is ever changed or taken back. Recorded is not yet standing: two may have
been recorded at one place, or one came too late to be known to every worker in time. So everybody who reads the records
applies this rule, and everybody comes to the same answer:

Place     publications have places 1, 2, 3, ... in one order for both kinds, because prices and rules have to fit each
          other; the first one recorded at a place has it, a later one none.
Name      the version's name is new among those of its kind that stand before it; a name means one text for ever.
Start     no other version of its kind that stands before it begins at the same moment.
Lead      it begins no sooner than `lead` after it was recorded, by the store's clock: LEAD, and how far ahead of its
          arrival an event may be. The first publication of a kind may begin in the past: nothing was rated before it.
Retroactive versions never apply by themselves, so Start and Lead do not ask about them.

Units     times are aware datetimes; the answer depends on the records alone: not on their order, nor on a clock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.documents import EPOCH

PRICES, RULES = "prices", "rules"
LEAD = timedelta(seconds=60)  # within this long every worker has looked, or has stopped


@dataclass(frozen=True, slots=True)
class BookDigest:
    """One version of a book, as it was or will be recorded. Another text under a version's name is refused."""

    kind: str  # PRICES | RULES
    version: str
    effective_from: datetime
    digest: str  # sha256 of `content`, hexadecimal
    content: str = ""  # the whole file; "" where it was not asked for
    sequence: int = 0  # its place among the publications of both kinds; 0: recorded before there were places
    retroactive: bool = False
    publication_id: str = ""  # what was published in one go shares it; "": each by itself
    published_by: str = ""
    reason: str = ""
    recorded_at: datetime = EPOCH  # by the store's clock; EPOCH: not yet

    @property
    def name(self) -> tuple[str, str]:
        """(kind, version)"""
        return self.kind, self.version


class Leads:
    """The activation lead by time: it grows when a topic epoch is pinned that lets events be further ahead."""

    def __init__(self, epochs: Iterable[tuple[datetime, int]] = ()) -> None:
        """(pinned at, future_skew_seconds) of each epoch."""
        self._epochs = tuple(epochs)

    def at(self, moment: datetime) -> timedelta:
        """What a version recorded at `moment` has to keep: LEAD and the widest skew of the epochs pinned by then."""
        skew = max((seconds for pinned_at, seconds in self._epochs if pinned_at <= moment), default=0)
        return LEAD + timedelta(seconds=skew)


def standing(recorded: Iterable[BookDigest], leads: Leads) -> list[BookDigest]:
    """What stands of these records, of both kinds, in the order of publication.

    What is decided about a publication depends on those before it only, never on one after it."""
    stand: list[BookDigest] = []
    for publication in _in_order(recorded):
        at = _recorded_at(publication)
        # Before there were places a worker judged the lead by its own clock, and used what it recorded.
        if objection(publication, stand, at, leads.at(at) if publication[0].sequence else None) is None:
            stand += publication
    return stand


def objection(
    new: Sequence[BookDigest], stand: Collection[BookDigest], at: datetime, lead: timedelta | None
) -> str | None:
    """Why these versions of one kind, published together at `at`, would not stand after `stand`; None if they would.

    `stand` is what stands before them; without a `lead` nobody asks for one."""
    kinds = {book.kind for book in new}
    names = {book.version for book in stand if book.kind in kinds}
    starts = {book.effective_from: book.version for book in stand if book.kind in kinds and not book.retroactive}
    first = not starts
    for book in new:
        if book.version in names:
            return (
                f"Version {book.version} of the {book.kind} was recorded with another text: rated history never "
                "changes by editing a file. Put the old text back, and publish the change as a new version, under a "
                "name of its own."
            )
        names.add(book.version)
        if book.retroactive:
            continue
        if book.effective_from in starts:
            return (
                f"Version {book.version} of the {book.kind} would apply from {_told(book.effective_from)}, and so does "
                f"version {starts[book.effective_from]}: only one version can apply at a time. Give it another "
                "effective_from."
            )
        starts[book.effective_from] = book.version
        if not first and lead is not None and book.effective_from < at + lead:
            return (
                f"Version {book.version} of the {book.kind} would apply from {_told(book.effective_from)}, sooner than "
                f"{lead.total_seconds():g} s from now: events it applies to may have been rated already. The earliest "
                f"effective_from that would do is {_told(earliest(at, lead))}, if it is published at once; the past is "
                "corrected by adjustments."
            )
    return None


def earliest(at: datetime, lead: timedelta) -> datetime:
    """The first whole minute at which a version published at `at` may begin."""
    return (at + lead + timedelta(microseconds=59_999_999)).replace(second=0, microsecond=0)


def _in_order(recorded: Iterable[BookDigest]) -> Iterator[list[BookDigest]]:
    """Publications that have all their places, in their order; those without a place between them, by time."""
    groups: dict[str, dict[int, BookDigest]] = defaultdict(dict)
    holders: dict[int, str] = {}
    old = []
    for book in sorted(recorded, key=_by_time):
        if book.sequence:
            key = book.publication_id or f"{book.sequence} {book.digest}"
            groups[key].setdefault(book.sequence, book)  # what was sent twice, and stored twice, is one record
            holders.setdefault(book.sequence, key)
        else:
            old.append(book)
    placed = [
        [group[place] for place in sorted(group)]
        for key, group in groups.items()
        if all(holders[place] == key for place in group)
    ]
    old.reverse()
    for publication in sorted(placed, key=lambda publication: publication[0].sequence):
        while old and old[-1].recorded_at < _recorded_at(publication):
            yield [old.pop()]
        yield publication
    while old:
        yield [old.pop()]


def _by_time(book: BookDigest) -> tuple[object, ...]:
    """By time, and then by everything else that can matter: the same order, however it was read."""
    return (
        book.recorded_at,
        book.sequence,
        book.publication_id,
        *book.name,
        book.digest,
        book.effective_from,
        book.retroactive,
    )


def _recorded_at(publication: Sequence[BookDigest]) -> datetime:
    return min(book.recorded_at for book in publication)


def _told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


__all__ = ["LEAD", "PRICES", "RULES", "BookDigest", "Leads", "earliest", "objection", "standing"]

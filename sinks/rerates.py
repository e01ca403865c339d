"""Re-ratings on record: who planned which one, over what, computed up to where, and how far it got.

Every entry has a place (`sequence`) that only one writer gets: of several inserts for one place the store keeps the
first. So whoever plans a re-rating reads all entries, judges them, records at the next place, and reads back whose it
is: two re-ratings of the same usage at once would add its difference twice.
States    planned    the parameters, the books and the cut; from `recorded_at` on it is decided what will be published
          resumed    somebody went on with it after a crash
          published  everything stands in the log below `ends`
Units     `cut` and `ends` are offsets; amounts Decimal by currency. Entries are never changed or deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import polars as pl
import pyarrow as pa

PLANNED, RESUMED, PUBLISHED = "planned", "resumed", "published"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SOURCE = "tollstream/rerate"  # CloudEvents source of the adjustments
Partition = tuple[int, int]  # (topic epoch, partition)

_UTC = pa.timestamp("us", tz="UTC")
RERATES = pa.schema(
    [
        ("sequence", pa.uint32()),
        ("rerate_id", pa.string()),
        ("state", pa.string()),
        ("by", pa.string()),
        ("reason", pa.string()),
        ("topic_epoch", pa.uint16()),
        ("event_time_from", _UTC),
        ("event_time_to", _UTC),
        ("builder", pa.string()),
        ("tenant", pa.string()),
        ("unpriced", pa.bool_()),
        ("prices", pa.string()),
        ("rules", pa.string()),
        ("timeline", pa.bool_()),
        ("by_hand", pa.string()),
        ("books", pa.string()),
        ("cut", pa.string()),
        ("ends", pa.string()),
        ("events", pa.int64()),
        ("differences", pa.string()),
    ]
)
# What is stored as JSON text.
_JSON = ("books", "cut", "ends", "differences")


@dataclass(frozen=True, slots=True)
class Rerate:
    """One entry; each one of a re-rating repeats what was planned."""

    rerate_id: str
    state: str
    by: str
    reason: str
    topic_epoch: int  # whose topic the adjustments go to
    event_time_from: datetime  # usage in [from, to)
    event_time_to: datetime
    builder: str  # "": of all
    tenant: str
    unpriced: bool  # only usage that waits for a price
    prices: str  # versions named; "": as rated, or by the event's own time
    rules: str
    timeline: bool
    by_hand: str
    books: Mapping[str, str] = field(default_factory=dict)  # "prices VERSION" or "rules VERSION" -> digest
    cut: Mapping[Partition, int] = field(default_factory=dict)  # ledger rows below these offsets were looked at
    ends: Mapping[int, int] = field(default_factory=dict)  # partition -> the adjustments stand below this offset
    events: int = 0  # adjustments planned
    differences: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)  # currency -> amount -> sum
    sequence: int = 0
    recorded_at: datetime = EPOCH  # by the store's clock

    @property
    def parameters(self) -> tuple[object, ...]:
        """What was asked for: the same again means the same re-rating."""
        return (
            self.topic_epoch, self.event_time_from, self.event_time_to, self.builder, self.tenant, self.unpriced,
            self.prices, self.rules, self.timeline, self.by_hand,
        )  # fmt: skip

    def overlaps(self, other: Rerate) -> bool:
        """Whether some event can be in both."""
        return (
            self.event_time_from < other.event_time_to
            and other.event_time_from < self.event_time_to
            and (not self.builder or not other.builder or self.builder == other.builder)
            and (not self.tenant or not other.tenant or self.tenant == other.tenant)
        )


@dataclass(frozen=True, slots=True)
class Rerates:
    """All entries in order, and the store's clock when they were read."""

    entries: tuple[Rerate, ...]
    now: datetime

    @property
    def next_place(self) -> int:
        """Behind the last entry."""
        return max((entry.sequence for entry in self.entries), default=0) + 1

    def latest(self) -> list[tuple[Rerate, Rerate]]:
        """(plan, newest entry) of each re-rating, in the order in which they were planned."""
        plans = {entry.rerate_id: entry for entry in self.entries if entry.state == PLANNED}
        newest = {entry.rerate_id: entry for entry in self.entries}
        return [(plan, newest[name]) for name, plan in plans.items()]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Usage that waits for a price, of one kind."""

    unpriced_reason: str
    provider: str
    model: str
    mode: str
    region: str
    builder: str  # "" where Builders are added up
    events: int
    first_event_time: datetime
    last_event_time: datetime
    usage: Mapping[str, Decimal]
    tenants: tuple[str, ...]  # builder/tenant, sorted


class RerateStore(Protocol):
    """What re-rating asks of a store beside `sinks.usage.UsageLedger`. Raises `SinkError` subclasses only."""

    async def read_rerates(self) -> Rerates:
        """Every entry that has its place."""

    async def record_rerate(self, entry: Rerate) -> None:
        """Record at `entry.sequence`, unless somebody has that place; the caller reads back whose it is."""

    async def read_progress(self) -> pl.DataFrame:
        """topic_epoch, source_partition, next_offset, max_record_time of every partition of every epoch."""

    async def find_usage(self, identities: np.ndarray, recorded_after: datetime) -> pl.DataFrame:
        """Usage rows with one of (n, 2) `identities` whose record is later than that, each place once.

        Columns builder, tenant, identity_high, identity_low and the place."""

    async def count_rerated(self, rerate_id: str) -> int:
        """How many of its adjustments are in the ledger."""

    async def read_waiting(self, *, by_builder: bool = False, builder: str = "") -> list[Waiting]:
        """What waits for a price, sorted; of one Builder or ("") of all."""


def to_row(entry: Rerate) -> dict[str, Any]:
    """A row of `RERATES`."""
    row: dict[str, Any] = {name: getattr(entry, name) for name in RERATES.names}
    row["cut"] = {f"{epoch}/{partition}": offset for (epoch, partition), offset in sorted(entry.cut.items())}
    row["ends"] = {str(partition): offset for partition, offset in sorted(entry.ends.items())}
    row["differences"] = {
        currency: {name: f"{amount:f}" for name, amount in amounts.items()}
        for currency, amounts in sorted(entry.differences.items())
    }
    return row | {name: json.dumps(row[name], sort_keys=True) for name in _JSON}


def from_row(row: Mapping[str, Any]) -> Rerate:
    """The entry that `to_row` made, with `recorded_at`."""
    read = {name: json.loads(row[name]) for name in _JSON}
    cut = {tuple(map(int, place.split("/"))): offset for place, offset in read["cut"].items()}
    amounts = {
        currency: {name: Decimal(text) for name, text in sums.items()} for currency, sums in read["differences"].items()
    }
    given = {each.name: row[each.name] for each in fields(Rerate)}
    return Rerate(
        **given | {"books": read["books"], "cut": cut, "differences": amounts}
        | {"ends": {int(partition): offset for partition, offset in read["ends"].items()}}
    )  # fmt: skip


def in_order(entries: Sequence[Rerate]) -> tuple[Rerate, ...]:
    """The first recorded of each place, by place: where a store remembers no token any more, time decides."""
    first: dict[int, Rerate] = {}
    for entry in sorted(entries, key=lambda entry: (entry.sequence, entry.recorded_at)):
        first.setdefault(entry.sequence, entry)
    return tuple(first.values())


__all__ = [
    "PLANNED", "PUBLISHED", "RERATES", "RESUMED", "SOURCE", "Partition", "Rerate", "RerateStore", "Rerates", "Waiting",
    "from_row", "in_order", "replace", "to_row",
]  # fmt: skip

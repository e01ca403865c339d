"""The meter over a store in memory, with no broker and no waiting: records in, rows out.

`Desk` is for stories of single events in one partition: what it is given, it appends to its own log as one block.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from agents.meter import BlockReport, Meter
from agents.preparation import PreparedBlock, prepare
from sinks.contract import BackfillGrant, EpochParameters, Sink
from sinks.memory import MemorySink
from tests.simulation.books import START, rater
from tests.support.raw import Record
from topics.block import RawRecord, Rejection
from topics.decode import Decoder
from topics.encodings import columnar, structured
from topics.events import AdjustmentEvent, Amounts, AnyEvent, Pricing, UsageEvent, VoidEvent
from topics.meters import load_catalogue

NOW = START + timedelta(hours=1)  # when records reach the log, unless a test says otherwise: books p1 and r1 are valid
HORIZON = timedelta(days=1)
SKEW = timedelta(seconds=300)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OLD = NOW - timedelta(days=20)
GRANT = BackfillGrant(
    grant_id="grant-1",
    source="gateway-1",
    event_time_from=OLD,
    event_time_to=OLD + timedelta(days=1),
    valid_from=NOW,
    valid_to=NOW + timedelta(days=1),
    granted_by="operator@example.org",
    reason="gateway outage",
)


def epoch_of(partitions: int = 1, **changes: Any) -> EpochParameters:
    """Windows of an hour, a horizon of a day."""
    parameters: dict[str, Any] = {
        "topic_epoch": 1,
        "topic": "usage.raw",
        "partitions": partitions,
        "window_seconds": 3600,
        "dedup_horizon_seconds": int(HORIZON.total_seconds()),
        "future_skew_seconds": int(SKEW.total_seconds()),
    }
    return EpochParameters(**(parameters | changes))


@functools.cache
def decoder_of(partitions: int) -> Decoder:
    """One per process: it only remembers what saves time."""
    return Decoder(load_catalogue(), partitions=partitions)


class Letters:
    """A dead-letter topic that keeps what is published."""

    def __init__(self) -> None:
        self.published: list[Rejection] = []

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        self.published += rejections


async def committed(_: dict[int, int]) -> bool:
    """What Kafka answers to who owns the partitions."""
    return True


async def _inline(work: Callable[..., PreparedBlock], *arguments: Any) -> PreparedBlock:
    return work(*arguments)


def meter_of(
    sink: Sink, epoch: EpochParameters, grants: Collection[BackfillGrant] = (), letters: Letters | None = None
) -> Meter:
    """A meter with the simulation's books that never leaves the thread it is called on."""
    return Meter(
        decoder=decoder_of(epoch.partitions),
        rater=rater(),
        sink=sink,
        dead_letters=letters or Letters(),
        epoch=epoch,
        grants=grants,
        worker="worker",
        compute=_inline,
    )


async def process(meter: Meter, records: Sequence[RawRecord]) -> BlockReport:
    """One block, stored and committed."""
    return await meter.process(await meter.prepare(records), committed)


def milliseconds(moment: datetime) -> int:
    """A record's timestamp."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def record_of(offset: int, event: AnyEvent | Sequence[UsageEvent] | bytes, at: datetime = NOW) -> Record:
    """A record of partition 0: an event, a batch of some, or bytes that are neither."""
    if isinstance(event, bytes):
        return Record(0, offset, milliseconds(at), b"acme/north", event)
    if isinstance(event, UsageEvent | VoidEvent | AdjustmentEvent):
        value, headers, key = structured.encode(event)
    else:
        value, headers, key = columnar.encode_batch(event)
    return Record(0, offset, milliseconds(at), key, value, headers)


def prepared(
    *given: AnyEvent | Sequence[UsageEvent] | bytes,
    at: datetime = NOW,
    first: int = 0,
    grants: Collection[BackfillGrant] = (),
) -> PreparedBlock:
    """A block of partition 0, ready to be judged."""
    records = [record_of(first + number, each, at) for number, each in enumerate(given)]
    return prepare(records, decoder_of(1), rater(), epoch_of(), grants)


def usage(event_id: str = "e1", **changes: Any) -> UsageEvent:
    """1,000 tokens in and 200 out of `small`: base 0.0045, and 25 % on it."""
    fields: dict[str, Any] = {
        "id": event_id,
        "source": "gateway-1",
        "time": NOW - timedelta(minutes=10),
        "builder": "acme",
        "tenant": "north",
        "provider": "orange",
        "model": "small",
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    }
    return UsageEvent(**(fields | changes))


def void(target: str, event_id: str = "v1", **changes: Any) -> VoidEvent:
    """Takes back the usage of that id."""
    return VoidEvent(**(_correction(target, event_id) | changes))


def adjustment(
    target: str, event_id: str = "a1", reward: str = "0", fee: str = "0", earnings: str = "0", **changes: Any
) -> AdjustmentEvent:
    """Adds these amounts to the usage of that id."""
    parts = Decimal(reward), Decimal(fee), Decimal(earnings)
    amounts = Amounts(
        customer_charge=sum(parts, Decimal(0)),
        provider_reward=parts[0],
        platform_fee=parts[1],
        builder_earnings=parts[2],
    )
    return AdjustmentEvent(**(_correction(target, event_id) | {"amounts": amounts} | changes))


def rerating(target: str, event_id: str = "r1", *, charge: str = "1", **changes: Any) -> AdjustmentEvent:
    """An adjustment that says what it was rated with; the whole of `charge` goes to the provider."""
    pricing = {"price_version": "p3", "rule_version": "r3", "rule_id": "later", "currency": "USD"}
    pricing |= {name: changes.pop(name) for name in list(changes) if name in pricing}
    return adjustment(target, event_id, reward=charge, pricing=Pricing(**pricing), **changes)


def _correction(target: str, event_id: str) -> dict[str, Any]:
    return {
        "id": event_id,
        "source": "gateway-1",
        "time": NOW - timedelta(minutes=1),
        "builder": "acme",
        "tenant": "north",
        "target_source": "gateway-1",
        "target_id": target,
        "reason": "refund",
    }


class Desk:
    """One worker, one partition, one log."""

    def __init__(
        self, grants: Collection[BackfillGrant] = (), sink: MemorySink | None = None, horizon: timedelta = HORIZON
    ) -> None:
        self.sink = sink or MemorySink()
        self.letters = Letters()
        self.log: list[Record] = []
        self.grants = grants
        self.epoch = epoch_of(dedup_horizon_seconds=int(horizon.total_seconds()))
        self.meter: Meter | None = None

    async def restart(self) -> Meter:
        """Another worker, which knows what is stored."""
        self.meter = meter_of(self.sink, self.epoch, self.grants, self.letters)
        await self.meter.assign({0: None})
        return self.meter

    async def take(self, *events: AnyEvent | Sequence[UsageEvent] | bytes, at: datetime = NOW) -> list[str]:
        """Append these as one block; of each event what became of it: accepted, duplicate, or the reason against it."""
        first = len(self.log)
        self.log += [record_of(first + number, event, at) for number, event in enumerate(events)]
        await process(self.meter or await self.restart(), self.log[first:])
        sizes = [len(each) if isinstance(each, Sequence) and not isinstance(each, bytes) else 1 for each in events]
        return [self.outcome(first + number, index) for number, size in enumerate(sizes) for index in range(size)]

    def outcome(self, offset: int, index: int = 0) -> str:
        """What the store says about a place."""
        place = {"source_offset": offset, "batch_index": index}
        if _at(self.sink.ledger.to_dicts(), place):
            return "accepted"
        refused = _at(self.sink.dead_letters.to_dicts(), place)
        return str(refused[0]["reason"]) if refused else "duplicate"

    def rows(self) -> list[dict[str, Any]]:
        """The ledger, in the order of the log."""
        return self.sink.ledger.sort("source_offset", "batch_index").to_dicts()

    def total(self, name: str = "customer_charge") -> Decimal:
        """Over all totals."""
        return sum((row[name] for row in self.sink.totals.to_dicts()), Decimal(0))


def _at(rows: Iterable[dict[str, Any]], place: dict[str, int]) -> list[dict[str, Any]]:
    return [row for row in rows if place.items() <= row.items()]

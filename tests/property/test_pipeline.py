"""The whole meter over drawn logs: what does not matter, does not matter to the last digit.

The code is the real one, from decoding to the flush, over a store in memory; faults and crashes between two steps are
the simulation's. `drawn_log` is the simulation's traffic too: batches, garbage, copies, conflicts, late events, grants,
voids, adjustments, one or two epochs.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, localcontext
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.meter import Meter
from sinks import tables
from sinks.memory import MemorySink
from tests.simulation.books import START
from tests.simulation.log import EpochLog, Log
from tests.simulation.scheduler import run_straight
from tests.simulation.traffic import FEATURES, MODELS, SUBJECTS, draw_log
from tests.support.desk import epoch_of, meter_of, milliseconds, process
from tests.support.raw import Record
from tests.support.rows import totals_of
from topics.block import RawRecord
from topics.encodings import binary, columnar, structured
from topics.events import AdjustmentEvent, Amounts, AnyEvent, Pricing, UsageEvent, VoidEvent
from topics.partitioner import partition_for

PARTITIONS = 3
EVENTS_MAX = 8  # of one subject
ARRIVAL = START + timedelta(hours=48)
AMOUNTS = ("base_cost", *tables.AMOUNTS)
PRICINGS = {
    "price_version": ("p2", "correction"),
    "rule_version": ("r1", "r3"),
    "rule_id": ("up", "another"),
    "currency": ("USD", "USD", "EUR"),
}
seeds = st.integers(0, 2**32)
block_sizes = st.lists(st.integers(1, 25), min_size=1, max_size=4)

# Logs whose order, blocks and encodings are drawn


@dataclass(frozen=True)
class Arrival:
    """How the same events reach the log: whose event is next, in which encoding, and where blocks are cut."""

    order: Sequence[int]  # numbers of subjects; each one's own events stay in their order
    encodings: Sequence[str]
    batch_events_max: int
    blocks: Sequence[int]


@st.composite
def histories(draw: st.DrawFn) -> list[list[AnyEvent]]:
    """The events of some subjects, in the order in which each subject's gateway sends them."""
    subjects = draw(st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=4, unique=True))
    return [draw(_history(number, subject)) for number, subject in enumerate(subjects)]


@st.composite
def _history(draw: st.DrawFn, number: int, subject: tuple[str, str]) -> list[AnyEvent]:
    kinds = st.sampled_from(("usage", "usage", "usage", "copy", "conflict", "void", "adjustment"))
    events: list[AnyEvent] = []
    for place, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=EVENTS_MAX))):
        address: dict[str, Any] = {
            "id": f"{number}-{place}",
            "source": "gateway-1",
            "builder": subject[0],
            "tenant": subject[1],
        }
        if kind == "copy" and events:
            events.append(draw(st.sampled_from(events)))
        elif kind == "conflict" and events:
            events.append(draw(_usage({**address, "id": draw(st.sampled_from(events)).id})))
        elif kind in ("void", "adjustment"):
            # Mostly its own, before or after it; another subject's is refused wherever that one stands.
            whose = draw(st.sampled_from((number, number, number, number + 1)))
            target = {"target_source": "gateway-1", "target_id": f"{whose}-{draw(st.integers(0, EVENTS_MAX))}"}
            events.append(draw(_correction(kind, {**address, **target})))
        else:
            events.append(draw(_usage(address)))
    return events


@st.composite
def _usage(draw: st.DrawFn, address: Mapping[str, Any]) -> UsageEvent:
    quantities = st.one_of(st.integers(0, 200_000).map(Decimal), st.decimals(0, 1000, places=6))
    meters = st.sampled_from(("input_tokens", "output_tokens", "requests"))
    return UsageEvent(
        **address,
        time=START
        + timedelta(seconds=draw(st.integers(-4 * 86_400, 2 * 86_400)), microseconds=draw(st.sampled_from((0, 1)))),
        feature=draw(st.sampled_from(FEATURES)),
        provider="orange",
        model=draw(st.sampled_from(MODELS)),
        usage=draw(st.dictionaries(meters, quantities, min_size=1)),
    )


@st.composite
def _correction(draw: st.DrawFn, kind: str, fields: Mapping[str, Any]) -> AnyEvent:
    if kind == "void":
        return VoidEvent(**fields, time=START, reason="refund")
    parts = [draw(st.decimals(-1000, 1000, places=12)) for _ in range(3)]
    amounts = Amounts(
        customer_charge=sum(parts, Decimal(0)),
        provider_reward=parts[0],
        platform_fee=parts[1],
        builder_earnings=parts[2],
    )
    pricing = draw(st.none() | st.builds(Pricing, **{name: st.sampled_from(words) for name, words in PRICINGS.items()}))
    return AdjustmentEvent(**fields, time=START, reason="new price", amounts=amounts, pricing=pricing)


@st.composite
def arrivals(draw: st.DrawFn, of: Sequence[Sequence[AnyEvent]]) -> Arrival:
    """Any order between subjects."""
    order = draw(st.permutations([number for number, events in enumerate(of) for _ in events]))
    encoding = st.sampled_from(("structured", "binary", "columnar", "columnar"))
    encodings = draw(st.lists(encoding, min_size=len(order), max_size=len(order)))
    return Arrival(order, encodings, draw(st.integers(1, 6)), draw(block_sizes))


def _log(subjects: Sequence[Sequence[AnyEvent]], arrival: Arrival) -> list[Record]:
    """The records in the order in which they reach the log; a batch holds neighbours of one partition."""
    records: list[Record] = []
    ends = dict.fromkeys(range(PARTITIONS), 0)
    waiting: dict[int, list[UsageEvent]] = {partition: [] for partition in range(PARTITIONS)}

    def append(partition: int, message: Any) -> None:
        now = milliseconds(ARRIVAL) + len(records)
        records.append(Record(partition, ends[partition], now, message.key, message.value, message.headers))
        ends[partition] += 1

    def send_batch(partition: int) -> None:
        if waiting[partition]:
            append(partition, columnar.encode_batch(waiting[partition]))
            waiting[partition] = []

    left = [iter(events) for events in subjects]
    for number, encoding in zip(arrival.order, arrival.encodings, strict=True):
        event = next(left[number])
        partition = partition_for(event.key, PARTITIONS)
        if encoding == "columnar" and isinstance(event, UsageEvent):
            waiting[partition].append(event)
            if len(waiting[partition]) >= arrival.batch_events_max:
                send_batch(partition)
        else:
            send_batch(partition)
            append(partition, (binary if encoding == "binary" else structured).encode(event))
    for partition in waiting:
        send_batch(partition)
    return records


def _blocks(records: Sequence[RawRecord], sizes: Sequence[int]) -> Iterator[Sequence[RawRecord]]:
    start = 0
    for size in itertools.cycle(sizes):
        if start >= len(records):
            return
        yield records[start : start + size]
        start += size


def _feed(meter: Meter, records: Sequence[RawRecord], blocks: Sequence[int]) -> None:
    for block in _blocks(records, blocks):
        run_straight(process(meter, block))


def _billed(subjects: Sequence[Sequence[AnyEvent]], arrival: Arrival) -> dict[str, list[dict[str, Any]]]:
    """What is stored, without what says where in the log it stood."""
    sink = MemorySink()
    meter = meter_of(sink, epoch_of(PARTITIONS, dedup_horizon_seconds=35 * 86_400))
    run_straight(meter.assign(dict.fromkeys(range(PARTITIONS))))
    _feed(meter, _log(subjects, arrival), arrival.blocks)
    identity = ("source_partition", "identity_high", "identity_low")
    frames = {
        "ledger": sink.ledger.drop("source_offset", "batch_index", "record_time").sort(identity),
        "totals": sink.totals.drop("last_offset"),
        "counts": sink.checkpoints.drop("next_offset", "max_record_time"),
    }
    return {name: frame.to_dicts() for name, frame in frames.items()}


@given(data=st.data(), subjects=histories())
@settings(max_examples=50)
def test_order_between_subjects_blocks_batches_and_encodings_change_no_amount(
    data: st.DataObject, subjects: list[list[AnyEvent]]
) -> None:
    one_after_the_other = [number for number, events in enumerate(subjects) for _ in events]
    plain = Arrival(one_after_the_other, ["structured"] * len(one_after_the_other), 1, [len(one_after_the_other)])
    mixed = data.draw(arrivals(subjects))
    expected, found = _billed(subjects, plain), _billed(subjects, mixed)
    for name, rows in expected.items():
        assert found[name] == rows, name


# The simulation's logs


def _records(epoch: EpochLog, start: Mapping[int, int], end: Mapping[int, int]) -> list[RawRecord]:
    """Of each partition the records from `start` to before `end`, in the order of their timestamps."""
    found = [
        record
        for partition, records in epoch.partitions.items()
        for record in records[start[partition] : end[partition]]
    ]
    places: dict[int, int] = {}
    order = []
    for record in found:  # a broker's clock may jump back, its offsets never do
        places[record.partition] = max(places.get(record.partition, 0), record.timestamp)
        order.append((places[record.partition], record.partition, record.offset))
    return [found[number] for number in sorted(range(len(found)), key=lambda number: order[number])]


def _assigned(sink: MemorySink, log: Log, epoch: EpochLog, committed: Mapping[int, int | None]) -> Meter:
    meter = meter_of(sink, epoch.parameters, log.grants)
    run_straight(meter.assign(committed))
    return meter


def _straight(log: Log, sink: MemorySink, blocks: Sequence[int] = (12,)) -> Iterator[tuple[EpochLog, Meter]]:
    """Every epoch read to its end by one worker; stops after each."""
    for epoch in log.epochs:
        meter = _assigned(sink, log, epoch, dict.fromkeys(epoch.partitions))
        _feed(meter, _records(epoch, dict.fromkeys(epoch.partitions, 0), epoch.ends), blocks)
        yield epoch, meter


def _image(sink: MemorySink) -> dict[str, bytes]:
    """All that is stored, as bytes."""
    frames: dict[str, pl.DataFrame] = {
        "ledger": sink.ledger,
        "totals": sink.totals,
        "dead letters": sink.dead_letters,
        "checkpoints": sink.checkpoints,
    }
    return {name: repr(frame.rows(named=True)).encode() for name, frame in frames.items()}


@given(data=st.data(), seed=seeds, blocks=block_sizes, remembers=st.booleans())
@settings(max_examples=30)
def test_reading_any_suffix_of_the_log_again_changes_no_byte_of_the_store(
    data: st.DataObject, seed: int, blocks: list[int], remembers: bool
) -> None:
    log, sink = draw_log(Random(seed)), MemorySink()
    for epoch, meter in _straight(log, sink):
        before = _image(sink)
        back = {partition: data.draw(st.integers(0, end)) for partition, end in epoch.ends.items()}
        again = meter if remembers else _assigned(sink, log, epoch, back)
        _feed(again, _records(epoch, back, epoch.ends), blocks)
        assert _image(sink) == before


class _KilledError(Exception):
    """The worker is gone."""


class _Store(MemorySink):
    """A store that outlives a worker killed before one of the writes of a flush."""

    killed_before = ""

    async def write_dead_letters(self, rows: pa.Table) -> None:
        self._arrive("dead letters")
        await super().write_dead_letters(rows)

    async def write_totals(self, rows: pa.Table) -> None:
        self._arrive("totals")
        await super().write_totals(rows)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        self._arrive("checkpoints")
        await super().write_checkpoints(rows)

    def _arrive(self, at: str) -> None:
        if at == self.killed_before:
            raise _KilledError


@given(data=st.data(), seed=seeds, blocks=block_sizes)
@settings(max_examples=20)
def test_several_workers_one_after_the_other_leave_what_one_would_have_left(
    data: st.DataObject, seed: int, blocks: list[int]
) -> None:
    """Each starts at, or some way before, the place where the one before it stopped or was killed in a flush."""
    log, straight, shared = draw_log(Random(seed)), MemorySink(), _Store()
    for epoch, _ in _straight(log, straight):
        committed = dict.fromkeys(epoch.partitions, 0)
        ends = data.draw(st.lists(st.sampled_from(("stopped", "dead letters", "totals", "checkpoints")), max_size=3))
        for end in (*ends, "of the log"):
            start = {partition: data.draw(st.integers(0, offset)) for partition, offset in committed.items()}
            worker = _assigned(shared, log, epoch, {partition: offset or None for partition, offset in start.items()})
            cut = list(_blocks(_records(epoch, start, epoch.ends), blocks))
            if end != "of the log":
                del cut[data.draw(st.integers(0, len(cut))) :]
            for number, block in enumerate(cut, 1):
                shared.killed_before = end if number == len(cut) else ""
                with suppress(_KilledError):
                    run_straight(process(worker, block))
                    for partition, state in worker.progress.items():
                        committed[partition] = max(committed[partition], state.next_offset)
    assert _image(shared) == _image(straight)


@given(seed=seeds, blocks=block_sizes)
@settings(max_examples=15)
def test_the_charge_is_what_the_three_get_in_every_row_and_total_and_totals_are_the_sums_of_the_ledger(
    seed: int, blocks: list[int]
) -> None:
    log, sink = draw_log(Random(seed)), MemorySink()
    for _ in _straight(log, sink, blocks):
        pass
    ledger = [
        row | {"usage": {entry["key"]: entry["value"] for entry in row["usage"]}} for row in sink.ledger.to_dicts()
    ]
    with localcontext(prec=60):
        for row in ledger:
            if row["pricing"] == "unpriced" and row["customer_charge"] is None:
                assert [row[name] for name in AMOUNTS] == [None] * len(AMOUNTS)
            else:
                assert row["base_cost"] == row["provider_reward"] + row["platform_fee"]
                assert row["customer_charge"] == row["base_cost"] + row["builder_earnings"]
        key = (*tables.TOTALS_KEY, "topic_epoch", "source_partition")
        expected = {tuple(row[name] for name in key): row for row in totals_of(ledger)}
    totals = {tuple(row[name] for name in key): row for row in sink.totals.to_dicts()}
    assert totals.keys() == expected.keys()
    for place, total in totals.items():
        assert total["customer_charge"] == total["provider_reward"] + total["platform_fee"] + total["builder_earnings"]
        used = {meter: quantity for meter, quantity in expected[place]["usage"].items() if quantity}
        assert {entry["key"]: entry["value"] for entry in total["usage"]} == used
        assert total | {"usage": {}} == expected[place] | {"usage": {}}

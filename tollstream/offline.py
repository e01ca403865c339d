"""Rating a file of events without Kafka or ClickHouse: the workers' own meter over lines instead of records.

Every line is a record of a log of one partition, its number the offset; a store in memory takes the place of
ClickHouse. So duplicates, conflicts, voids and adjustments come out as they would in the stream. Lateness does not:
a file has no record timestamps, and no event is too old or too new for a what-if.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from agents.meter import Meter
from billing.rating import Rater
from sinks.contract import EpochParameters
from sinks.frames import to_frame
from sinks.memory import MemorySink
from sinks.tables import LEDGER
from tollstream.emission import LineReader, chunks
from topics.block import Rejection
from topics.decode import Decoder
from topics.meters import MeterCatalogue

AGES_SECONDS = 10**11  # some three thousand years: no event is late, none is early


@dataclass(frozen=True, slots=True)
class Note:
    """A line that became no ledger row: `outcome` is duplicate or dead_lettered."""

    line: int
    outcome: str
    reason: str
    detail: str


@dataclass(slots=True)
class Rated:
    """What became of a chunk of lines: ledger rows as JSON objects, and notes, both in the order of the lines."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


class _Ledger(MemorySink):
    """Keeps what the last block wrote, besides storing it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[pa.Table] = []

    async def write_ledger(self, rows: pa.Table) -> None:
        await super().write_ledger(rows)
        self.written.append(rows)


class _Refused:
    """Takes dead letters as the topic would."""

    def __init__(self) -> None:
        self.letters: list[Rejection] = []

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        self.letters += rejections


async def _at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def rate_lines(
    lines: Iterable[bytes], rater: Rater, meters: MeterCatalogue, window_seconds: int, advance: Callable[[int], None]
) -> Iterator[Rated]:
    """Rate numbered lines some thousands at a time; memory grows with the number of distinct events."""
    sink, refused = _Ledger(), _Refused()
    epoch = EpochParameters(1, "file", 1, window_seconds, AGES_SECONDS, AGES_SECONDS)
    meter = Meter(
        decoder=Decoder(meters, partitions=1), rater=rater, sink=sink, dead_letters=refused, epoch=epoch,
        worker="offline", compute=_at_once,
    )  # fmt: skip
    reader = LineReader(meters, partitions=1)
    with asyncio.Runner() as runner:
        runner.run(meter.assign({0: None}))
        for chunk in chunks(lines, advance):
            records = [reader.line(number, text) for number, text in chunk]
            runner.run(_meter(meter, records))
            yield _outcome([number for number, _ in chunk], sink.written, refused.letters)
            sink.written.clear()
            refused.letters.clear()


async def _meter(meter: Meter, records: Sequence[Any]) -> None:
    async def commit(offsets: dict[int, int]) -> bool:
        return True

    await meter.process(await meter.prepare(records), commit)


def _outcome(numbers: Sequence[int], written: Sequence[pa.Table], letters: Sequence[Rejection]) -> Rated:
    rated = Rated()
    rows = {row["source_offset"]: row for table in written for row in to_frame(table, LEDGER).to_dicts()}
    refused = {letter.offset: letter for letter in letters}
    for number in numbers:
        if number in rows:
            rated.rows.append(_json_row(number, rows[number]))
        elif number in refused:
            letter = refused[number]
            rated.notes.append(Note(number, "dead_lettered", letter.reason.value, letter.detail))
        else:
            rated.notes.append(Note(number, "duplicate", "", "the same event, with the same content, stands above"))
    return rated


def _json_row(line: int, row: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {"line": line}
    for name, value in row.items():
        if name in ("topic_epoch", "source_partition", "source_offset", "batch_index", "record_time"):
            continue  # a file has no place in the log
        if isinstance(value, Decimal):
            out[name] = f"{value:f}"
        elif name == "usage":
            out[name] = {entry["key"]: f"{entry['value'].normalize():f}" for entry in value or []}
        elif hasattr(value, "isoformat"):
            out[name] = value.isoformat()
        elif name.endswith(("_high", "_low")) or name == "payload_hash":
            continue  # 64-bit numbers that JSON readers round
        else:
            out[name] = value
    return out

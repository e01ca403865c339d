"""Publishes a file of events, one structured CloudEvent as JSON a line, and says of every bad line what is wrong.

Judged by the workers' own decoder, thousands of lines at a time, so what passes here is accepted there.
Order     Events of one tenant are stored in the order of the lines.
Bad lines are counted and explained; the good ones are sent all the same, unless everything was to be refused.
Empty lines are skipped. Nothing is kept in memory but what is on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby

import msgspec
import polars as pl
import pyarrow as pa

from gateway.emitter import BulkPublisher, EmitterConfiguration, Encoding
from topics.block import QUANTITY_UNIT, USAGE_PREFIX, DecodedBlock, Kind
from topics.decode import Decoder
from topics.encodings import binary, columnar, structured
from topics.encodings.columnar_schema import QUANTITY, TIME
from topics.encodings.message import Message
from topics.meters import MeterCatalogue
from topics.partitioner import partition_for
from topics.quantities import QUANTITY_DECIMALS

SHOWN_MAX = 20  # bad lines explained; more of them are only counted
CHUNK_LINES = 20_000
CHUNK_BYTES = 16 << 20
CHECKED_PARTITIONS = 8  # where lines are checked only, any number will do


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is not a valid event; `reason` is the code its dead letter would carry."""

    number: int  # from 1
    reason: str
    detail: str


@dataclass(slots=True)
class Emission:
    """What became of a file."""

    lines: int = 0  # that are not empty
    delivered: int = 0
    bad: int = 0
    undelivered: int = 0
    explained: list[BadLine] = field(default_factory=list)  # the first SHOWN_MAX bad lines
    failure: str = ""  # why lines were not delivered

    @property
    def complete(self) -> bool:
        return not self.bad and not self.undelivered


@dataclass(slots=True)
class Line:
    """A line as the record that it will be; its number stands where a record has its offset."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: Sequence[tuple[str, bytes]] = structured.HEADERS

    @property
    def message(self) -> Message:
        return Message(self.value or b"", structured.HEADERS, self.key)


Advance = Callable[[int], None]  # told how many bytes were read


class _Addressed(msgspec.Struct):
    subject: str


class LineReader:
    """Judges lines for a topic of so many partitions."""

    def __init__(self, meters: MeterCatalogue, partitions: int) -> None:
        self._decoder = Decoder(meters, partitions=partitions)
        self._partitions = partitions
        self._address = msgspec.json.Decoder(_Addressed)
        self._homes: dict[str, tuple[bytes, int]] = {}

    def read(self, lines: Iterable[tuple[int, bytes]], emission: Emission) -> tuple[list[Line], DecodedBlock]:
        """The good lines in order, and all that is known of them; the bad ones are put down in `emission`."""
        records = [self.line(number, line) for number, line in lines]
        block = self._decoder.decode(records)
        emission.lines += len(records)
        emission.bad += len(block.rejections)
        for bad in sorted(block.rejections, key=lambda each: each.offset):
            if len(emission.explained) < SHOWN_MAX:
                emission.explained.append(BadLine(bad.offset, bad.reason.value, bad.detail))
        refused = {bad.offset for bad in block.rejections}
        return [record for record in records if record.offset not in refused], block

    def line(self, number: int, line: bytes) -> Line:
        """A line as a record, addressed by its subject where it has one."""
        try:
            subject = self._address.decode(line).subject
            home = self._homes.get(subject)
            if home is None:
                key = subject.encode()
                home = self._homes[subject] = key, partition_for(key, self._partitions)
        except (msgspec.MsgspecError, ValueError):
            return Line(0, number, None, line)  # the decoder will say what is wrong
        return Line(home[1], number, home[0], line)


def chunks(lines: Iterable[bytes], advance: Advance) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines that are not empty, some thousands at a time."""
    chunk: list[tuple[int, bytes]] = []
    held = 0
    for number, line in enumerate(lines, start=1):
        advance(len(line))
        text = line.strip()
        if text:
            chunk.append((number, text))
            held += len(text)
        if len(chunk) >= CHUNK_LINES or held >= CHUNK_BYTES:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk


def check_lines(lines: Iterable[bytes], meters: MeterCatalogue, advance: Advance) -> Emission:
    """Judge every line and send nothing."""
    emission = Emission()
    reader = LineReader(meters, CHECKED_PARTITIONS)
    for chunk in chunks(lines, advance):
        reader.read(chunk, emission)
    return emission


async def emit_lines(
    lines: Iterable[bytes], configuration: EmitterConfiguration, meters: MeterCatalogue, advance: Advance
) -> Emission:
    """Send every good line and wait until it is stored. Raises EmitterSetupError."""
    emission = Emission()
    async with BulkPublisher(configuration) as publisher:
        reader = LineReader(meters, publisher.partitions)
        try:
            for chunk in chunks(lines, advance):
                good, block = reader.read(chunk, emission)
                for partition, messages in _messages(good, block, configuration).items():
                    await publisher.publish(partition, messages)
        finally:
            emission.delivered = await publisher.flush()
        emission.failure = publisher.failure
    emission.undelivered = emission.lines - emission.bad - emission.delivered
    return emission


Weighed = tuple[Message, int]  # a record and how many events it holds


def _messages(
    good: Sequence[Line], block: DecodedBlock, configuration: EmitterConfiguration
) -> dict[int, list[Weighed]]:
    """What to send to each partition, in the order of the lines."""
    messages: dict[int, list[Weighed]] = {}
    if configuration.encoding is Encoding.COLUMNAR:
        texts = {line.offset: line for line in good}
        for (partition,), events in block.events.group_by("partition", maintain_order=True):
            messages[int(str(partition))] = _batches(events, block, texts, configuration.batch_events_max)
        return messages
    for line in good:
        if configuration.encoding is Encoding.BINARY:
            message = binary.encode(structured.decode(line.value or b""))
        else:
            message = line.message
        messages.setdefault(line.partition, []).append((message, 1))
    return messages


def _batches(events: pl.DataFrame, block: DecodedBlock, texts: dict[int, Line], batch_events_max: int) -> list[Weighed]:
    """Runs of usage as columnar records, and what stands between them (voids, adjustments) as JSON."""
    messages: list[Weighed] = []
    kinds = events["kind"].to_list()
    for is_usage, rows in groupby(range(events.height), key=lambda row: kinds[row] == Kind.USAGE):
        run = list(rows)
        if is_usage:
            for start in range(0, len(run), batch_events_max):
                part = events[run[start : start + batch_events_max]]
                messages.append((columnar.encode_columns(_columns(part, block.dimensions)), part.height))
        else:
            lines = [texts[offset] for offset in events["offset"][run].to_list()]
            messages += [(line.message, 1) for line in lines]
    return messages


def _columns(events: pl.DataFrame, dimensions: pl.DataFrame) -> pa.Table:
    """The table of a columnar batch."""
    tags = dimensions[events["dimension"].to_list()]
    columns = {name: tags[name].to_arrow() for name in tags.columns}
    columns["id"] = events["id"].to_arrow()
    columns["traceparent"] = events["traceparent"].to_arrow()
    columns["time"] = events["event_time"].to_arrow().cast(TIME)
    for name in events.columns:
        if name.startswith(USAGE_PREFIX):
            columns[name] = _quantities(events[name])
    return pa.table(columns)


def _quantities(millionths: pl.Series) -> pa.Array:
    if not (millionths % QUANTITY_UNIT != 0).any():
        return (millionths // QUANTITY_UNIT).to_arrow()
    exact = [None if value is None else Decimal(value).scaleb(-QUANTITY_DECIMALS) for value in millionths]
    return pa.array(exact, QUANTITY)

"""Events on their way into a block: each way of decoding fills a `Part`, `assemble` makes the block of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from topics.block import (
    EVENT_SCHEMA,
    TARGET_SCHEMA,
    USAGE_PREFIX,
    DecodedBlock,
    RawRecord,
    Rejection,
    Span,
)
from topics.dimensions import Dimensions
from topics.events import TEXT_BYTES_MAX, AdjustmentEvent, AnyEvent, UsageEvent
from topics.identity import identities, identity_words
from topics.payload import content_of, kind_of, payload_hashes, tags_digest, tags_of, usage_contents, usage_of
from topics.times import microseconds

ABSENT = -1  # in a column of quantities
_CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x{9f}]"


@dataclass(slots=True)
class Part:
    """Well-formed events as columns; `positions` are the numbers of their records in the block."""

    positions: np.ndarray  # int64
    indexes: np.ndarray  # int64
    times: np.ndarray  # int64 microseconds
    dimensions: np.ndarray  # int64, numbers of `Dimensions`
    ids: pl.Series  # String
    traceparents: pl.Series  # String
    quantities: dict[str, np.ndarray]  # meter -> int64 millionths, or ABSENT
    others: dict[int, AnyEvent] = field(default_factory=dict)  # row -> the void or adjustment that stands there

    def __len__(self) -> int:
        return len(self.positions)

    def take(self, rows: np.ndarray) -> Part:
        """The given rows, in that order. Only for parts without voids and adjustments."""
        return Part(
            self.positions[rows],
            self.indexes[rows],
            self.times[rows],
            self.dimensions[rows],
            self.ids.gather(rows),
            self.traceparents.gather(rows),
            {meter: column[rows] for meter, column in self.quantities.items()},
        )


def check_ids(ids: pl.Series, characters: bytes, good: np.ndarray) -> None:
    """Mark the rows whose id is empty, too long or holds control characters; `characters` is all ids' UTF-8."""
    lengths = ids.str.len_bytes().to_numpy()
    good &= (lengths > 0) & (lengths <= TEXT_BYTES_MAX)
    octets = np.frombuffer(characters, dtype=np.uint8)
    if len(octets) and (octets.min() < 0x20 or octets.max() >= 0x7F):
        good &= ~ids.str.contains(_CONTROL_CHARACTERS).to_numpy()


def part_of_events(places: Sequence[tuple[int, int]], events: Sequence[AnyEvent], dimensions: Dimensions) -> Part:
    """A part of single events, each with the (position, index) where it stands."""
    usages = [usage_of(event) if isinstance(event, UsageEvent) else {} for event in events]
    meters = sorted({meter for usage in usages for meter in usage})
    return Part(
        np.array([position for position, _ in places], dtype=np.int64),
        np.array([index for _, index in places], dtype=np.int64),
        np.array([microseconds(event.time) for event in events], dtype=np.int64),
        np.array([dimensions.number(tags_of(event)) for event in events], dtype=np.int64),
        pl.Series([event.id for event in events], dtype=pl.String),
        pl.Series([event.traceparent for event in events], dtype=pl.String),
        {meter: np.array([usage.get(meter, ABSENT) for usage in usages], dtype=np.int64) for meter in meters},
        {row: event for row, event in enumerate(events) if not isinstance(event, UsageEvent)},
    )


def assemble(
    records: Sequence[RawRecord], parts: Iterable[Part], rejections: list[Rejection], dimensions: Dimensions
) -> DecodedBlock:
    """The block of these records; every event of them is in one of `parts` or of `rejections`."""
    part = _in_log_order([part for part in parts if len(part)])
    partitions = np.array([record.partition for record in records], dtype=np.int64)
    offsets = np.array([record.offset for record in records], dtype=np.int64)
    timestamps = np.array([record.timestamp for record in records], dtype=np.int64) * 1000
    used, local = np.unique(part.dimensions, return_inverse=True)
    kinds = np.zeros(len(part), dtype=np.uint8)
    tags, content = dimensions.usage_digests(used)[local], usage_contents(part.quantities.items(), len(part))
    for row, event in part.others.items():
        kinds[row] = kind_of(event)
        tags[row] = tags_digest(kind_of(event), tags_of(event))
        if not isinstance(event, UsageEvent):
            content[row] = content_of(event)
    events = pl.DataFrame(
        {
            "partition": partitions[part.positions].astype(np.int32),
            "offset": offsets[part.positions],
            "index": part.indexes.astype(np.int32),
            "record_time": timestamps[part.positions],
            "event_time": part.times,
            "kind": kinds,
            "dimension": local.astype(np.uint32),
            "id": part.ids,
            "traceparent": part.traceparents,
        },
        schema=EVENT_SCHEMA,
    ).with_columns(_nullable(USAGE_PREFIX + meter, part.quantities[meter]) for meter in sorted(part.quantities))
    targets, target_identities = _targets(part.others)
    return DecodedBlock(
        events=events,
        dimensions=dimensions.frame(used),
        targets=targets,
        identities=identities(dimensions.source_prefixes(used).gather(local), part.ids),
        target_identities=target_identities,
        payloads=payload_hashes(tags, part.times, content),
        rejections=rejections,
        spans=_spans(partitions, offsets, part.positions, rejections),
        records=records,
    )


def _in_log_order(parts: list[Part]) -> Part:
    if not parts:
        return part_of_events([], [], Dimensions(1))
    if len(parts) == 1:
        return parts[0]
    positions = np.concatenate([part.positions for part in parts])
    indexes = np.concatenate([part.indexes for part in parts])
    order = np.lexsort((indexes, positions))
    meters = sorted({meter for part in parts for meter in part.quantities})
    merged = Part(
        positions,
        indexes,
        np.concatenate([part.times for part in parts]),
        np.concatenate([part.dimensions for part in parts]),
        pl.concat([part.ids for part in parts]),
        pl.concat([part.traceparents for part in parts]),
        {
            meter: np.concatenate(
                [part.quantities.get(meter, np.full(len(part), ABSENT, dtype=np.int64)) for part in parts]
            )
            for meter in meters
        },
    ).take(order)
    starts = np.cumsum([0, *(len(part) for part in parts)]).tolist()
    others = {
        start + row: event for start, part in zip(starts, parts, strict=False) for row, event in part.others.items()
    }
    if others:
        new_rows = np.empty(len(order), dtype=np.int64)
        new_rows[order] = np.arange(len(order))
        merged.others = {int(new_rows[row]): others[row] for row in sorted(others, key=lambda row: int(new_rows[row]))}
    return merged


def _nullable(name: str, column: np.ndarray) -> pl.Series:
    series = pl.Series(name, column, dtype=pl.Int64)
    return series if len(column) and column.min() >= 0 else series.set(series < 0, None)


def _targets(others: Mapping[int, AnyEvent]) -> tuple[pl.DataFrame, np.ndarray]:
    rows: list[dict[str, Any]] = []
    words: list[tuple[int, int]] = []
    for row, event in others.items():
        if isinstance(event, UsageEvent):
            continue
        words.append(identity_words(event.target_source, event.target_id))
        more: dict[str, Any] = {}
        if isinstance(event, AdjustmentEvent):
            more = event.amounts.model_dump() | (event.pricing.model_dump() if event.pricing else {})
        rows.append(
            {
                "row": row,
                "target_source": event.target_source,
                "target_id": event.target_id,
                "note": event.reason,
                **more,
            }
        )
    columns = {name: [each.get(name) for each in rows] for name in TARGET_SCHEMA}
    return pl.DataFrame(columns, schema=TARGET_SCHEMA), np.array(words, dtype=np.uint64).reshape(-1, 2)


def _spans(
    partitions: np.ndarray, offsets: np.ndarray, positions: np.ndarray, rejections: Sequence[Rejection]
) -> dict[int, Span]:
    rejected = np.array([rejection.partition for rejection in rejections], dtype=np.int64)
    events = partitions[positions]
    spans: dict[int, Span] = {}
    for partition in np.unique(partitions).tolist():
        own = offsets[partitions == partition]
        count = int(np.count_nonzero(events == partition) + np.count_nonzero(rejected == partition))
        spans[partition] = Span(int(own[0]), int(own[-1]) + 1, count)
    return spans

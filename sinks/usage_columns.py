"""From ledger rows in Arrow to the columns that rating takes, without looking at any single row.

A tag arrives as a dictionary: the few values are numbered once per batch, and rows are numbered by gathering. A map of
meters arrives as two long arrays, and each meter's quantities are picked out of them at once. Some 0.5 µs a row.
Units   times in µs since 1970, quantities in millionths (the two's complement of their Decimal(38, 6), low word).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as pt

from sinks import tables
from sinks.frames import polars_type
from sinks.usage import UsageRows
from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, USAGE_PREFIX, Kind

ALWAYS = ("kind", "event_time", "usage")
_KINDS: Mapping[str, int] = {kind.name.lower(): int(kind) for kind in Kind}
_TABLE_MAX = 1 << 22  # distinct combinations of tags that are looked up in a table; beyond it, they are sorted


def usage_rows(batches: Iterable[pa.RecordBatch], tags: Collection[str], columns: Collection[str]) -> UsageRows:
    """Batches with `ALWAYS`, `tags` and `columns`; each tag plain or as a dictionary, `usage` a map or a list."""
    parts = [batch for batch in batches if batch.num_rows]
    height = sum(part.num_rows for part in parts)
    dimension, dimensions = _dimensions(parts, [name for name in DIMENSION_COLUMNS if name in tags], height)
    kind, names = _numbered(parts, "kind", height)
    kinds = np.array([_KINDS[name] for name in names], dtype=np.uint8)
    frame = {
        "event_time": pl.Series(_joined([_microseconds(part.column("event_time")) for part in parts], np.int64)),
        "kind": pl.Series(kinds[kind], dtype=pl.UInt8),
        "dimension": pl.Series(dimension, dtype=pl.UInt32),
        **{name: _column(parts, name, height) for name in columns},
    }
    return UsageRows(pl.DataFrame(frame | _usage(parts, height)), dimensions)


def _numbered(parts: Sequence[pa.RecordBatch], name: str, height: int) -> tuple[np.ndarray, list[str]]:
    """A number per row, and the values numbered; only values that occur have one."""
    numbers = np.empty(height, dtype=np.int32)
    known: dict[str, int] = {}
    at = 0
    for part in parts:
        numbers[at : at + part.num_rows] = _numbers(part.column(name), known)
        at += part.num_rows
    return numbers, list(known)


def _numbers(values: pa.Array, known: dict[str, int]) -> np.ndarray:
    """Number the values of one batch by `known`, which grows."""
    encoded = values if pt.is_dictionary(values.type) else values.dictionary_encode()
    places = encoded.indices.to_numpy(zero_copy_only=False)
    used = np.flatnonzero(np.bincount(places, minlength=len(encoded.dictionary)))
    table = np.zeros(len(encoded.dictionary), dtype=np.int32)
    for place, value in zip(used.tolist(), encoded.dictionary.take(pa.array(used)).to_pylist(), strict=True):
        table[place] = known.setdefault(value, len(known))
    numbers: np.ndarray = table[places]
    return numbers


def _dimensions(parts: Sequence[pa.RecordBatch], tags: list[str], height: int) -> tuple[np.ndarray, pl.DataFrame]:
    """The number of each row's set of tags, and the sets."""
    numbers = np.zeros(height, dtype=np.int64)
    codes: dict[str, tuple[np.ndarray, list[str]]] = {}
    space = 1
    for name in tags:
        codes[name] = _numbered(parts, name, height)
        numbers = numbers * max(1, len(codes[name][1])) + codes[name][0]
        space *= max(1, len(codes[name][1]))
        if space > _TABLE_MAX:  # close the gaps before the product of all tags leaves 64 bits
            numbers, space = _dense(numbers, space)
    numbers, space = _dense(numbers, space)
    example = np.zeros(space, dtype=np.int64)
    example[numbers] = np.arange(height)
    sets = {
        name: pl.Series(codes[name][1], dtype=pl.String).gather(codes[name][0][example])
        if name in codes
        else pl.repeat("", space, dtype=pl.String, eager=True)
        for name in DIMENSION_COLUMNS
    }
    return numbers, pl.DataFrame(sets, schema=DIMENSION_SCHEMA)


def _dense(numbers: np.ndarray, space: int) -> tuple[np.ndarray, int]:
    """The same partition of the rows, numbered without gaps; and how many numbers there are."""
    if space > _TABLE_MAX:
        distinct, inverse = np.unique(numbers, return_inverse=True)
        return inverse.reshape(-1).astype(np.int64), len(distinct)
    occurs = np.zeros(space, dtype=bool)
    occurs[numbers] = True
    table = np.cumsum(occurs, dtype=np.int64) - 1
    return table[numbers], int(occurs.sum())


def _column(parts: Sequence[pa.RecordBatch], name: str, height: int) -> pl.Series:
    """One column as `sinks.frames` has it, but for times, which are µs since 1970."""
    wanted = tables.LEDGER.field(name).type
    if pt.is_dictionary(wanted):
        numbers, values = _numbered(parts, name, height)
        return pl.Series(values, dtype=pl.String).gather(numbers)
    if pt.is_timestamp(wanted):
        return pl.Series(_joined([_microseconds(part.column(name)) for part in parts], np.int64))
    if not parts:
        return pl.Series(dtype=polars_type(wanted))
    chunks = pa.chunked_array([part.column(name) for part in parts])
    return pl.Series(pl.from_arrow(chunks)).cast(polars_type(wanted)).rechunk()


def _microseconds(times: pa.Array) -> np.ndarray:
    if pt.is_integer(times.type):  # ClickHouse sends its DateTime as bare seconds
        seconds: np.ndarray = times.cast(pa.int64()).to_numpy()
        return seconds * 1_000_000
    found: np.ndarray = times.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return found


def _joined(arrays: list[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=dtype)


def _usage(parts: Sequence[pa.RecordBatch], height: int) -> dict[str, pl.Series]:
    """A usage.* column per meter that occurs, by name."""
    entries = [_entries(part.column("usage")) for part in parts]
    known: dict[str, int] = {}
    numbers = [_numbers(meters, known) for _, meters, _ in entries]
    quantities = np.zeros((len(known), height), dtype=np.int64)
    present = np.zeros((len(known), height), dtype=bool)
    at = 0
    for part, (lengths, _, values), meter in zip(parts, entries, numbers, strict=True):
        rows = np.repeat(np.arange(at, at + part.num_rows), lengths)
        places = meter * np.int64(height) + rows
        quantities.reshape(-1)[places] = _low_words(values)
        present.reshape(-1)[places] = True
        at += part.num_rows
    return {
        USAGE_PREFIX + name: pl.select(
            pl.when(pl.Series(present[number])).then(pl.Series(quantities[number]))
        ).to_series()
        for name, number in sorted(known.items())
    }


def _low_words(values: pa.Array) -> np.ndarray:
    """The lower 64 bits of each Decimal, which hold every quantity: at most 10^18 millionths, and their negatives."""
    words = np.frombuffer(values.buffers()[1], dtype=np.int64).reshape(-1, 2)
    return words[values.offset : values.offset + len(values), 0]


def _entries(usage: pa.Array) -> tuple[np.ndarray, pa.Array, pa.Array]:
    """How many entries each row has, the meters of all entries, and their quantities."""
    offsets = usage.offsets.to_numpy()
    if pt.is_map(usage.type):
        meters, values = usage.keys, usage.items
    else:
        meters, values = usage.values.field(0), usage.values.field(1)
    first, last = int(offsets[0]), int(offsets[-1])
    return np.diff(offsets), meters.slice(first, last - first), values.slice(first, last - first)

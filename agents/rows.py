"""From judged columns to the rows that a sink stores.

The rows of a block are assembled once, as one frame (`LedgerFrame`): accepted usage, voids and adjustments. Ledger
rows and the contributions to window totals are two views of it, so they cannot disagree.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from agents.admission import Judgement, Verdict
from agents.preparation import PreparedBlock
from agents.targets import RATED_LATER, UNPRICED
from billing.money import EXACT
from billing.windows import AMOUNT_COLUMNS, COUNT_COLUMNS, SERIES_COLUMNS, WindowTotals
from sinks import tables
from topics.block import DIMENSION_COLUMNS, QUANTITY_SCALE, USAGE_PREFIX, Kind, Rejection

MONEY = pl.Decimal(38, 12)
KIND_NAMES = np.array([kind.name.lower() for kind in Kind])
RATED_COLUMNS = ("pricing", "unpriced_reason", "price_version", "rule_version", "rule_id", "currency")
LEDGER_AMOUNTS = ("base_cost", *AMOUNT_COLUMNS)


@dataclass(frozen=True, slots=True)
class LedgerFrame:
    """The accepted rows of a block, with their tags apart (`rows["dimension"]` numbers `dimensions`)."""

    rows: pl.DataFrame
    dimensions: pl.DataFrame

    @property
    def meters(self) -> list[str]:
        return sorted(name for name in self.rows.columns if name.startswith(USAGE_PREFIX))


def ledger_frame(
    prepared: PreparedBlock, judgement: Judgement, window_starts: np.ndarray, mirrored: Sequence[Mapping[str, Any]]
) -> LedgerFrame:
    """Put accepted usage and accepted voids and adjustments (`mirrored`) into one frame."""
    block = prepared.block
    events = block.events.hstack(prepared.rated.select(*RATED_COLUMNS, *LEDGER_AMOUNTS)).with_columns(
        pl.Series("window_start", window_starts),
        pl.Series("identity_high", block.identities[:, 0]),
        pl.Series("identity_low", block.identities[:, 1]),
        pl.Series("payload_hash", block.payloads),
        pl.lit(0, dtype=pl.UInt64).alias("target_high"),
        pl.lit(0, dtype=pl.UInt64).alias("target_low"),
        pl.lit("").alias("note"),
    )
    accepted = judgement.verdicts == Verdict.ACCEPTED
    usage = accepted & (block.events["kind"].to_numpy() == Kind.USAGE)
    rows = events if usage.all() else events.filter(usage)
    if not mirrored:
        return LedgerFrame(rows, block.dimensions)
    tags = pl.DataFrame([row["tags"] for row in mirrored], schema=dict.fromkeys(DIMENSION_COLUMNS, pl.String))
    numbers = range(block.dimensions.height, block.dimensions.height + len(mirrored))
    places = events.select(
        "partition", "offset", "index", "record_time", "event_time", "id", "traceparent",
        "identity_high", "identity_low", "payload_hash",
    )[[row["row"] for row in mirrored]]  # fmt: skip
    meters = sorted({meter for row in mirrored for meter in row["usage"]})
    more = places.with_columns(
        pl.Series("kind", [int(row["kind"]) for row in mirrored], dtype=pl.UInt8),
        pl.Series("dimension", list(numbers), dtype=pl.UInt32),
        pl.Series("window_start", [row["window_start"] for row in mirrored], dtype=pl.Int64),
        pl.Series("target_high", [row["target_high"] for row in mirrored], dtype=pl.UInt64),
        pl.Series("target_low", [row["target_low"] for row in mirrored], dtype=pl.UInt64),
        pl.Series("note", [row["note"] for row in mirrored], dtype=pl.String),
        *(pl.Series(name, [row[name] for row in mirrored], dtype=pl.String) for name in RATED_COLUMNS),
        *(pl.Series(name, [row[name] for row in mirrored], dtype=MONEY) for name in LEDGER_AMOUNTS),
        *(
            pl.Series(USAGE_PREFIX + meter, [row["usage"].get(meter) for row in mirrored], dtype=pl.Int64)
            for meter in meters
        ),
    )
    return LedgerFrame(
        pl.concat([rows, more], how="diagonal"), pl.concat([block.dimensions, tags.select(DIMENSION_COLUMNS)])
    )


def contributions(frame: LedgerFrame, totals: WindowTotals) -> pl.DataFrame:
    """What each ledger row adds to its window total; unpriced amounts add nothing, and are counted until the usage is
    rated later or taken back."""
    kind = pl.col("kind")
    sign = pl.when(kind == Kind.USAGE).then(1).when(kind == Kind.VOID).then(-1).otherwise(0).cast(pl.Int64)
    pricing = pl.col("pricing")
    return frame.rows.select(
        "partition",
        "offset",
        "window_start",
        _series_numbers(frame, totals),
        pl.lit(1, dtype=pl.Int64).alias("ledger_rows"),
        sign.alias("net_events"),
        pl.when(pricing == UNPRICED)
        .then(sign)
        .when(pricing == RATED_LATER)
        .then(-1)
        .otherwise(0)
        .alias("unpriced_events"),
        *(pl.col(name).fill_null(Decimal(0)) for name in AMOUNT_COLUMNS),
        *frame.meters,
    )


def _series_numbers(frame: LedgerFrame, totals: WindowTotals) -> pl.Series:
    varying = ["dimension", "rule_id", "currency"]
    distinct = frame.rows.select(varying).unique(maintain_order=True)
    tags = [name for name in SERIES_COLUMNS if name in DIMENSION_COLUMNS]
    tagged = distinct.hstack(frame.dimensions.select(tags)[distinct["dimension"].to_list()])
    numbered = distinct.with_columns(
        pl.Series("series", totals.series.numbers(tagged.select(SERIES_COLUMNS).iter_rows()), dtype=pl.UInt32)
    )
    if distinct.height == distinct["dimension"].n_unique():  # one rule per tag set: gather instead of joining
        by_dimension = np.zeros(frame.dimensions.height, dtype=np.uint32)
        by_dimension[numbered["dimension"].to_numpy()] = numbered["series"].to_numpy()
        return pl.Series("series", by_dimension[frame.rows["dimension"].to_numpy()])
    return frame.rows.select(varying).join(numbered, on=varying, how="left", maintain_order="left")["series"]


def ledger_table(frame: LedgerFrame, topic_epoch: int) -> pa.Table:
    """`tables.LEDGER` rows in the table's own order, so that the server has nothing left to sort."""
    order = _ledger_order(frame)
    rows = frame.rows[order]
    dimension = rows["dimension"].to_numpy()
    height = rows.height
    columns: dict[str, Any] = {name: _gather_tag(frame.dimensions[name], dimension) for name in DIMENSION_COLUMNS}
    for name in (*RATED_COLUMNS, "note"):
        columns[name] = _tag(rows[name])
    columns["kind"] = pa.DictionaryArray.from_arrays(
        pa.array(rows["kind"].to_numpy().astype(np.int32)), pa.array(KIND_NAMES.tolist())
    )
    columns["topic_epoch"] = pa.array(np.full(height, topic_epoch, dtype=np.uint16))
    columns["source_partition"] = pa.array(rows["partition"].to_numpy().astype(np.uint16))
    columns["source_offset"] = rows["offset"].to_arrow()
    columns["batch_index"] = pa.array(rows["index"].to_numpy().astype(np.uint32))
    columns["window_start"] = pa.array(rows["window_start"].to_numpy()).cast(tables.LEDGER.field("window_start").type)
    for name in ("event_time", "record_time"):
        columns[name] = pa.array(rows[name].to_numpy()).cast(tables.TIME)
    for name in ("id", "traceparent"):
        columns[name] = rows[name].to_arrow().cast(pa.string())
    for name in ("identity_high", "identity_low", "payload_hash", "target_high", "target_low", *LEDGER_AMOUNTS):
        columns[name] = rows[name].to_arrow()
    columns["usage"] = usage_map(rows, frame.meters)
    return pa.Table.from_arrays([columns[name] for name in tables.LEDGER.names], schema=tables.LEDGER)


def _ledger_order(frame: LedgerFrame) -> np.ndarray:
    owners = frame.dimensions.select("builder", "tenant").with_row_index("dimension").sort("builder", "tenant")
    rank = np.empty(owners.height, dtype=np.int64)
    new = owners.select(pl.struct("builder", "tenant").rle_id())["builder"].to_numpy()
    rank[owners["dimension"].to_numpy()] = new
    rows = frame.rows
    return np.lexsort(
        (
            rows["index"].to_numpy(),
            rows["offset"].to_numpy(),
            rows["partition"].to_numpy(),
            rows["window_start"].to_numpy(),
            rank[rows["dimension"].to_numpy()],
        )
    )


def _gather_tag(values: pl.Series, rows: np.ndarray) -> pa.DictionaryArray:
    """The tag of each row: the few distinct values once, and a number for each row."""
    encoded = values.to_arrow().cast(pa.string()).dictionary_encode()
    return pa.DictionaryArray.from_arrays(pa.array(encoded.indices.to_numpy()[rows]), encoded.dictionary)


def _tag(values: pl.Series) -> pa.DictionaryArray:
    if len(values) and (values == values[0]).all():  # most blocks have one price version, one currency, one reason
        same = pa.array(np.zeros(len(values), dtype=np.int32))
        return pa.DictionaryArray.from_arrays(same, pa.array([values[0]], pa.string()))
    encoded: pa.DictionaryArray = values.to_arrow().cast(pa.string()).dictionary_encode()
    return encoded


def usage_map(rows: pl.DataFrame, columns: Sequence[str], *, keep_zero: bool = True) -> pa.MapArray:
    """The usage.* columns (millionths) of each row as a map of meter to Decimal(38, 6); null means absent."""
    height, width = rows.height, len(columns)
    quantities = np.zeros((height, width), dtype=np.int64)
    present = np.zeros((height, width), dtype=bool)
    for at, name in enumerate(columns):
        quantities[:, at] = rows[name].fill_null(0).to_numpy()
        present[:, at] = rows[name].is_not_null().to_numpy()
    if not keep_zero:
        present &= quantities != 0
    offsets = np.zeros(height + 1, dtype=np.int32)
    np.cumsum(present.sum(axis=1), out=offsets[1:])
    keys = np.broadcast_to(np.arange(width, dtype=np.int32), (height, width))[present]
    names = pa.array([name.removeprefix(USAGE_PREFIX) for name in columns], pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets), names.take(pa.array(keys)), _decimal(quantities[present]))


def _decimal(millionths: np.ndarray) -> pa.Array:
    """int64 millionths as Decimal(38, 6): the two's complement, widened to 128 bits."""
    words = np.empty((len(millionths), 2), dtype=np.int64)
    words[:, 0] = millionths
    words[:, 1] = millionths >> 63
    return pa.Array.from_buffers(tables.QUANTITY, len(millionths), [None, pa.py_buffer(words)])


def totals_table(changed: pl.DataFrame, totals: WindowTotals, topic_epoch: int) -> pa.Table:
    """`tables.TOTALS` rows: the changed totals, whole. Meters whose sum is 0 are left out."""
    series = pl.DataFrame(
        totals.series.tuples(changed["series"].to_list()), schema=dict.fromkeys(SERIES_COLUMNS, pl.String), orient="row"
    )
    columns: dict[str, Any] = {name: _tag(series[name]) for name in SERIES_COLUMNS}
    columns["window_start"] = pa.array(changed["window_start"].to_numpy()).cast(
        tables.TOTALS.field("window_start").type
    )
    columns["topic_epoch"] = pa.array(np.full(changed.height, topic_epoch, dtype=np.uint16))
    columns["source_partition"] = pa.array(changed["partition"].to_numpy().astype(np.uint16))
    for name in ("last_offset", *COUNT_COLUMNS, *AMOUNT_COLUMNS):
        columns[name] = changed[name].to_arrow()
    columns["usage"] = _sums_map(changed)
    return pa.Table.from_arrays([columns[name] for name in tables.TOTALS.names], schema=tables.TOTALS)


def _sums_map(changed: pl.DataFrame) -> pa.Array:
    """The usage.* sums of each row: wider than 64 bits, so made one by one; there are few totals."""
    meters = sorted(name for name in changed.columns if name.startswith(USAGE_PREFIX))
    entries: list[list[tuple[str, Decimal]]] = [[] for _ in range(changed.height)]
    for name in meters:
        meter = name.removeprefix(USAGE_PREFIX)
        for entry, millionths in zip(entries, changed[name].to_list(), strict=True):
            if millionths:
                entry.append((meter, EXACT.scaleb(Decimal(millionths), -QUANTITY_SCALE)))
    return pa.array(entries, type=tables.USAGE)


def stored_totals(stored: pl.DataFrame, totals: WindowTotals) -> pl.DataFrame:
    """What a sink answers to `read_totals`, as rows that `WindowTotals.load` takes."""
    maps = stored["usage"].to_list()  # a Series of lists yields Series, which have no truth value
    usage = [{entry["key"]: int(EXACT.scaleb(entry["value"], QUANTITY_SCALE)) for entry in row or []} for row in maps]
    meters = sorted({meter for row in usage for meter in row})
    return stored.select(
        pl.col("source_partition").cast(pl.Int32).alias("partition"),
        pl.col("window_start").dt.epoch("s").alias("window_start"),
        pl.Series("series", totals.series.numbers(stored.select(SERIES_COLUMNS).iter_rows()), dtype=pl.UInt32),
        pl.col("last_offset").cast(pl.Int64),
        *(pl.col(name).cast(pl.Int64) for name in COUNT_COLUMNS),
        *(pl.col(name).cast(MONEY) for name in AMOUNT_COLUMNS),
        *(pl.Series(USAGE_PREFIX + meter, [row.get(meter) for row in usage], dtype=pl.Int128) for meter in meters),
    )


def dead_letters_table(rejections: Sequence[Rejection], topic_epoch: int) -> pa.Table:
    """`tables.DEAD_LETTERS` rows."""
    columns = {
        "topic_epoch": [topic_epoch] * len(rejections),
        "source_partition": [rejection.partition for rejection in rejections],
        "source_offset": [rejection.offset for rejection in rejections],
        "batch_index": [rejection.index for rejection in rejections],
        "record_time": [rejection.record_time for rejection in rejections],
        "reason": [str(rejection.reason) for rejection in rejections],
        "detail": [rejection.detail for rejection in rejections],
        "record_key": [rejection.key for rejection in rejections],
        "record_value": [rejection.value for rejection in rejections],
        "record_headers": [
            json.dumps([[name, _base64(value)] for name, value in rejection.headers]) for rejection in rejections
        ],
    }
    arrays = []
    for field in tables.DEAD_LETTERS:
        if field.name == "record_time":
            arrays.append(pa.array(columns[field.name], pa.int64()).cast(tables.TIME))
        elif field.type == tables.TAG:
            arrays.append(pa.array(columns[field.name], pa.string()).dictionary_encode())
        else:
            arrays.append(pa.array(columns[field.name], field.type))
    return pa.Table.from_arrays(arrays, schema=tables.DEAD_LETTERS)


def _base64(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()

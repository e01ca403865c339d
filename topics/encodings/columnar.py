"""Columnar batch: many usage events as one Arrow IPC stream, the fast path for high volumes.

Encoding  tags become dictionaries, columns without content are left out, buffers are not compressed (Kafka compresses,
          and a compressed buffer declares its own size, which is how a small record would become a large one).
Key       a batch of one subject is keyed by it; a batch of several has no key, and whoever publishes it has to send it
          to the partition that all of its subjects belong to (topics/partitioner.py).
Decoding  is in columnar_read.py (bytes to checked columns) and topics/decode.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from topics.block import DIMENSION_COLUMNS, QUANTITY_SCALE, USAGE_PREFIX
from topics.encodings.columnar_schema import QUANTITY, ROWS_MAX, TIME, TYPE_METADATA, check_schema
from topics.encodings.message import COLUMNAR, CONTENT_TYPE, Message
from topics.events import UsageEvent
from topics.quantities import QUANTITY_DECIMALS

HEADERS = ((CONTENT_TYPE, COLUMNAR.encode()),)
_DEFAULTS = {name: str(field.default) for name, field in UsageEvent.model_fields.items() if not field.is_required()}
_METADATA = {TYPE_METADATA: UsageEvent.TYPE.encode()}
_INDEX = pa.int16()
_INDEX_MAX = 32_767


def encode_batch(events: Sequence[UsageEvent]) -> Message:
    """One record of 1 to 100,000 events, in their order."""
    columns: dict[str, pa.Array] = {
        "id": pa.array([event.id for event in events], pa.string()),
        "time": pa.array([event.time for event in events], TIME),
    }
    for name in (*DIMENSION_COLUMNS, "traceparent"):
        columns[name] = pa.array([str(getattr(event, name)) for event in events], pa.string())
    for meter in sorted({meter for event in events for meter in event.usage}):
        quantities = [event.usage.get(meter) for event in events]
        columns[USAGE_PREFIX + meter] = pa.array(quantities, QUANTITY)
    return encode_columns(pa.table(columns))


def encode_columns(table: pa.Table) -> Message:
    """One record of a table's rows; its columns as in columnar_schema.py, strings of any Arrow string type."""
    if not 0 < table.num_rows <= ROWS_MAX:
        raise ValueError(f"a batch holds 1 to {ROWS_MAX} events, not {table.num_rows}: split it")
    columns: dict[str, pa.Array] = {}
    for name in table.column_names:
        column = _encoded(name, _combined(table.column(name)))
        if column is not None:
            columns[name] = column
    batch = pa.RecordBatch.from_arrays(
        list(columns.values()),
        schema=pa.schema([(name, column.type) for name, column in columns.items()], metadata=_METADATA),
    )
    check_schema(batch.schema)
    return Message(write_stream(batch), HEADERS, _key(batch))


def write_stream(batch: pa.RecordBatch) -> bytes:
    """An Arrow IPC stream of one batch, buffers not compressed."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression=None)) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _combined(column: pa.ChunkedArray) -> pa.Array:
    chunks = column.unify_dictionaries().combine_chunks()
    return chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks


def _encoded(name: str, column: pa.Array) -> pa.Array | None:
    """The column as it is sent, or None where it says nothing."""
    if name.startswith(USAGE_PREFIX):
        return None if column.null_count == len(column) else _quantities(column)
    if name == "time":
        return column.cast(TIME)
    if name in DIMENSION_COLUMNS:
        tags = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values = tags.dictionary.cast(pa.string())
        if name in _DEFAULTS and set(values.to_pylist()) <= {_DEFAULTS[name], None}:
            return None
        index = _INDEX if len(values) <= _INDEX_MAX else pa.int32()
        return pa.DictionaryArray.from_arrays(tags.indices.cast(index), values)
    text = column.cast(pa.string())
    return None if name == "traceparent" and pc.all(pc.equal(pc.fill_null(text, ""), "")).as_py() else text


def _quantities(column: pa.Array) -> pa.Array:
    """int64 where every quantity is whole, else decimal128(38, 6)."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    exact = column.cast(QUANTITY)
    scale = pc.round(exact, ndigits=0)
    whole = pc.all(pc.equal(scale, exact)).as_py()
    return exact.cast(pa.decimal128(38, 0), safe=False).cast(pa.int64()) if whole else exact


def _key(batch: pa.RecordBatch) -> bytes | None:
    builders, tenants = (batch.column(name).unique().to_pylist() for name in ("builder", "tenant"))
    if len(builders) == len(tenants) == 1 and None not in (builders[0], tenants[0]):
        return f"{builders[0]}/{tenants[0]}".encode()
    return None


assert QUANTITY_SCALE == QUANTITY_DECIMALS  # noqa: S101  two names of one contract

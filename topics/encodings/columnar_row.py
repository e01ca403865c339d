"""One row of a batch: as envelope and data for the slow reading, and as a batch of its own for the dead letter."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa

from topics.block import DIMENSION_COLUMNS, USAGE_PREFIX
from topics.encodings.columnar import write_stream
from topics.encodings.columnar_read import as_binary
from topics.errors import EventRefusedError
from topics.events import SPECVERSION, UsageEvent
from topics.reasons import Reason
from topics.times import TIME_MAX, TIME_MIN, moment


def row_fields(batch: pa.RecordBatch, row: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """(envelope, data) of a row, for `validate_event`. Raises `EventRefusedError` with INVALID_UTF8."""
    envelope: dict[str, Any] = {"specversion": SPECVERSION, "type": UsageEvent.TYPE}
    data: dict[str, Any] = {"usage": {}}
    for name in batch.schema.names:
        column = batch.column(name).slice(row, 1)
        if name == "time":
            if column.null_count == 0:
                envelope["time"] = _time(column.cast(pa.int64())[0].as_py())
        elif name.startswith(USAGE_PREFIX):
            quantity = column[0].as_py()
            if quantity is not None:
                data["usage"][name.removeprefix(USAGE_PREFIX)] = quantity
        else:
            text = _text(name, column)
            if text is not None:
                (data if name in DIMENSION_COLUMNS and name != "source" else envelope)[name] = text
    envelope["subject"] = f"{data.get('builder', '')}/{data.get('tenant', '')}"
    return envelope, data


def single_row(batch: pa.RecordBatch, row: int) -> bytes:
    """A stream of this row alone: the same columns, dictionaries with the one value that is used."""
    columns = [_single(batch.column(name).slice(row, 1)) for name in batch.schema.names]
    return write_stream(pa.RecordBatch.from_arrays(columns, schema=batch.schema))


def _single(column: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(column.type):
        # A copy: a slice would be written with the offsets of the whole column.
        return pa.concat_arrays([column])
    index = column.indices[0].as_py()
    value = column.dictionary.slice(0 if index is None else index, 0 if index is None else 1)
    indices = pa.array([None if index is None else 0], column.indices.type)
    return pa.DictionaryArray.from_arrays(indices, pa.concat_arrays([value]), safe=False)


def _time(microseconds: int) -> datetime | str:
    if TIME_MIN <= microseconds <= TIME_MAX:
        return moment(microseconds)
    return f"{microseconds} microseconds since 1970"


def _text(name: str, column: pa.Array) -> str | None:
    if pa.types.is_dictionary(column.type):
        index = column.indices[0].as_py()
        if index is None:
            return None
        column = column.dictionary.slice(index, 1)
    value: bytes | None = as_binary(column)[0].as_py()
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        raise EventRefusedError(Reason.INVALID_UTF8, f"{name} is not UTF-8: encode it as UTF-8") from None

"""Bytes of a stranger to record batches that are safe to compute with.

Order   1. The frames of the stream are walked by hand: lengths, message kinds, rows, and whether a body is compressed.
           Nothing is decompressed or allocated before that: a compressed buffer declares its own size.
        2. The schema is read and compared with the contract.
        3. The batches are read, and every offset, index and null count is checked before anything follows it.
Errors  `EventRefusedError` with BATCH_UNREADABLE, BATCH_COMPRESSED, BATCH_SCHEMA or BATCH_TOO_LARGE: the whole record.
        Texts are handed on as binary: one that is not UTF-8 costs its row, not the batch.
Format  https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format, and Flatbuffers' tables.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from topics.encodings.columnar_schema import ROWS_MAX, check_schema
from topics.errors import EventRefusedError
from topics.problems import shown
from topics.reasons import Reason

_CONTINUATION = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a Message
_ROWS, _COMPRESSION = 0, 3  # fields of a RecordBatch
_DATA = 1  # field of a DictionaryBatch


class Frames(NamedTuple):
    """What walking the frames tells of a stream."""

    rows: int
    compressed: bool


class _BrokenError(ValueError):
    """The bytes are no Arrow stream."""


def read_batches(value: bytes) -> list[pa.RecordBatch]:
    """The batches of a stream, all offsets and indices within bounds; texts are not checked yet."""
    try:
        frames = walk(value)
    except _BrokenError as error:
        raise _unreadable(str(error)) from None
    if frames.compressed:
        raise EventRefusedError(
            Reason.BATCH_COMPRESSED,
            "buffers of the batch are compressed: write them plain, Kafka compresses the record",
        )
    try:
        reader = pa.ipc.open_stream(pa.py_buffer(value))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _unreadable(str(error)) from None
    _check_schema(reader)
    if frames.rows > ROWS_MAX:
        raise EventRefusedError(
            Reason.BATCH_TOO_LARGE, f"the batch holds {frames.rows} events, at most {ROWS_MAX} are read: split it"
        )
    try:
        batches = list(reader)
        for batch in batches:
            for column in batch.columns:
                _check_column(column)
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        raise _unreadable(str(error)) from None
    return batches


def _check_schema(reader: pa.RecordBatchStreamReader) -> None:
    try:
        check_schema(reader.schema)
    except UnicodeDecodeError:  # names, metadata and time zones are decoded when they are asked for
        raise _unreadable("a name in the schema is not UTF-8") from None


def as_binary(texts: pa.Array) -> pa.Array:
    """A text column's bytes, without looking at them."""
    return texts.view(pa.binary())


def _check_column(column: pa.Array) -> None:
    if not pa.types.is_dictionary(column.type):
        (as_binary(column) if pa.types.is_string(column.type) else column).validate(full=True)
        return
    as_binary(column.dictionary).validate(full=True)
    column.indices.validate(full=True)
    indices = column.indices.drop_null().to_numpy(zero_copy_only=False)
    if len(indices) and not 0 <= int(np.min(indices)) <= int(np.max(indices)) < len(column.dictionary):
        raise _BrokenError("an index lies outside of its dictionary")


def walk(value: bytes) -> Frames:
    """Every frame of the stream, from the first byte to the end-of-stream mark, which has to be the last."""
    rows, compressed, place, first = 0, False, 0, True
    while True:
        if _number(value, place, "<I") != _CONTINUATION:
            raise _BrokenError(f"no message starts at byte {place}")
        length = _number(value, place + 4, "<i")
        if length == 0:
            if place + 8 != len(value):
                raise _BrokenError(f"{len(value) - place - 8} bytes follow the end of the stream")
            if first:
                raise _BrokenError("the stream has no schema")
            return Frames(rows, compressed)
        start, end = place + 8, place + 8 + length
        if length < 0 or end > len(value):
            raise _BrokenError(f"the message at byte {place} is cut off")
        table = _Table.root(value[start:end])
        kind = table.number(_HEADER_TYPE, "<B", 0)
        if (kind == _SCHEMA) is not first or kind not in (_SCHEMA, _DICTIONARY, _BATCH):
            raise _BrokenError(f"the message at byte {place} is out of place")
        first = False
        if kind != _SCHEMA:
            body = table.table(_HEADER)
            batch = body.table(_DATA) if kind == _DICTIONARY else body
            compressed = compressed or batch.has(_COMPRESSION)
            count = batch.number(_ROWS, "<q", 0)
            if count < 0:
                raise _BrokenError("a batch has a negative number of rows")
            rows += count if kind == _BATCH else 0
        size = table.number(_BODY_LENGTH, "<q", 0)
        if size < 0 or end + size > len(value):
            raise _BrokenError(f"the body of the message at byte {place} is cut off")
        place = end + size


class _Table(NamedTuple):
    """A Flatbuffers table: field numbers to places, through its vtable."""

    data: bytes
    place: int
    fields: int  # place of the vtable
    fields_size: int

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls.at(data, _number(data, 0, "<I"))

    @classmethod
    def at(cls, data: bytes, place: int) -> _Table:
        fields = place - _number(data, place, "<i")
        return cls(data, place, fields, _number(data, fields, "<H"))

    def has(self, field: int) -> bool:
        return self._place(field) is not None

    def number(self, field: int, form: str, default: int) -> int:
        place = self._place(field)
        return default if place is None else _number(self.data, place, form)

    def table(self, field: int) -> _Table:
        place = self._place(field)
        if place is None:
            raise _BrokenError("a message has no header")
        return _Table.at(self.data, place + _number(self.data, place, "<I"))

    def _place(self, field: int) -> int | None:
        slot = 4 + 2 * field
        if slot + 2 > self.fields_size:
            return None
        offset = _number(self.data, self.fields + slot, "<H")
        return self.place + offset if offset else None


_FORMS = {form: struct.Struct(form) for form in ("<B", "<H", "<I", "<i", "<q")}


def _number(data: bytes, place: int, form: str) -> int:
    reader = _FORMS[form]
    if place < 0 or place + reader.size > len(data):
        raise _BrokenError("the stream is cut off or damaged")
    number: int = reader.unpack_from(data, place)[0]
    return number


def _unreadable(why: str) -> EventRefusedError:
    return EventRefusedError(
        Reason.BATCH_UNREADABLE, f"the batch is no readable Arrow IPC stream ({shown(why)}): write it again"
    )

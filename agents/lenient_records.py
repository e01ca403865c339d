"""Kafka batches whose header names may be any bytes: aiokafka reads them as UTF-8 and raises.

The protocol says UTF-8, brokers do not look, and a client in C can send what it likes. A record that the consumer
cannot read would stop every worker that comes to it, for ever. So a batch that raises is read once more, record by
record, with what is no UTF-8 in a name written as `\\xff`. Everything else costs what it did before: a batch is
handed on as it is, and `PartitionRecords` skips what it has already taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

_LENGTH = struct.Struct(">i")
_LENGTH_AT = 8  # after the base offset; it counts what follows it
_HEADER_BYTES = _LENGTH_AT + _LENGTH.size


class LenientMemoryRecords:
    """In place of aiokafka's `MemoryRecords`: the same batches, each of which can be read twice."""

    def __init__(self, data: bytes) -> None:
        self._data, self._position = memoryview(data), 0
        self._records = MemoryRecords(data)

    def size_in_bytes(self) -> int:
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        return bool(self._records.has_next())

    def next_batch(self) -> LenientBatch:
        """The next one; a broker answers with whole batches, one behind the other, and maybe a part of one."""
        start = self._position
        self._position += _HEADER_BYTES + _LENGTH.unpack_from(self._data, start + _LENGTH_AT)[0]
        return LenientBatch(self._records.next_batch(), self._data[start : self._position])


class LenientBatch:
    """A batch, and its bytes in case it cannot be read."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch, self._data = batch, data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            yield from self._batch
        except (UnicodeDecodeError, CorruptRecordException):
            yield from _AnyNames(self._data)


class _AnyNames(_DefaultRecordBatchPy):  # type: ignore[misc]  # final to aiokafka; there is no other way in
    """aiokafka's own reader in Python, but for the headers' names. Raises CorruptRecordException for real damage."""

    _pos: int

    def _read_msg(self, *_: object) -> _DefaultRecordPy:
        buffer = self._buffer
        length, start = decode_varint(buffer, self._pos)
        _attributes, at = decode_varint(buffer, start)
        since, at = decode_varint(buffer, at)
        delta, at = decode_varint(buffer, at)
        key, at = _nullable(buffer, at)
        value, at = _nullable(buffer, at)
        count, at = decode_varint(buffer, at)
        headers: list[tuple[str, bytes | None]] = []
        for _number in range(count):
            name, at = _nullable(buffer, at)
            content, at = _nullable(buffer, at)
            headers.append(((name or b"").decode("utf-8", "backslashreplace"), content))
        if at != start + length or at > len(buffer):
            raise ValueError(f"a record of {length} bytes has {at - start}")
        self._pos = at
        appended = self.timestamp_type == self.LOG_APPEND_TIME
        timestamp = self.max_timestamp if appended else self.first_timestamp + since
        return _DefaultRecordPy(self.base_offset + delta, timestamp, self.timestamp_type, key, value, headers)


def _nullable(buffer: bytearray, at: int) -> tuple[bytes | None, int]:
    length, at = decode_varint(buffer, at)
    return (None, at) if length < 0 else (bytes(buffer[at : at + length]), at + length)


def install() -> None:
    """Have aiokafka's consumers of this process read so."""
    fetcher.MemoryRecords = LenientMemoryRecords

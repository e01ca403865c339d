"""Batches as a broker hands them over, with header names that are no UTF-8, through aiokafka's own reading of them."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

import agents.transport  # installs the reader under test
from agents.lenient_records import LenientMemoryRecords

NO_COMPRESSION, GZIP, LZ4 = 0, 1, 3
RECORDS = 5
ODD = b"na\xff\xfe"  # as long as the name it takes the place of


def batch(odd: int | None, compression: int = NO_COMPRESSION) -> bytes:
    """Five records in one batch; record `odd` has a header whose name is no UTF-8."""
    builder = _DefaultRecordBatchBuilderPy(2, compression, 0, -1, -1, -1, 100_000)
    for number in range(RECORDS):
        builder.append(number, 1_790_000_000_000 + number, b"k", b"v%d" % number, [("naXX", b"1"), ("null", None)])
    if odd is not None:
        plain = bytes(builder._buffer)
        parts = plain.split(b"naXX")
        assert len(parts) == RECORDS + 1
        names = [ODD if number == odd else b"naXX" for number in range(RECORDS)]
        builder._buffer = bytearray(parts[0] + b"".join(n + p for n, p in zip(names, parts[1:], strict=True)))
    return bytes(builder.build())


def read(*batches: bytes, skip_to: int = 0) -> list[Any]:
    assert agents.transport is not None
    assert fetcher.MemoryRecords is LenientMemoryRecords
    records = fetcher.MemoryRecords(b"".join(batches))
    taken = fetcher.PartitionRecords(TopicPartition("t", 0), records, [], skip_to, None, None, True, 1)
    return list(taken)


@pytest.mark.parametrize("compression", [NO_COMPRESSION, GZIP, LZ4])
@pytest.mark.parametrize("odd", [None, 0, 3, RECORDS - 1])
def test_every_record_is_read_once_whatever_its_headers_are_called(odd: int | None, compression: int) -> None:
    found = read(batch(odd, compression))
    assert [record.offset for record in found] == list(range(RECORDS))
    assert [record.value for record in found] == [b"v%d" % number for number in range(RECORDS)]
    assert [record.timestamp for record in found] == [1_790_000_000_000 + number for number in range(RECORDS)]
    for number, record in enumerate(found):
        name = r"na\xff\xfe" if number == odd else "naXX"
        assert list(record.headers) == [(name, b"1"), ("null", None)]


def test_what_was_taken_before_is_not_taken_again() -> None:
    assert [record.offset for record in read(batch(3), skip_to=2)] == [2, 3, 4]


def test_the_batches_after_an_odd_one_are_read_as_well() -> None:
    assert len(read(batch(1), batch(None), batch(4))) == RECORDS  # equal offsets: the others were taken before
    records = LenientMemoryRecords(batch(1) + batch(None) + batch(4) + b"the beginning of anoth")
    counts = []
    while records.has_next():
        counts.append(len(list(records.next_batch())))
    assert counts == [1 + RECORDS, RECORDS, 4 + RECORDS]  # PartitionRecords drops what comes twice


def test_real_damage_is_still_an_error() -> None:
    damaged = bytearray(batch(None))
    damaged[61] = 0xFF  # the first record's length
    records = LenientMemoryRecords(bytes(damaged))
    with pytest.raises(CorruptRecordException):
        list(records.next_batch())

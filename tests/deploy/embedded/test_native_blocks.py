"""ClickHouse's own compression, checked against what the engine itself writes to disk in the same format."""

from __future__ import annotations

import struct

import chdb
import pytest

from deploy.embedded.clickhouse_front import native_blocks
from deploy.embedded.clickhouse_front.failures import EngineFailure


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Column files of one table: blocks of many lengths, in LZ4, in ZSTD and plain."""
    folder = tmp_path_factory.mktemp("engine")
    engine = chdb.connect(str(folder))  # type: ignore[no-untyped-call]
    try:
        engine.query(
            "CREATE TABLE t (a UInt64, b String CODEC(ZSTD), c UInt8 CODEC(NONE)) ENGINE = MergeTree ORDER BY a "
            "SETTINGS min_bytes_for_wide_part = 0, min_rows_for_wide_part = 0"
        )
        for rows in (1, 2, 3, 5, 9, 17, 30, 100, 1_000, 70_000):
            engine.query(f"INSERT INTO t SELECT number, repeat('x', number % 7), number % 256 FROM numbers({rows})")
        return [content for path in folder.glob("store/**/*.bin") if (content := path.read_bytes())]
    finally:
        engine.close()


def test_the_engines_own_blocks_are_read(written: list[bytes]) -> None:
    methods, sizes = set(), set()
    for content in written:
        native_blocks.unpack(content)  # checks every checksum and every length
        method, packed, _ = struct.unpack_from("<BII", content, 16)
        methods.add(method)
        sizes.add(packed)

    assert methods == {native_blocks.LZ4, native_blocks.ZSTD, native_blocks.PLAIN}
    assert min(sizes) < 16 < 128 < max(sizes)  # every branch of the checksum


@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 16, 17, 127, 128, 129, 1_000, (1 << 20) + 5])
def test_what_is_packed_is_read_again(size: int) -> None:
    data = bytes(index * index % 251 for index in range(size))

    assert bytes(native_blocks.unpack(native_blocks.pack(memoryview(data)))) == data


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda packed: packed[:-1], 271),
        (lambda packed: packed[:20], 271),
        (lambda packed: packed[:-1] + bytes([packed[-1] ^ 1]), 40),
        (lambda packed: bytes([packed[0] ^ 1]) + packed[1:], 40),
        (lambda packed: b"not compressed at all, but long enough to hold a header", 271),
    ],
)
def test_a_damaged_block_is_refused(spoil: object, code: int) -> None:
    packed = native_blocks.pack(memoryview(b"a ledger " * 20))

    with pytest.raises(EngineFailure) as refused:
        native_blocks.unpack(spoil(packed))  # type: ignore[operator]

    assert refused.value.code == code

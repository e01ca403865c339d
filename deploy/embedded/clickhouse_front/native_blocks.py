"""ClickHouse's own compression (`compress=1`, `decompress=1`): blocks of at most 1 MiB, each with its checksum.

A block is a checksum (16 bytes), a method (1), the size packed (4, these nine bytes included), the size unpacked (4)
and the data; integers are little-endian. The checksum is CityHash128 of version 1.0.2, which is not the current one.
In plain Python it takes some 60 ms a MiB: for clients that know nothing else.
"""

from __future__ import annotations

import struct

import cramjam

from deploy.embedded.clickhouse_front.failures import EngineFailure

LZ4, ZSTD, PLAIN = 0x82, 0x90, 0x02
BLOCK_BYTES = 1 << 20
UNPACKED_BYTES_MAX = 1 << 30
_HEADER = struct.Struct("<BII")

_M64 = (1 << 64) - 1
_K0, _K1, _K2, _K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949D7C7509E6557
_MUL = 0x9DDFEA08EB382D69


def unpack(body: bytes) -> memoryview:
    """Blocks to bytes. EngineFailure when a checksum, a size or a method is wrong."""
    unpacked = bytearray()
    position = 0
    while position < len(body):
        checksum = body[position : position + 16]
        if len(body) < position + 16 + _HEADER.size:
            raise _broken("the last block is cut off")
        method, packed_size, size = _HEADER.unpack_from(body, position + 16)
        end = position + 16 + packed_size
        if packed_size < _HEADER.size or end > len(body) or size > UNPACKED_BYTES_MAX:
            raise _broken("a block has an impossible size")
        if city_hash_128(body[position + 16 : end]) != checksum:
            raise EngineFailure.of(40, "CHECKSUM_DOESNT_MATCH", "Checksum doesn't match: corrupted data")
        data = body[position + 16 + _HEADER.size : end]
        try:
            block = _unpack_block(method, data, size)
        except cramjam.DecompressionError as error:
            raise _broken(str(error)) from error
        if len(block) != size:
            raise _broken("a block is not as long as it says")
        unpacked += block
        position = end
    return memoryview(unpacked)


def pack(data: memoryview) -> bytes:
    """Bytes to blocks, in LZ4."""
    blocks = bytearray()
    for start in range(0, len(data), BLOCK_BYTES):
        part = data[start : start + BLOCK_BYTES]
        packed = bytes(cramjam.lz4.compress_block(part, store_size=False))
        block = _HEADER.pack(LZ4, len(packed) + _HEADER.size, len(part)) + packed
        blocks += city_hash_128(block) + block
    return bytes(blocks)


class NativeBlocks:
    """A `Compressor` of this format."""

    def add(self, piece: memoryview) -> bytes:
        """Every piece is whole blocks."""
        return pack(piece)

    def finish(self) -> bytes:
        """Nothing is held back."""
        return b""


def _unpack_block(method: int, data: bytes, size: int) -> bytes:
    if method == LZ4:
        return bytes(cramjam.lz4.decompress_block(data, output_len=size))
    if method == ZSTD:
        return bytes(cramjam.zstd.decompress(data))
    if method == PLAIN:
        return data
    raise _broken(f"unknown method {method:#x}")


def _broken(why: str) -> EngineFailure:
    return EngineFailure.of(271, "CANNOT_DECOMPRESS", f"The body is not in ClickHouse's compressed format: {why}")


def city_hash_128(data: bytes) -> bytes:
    """CityHash128, version 1.0.2, low half first."""
    size = len(data)
    if size >= 16:
        low, high = struct.unpack_from("<QQ", data)
        halves = _city_128(data[16:], low ^ _K3, high)
    elif size >= 8:
        low, high = int.from_bytes(data[:8], "little"), int.from_bytes(data[-8:], "little")
        halves = _city_128(b"", low ^ (size * _K0 & _M64), high ^ _K1)
    else:
        halves = _city_128(data, _K0, _K1)
    return struct.pack("<QQ", *halves)


def _rotate(value: int, by: int) -> int:
    return (value >> by | value << (64 - by)) & _M64


def _mix(value: int) -> int:
    return value ^ value >> 47


def _fold(u: int, v: int) -> int:
    a = _mix((u ^ v) * _MUL & _M64)
    b = _mix((v ^ a) * _MUL & _M64)
    return b * _MUL & _M64


def _short(data: bytes) -> int:
    size = len(data)
    if size > 8:
        a, b = int.from_bytes(data[:8], "little"), int.from_bytes(data[-8:], "little")
        return _fold(a, _rotate(b + size & _M64, size)) ^ b
    if size >= 4:
        a, b = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _fold(size + (a << 3), b)
    if size:
        y, z = data[0] + (data[size >> 1] << 8), size + (data[-1] << 2)
        return _mix(y * _K2 & _M64 ^ z * _K3 & _M64) * _K2 & _M64
    return _K2


def _murmur(data: bytes, low: int, high: int) -> tuple[int, int]:
    size = len(data)
    a, b = low, high
    if size <= 16:
        a = _mix(a * _K1 & _M64) * _K1 & _M64
        c = (b * _K1 + _short(data)) & _M64
        d = _mix(a + (int.from_bytes(data[:8], "little") if size >= 8 else c) & _M64)
    else:
        before_last, last = struct.unpack_from("<QQ", data, size - 16)
        c = _fold(last + _K1 & _M64, a)
        d = _fold(b + size & _M64, c + before_last & _M64)
        a = a + d & _M64
        for at in range(0, size - 16, 16):
            first, second = struct.unpack_from("<QQ", data, at)
            a = (a ^ _mix(first * _K1 & _M64) * _K1 & _M64) * _K1 & _M64
            b ^= a
            c = (c ^ _mix(second * _K1 & _M64) * _K1 & _M64) * _K1 & _M64
            d ^= c
    a, b = _fold(a, c), _fold(d, b)
    return a ^ b, _fold(b, a)


def _weak(words: tuple[int, ...], at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = words[at : at + 4]
    a += w
    b = _rotate(b + a + z & _M64, 21)
    c = a
    a += x + y
    b += _rotate(a & _M64, 44)
    return a + z & _M64, b + c & _M64


def _city_128(data: bytes, low: int, high: int) -> tuple[int, int]:
    size = len(data)
    if size < 128:
        return _murmur(data, low, high)
    x, y, z = low, high, size * _K1 & _M64
    first = struct.unpack_from("<16Q", data)
    v0 = _rotate(y ^ _K1, 49) * _K1 + first[0] & _M64
    v1 = _rotate(v0, 42) * _K1 + first[1] & _M64
    w0 = _rotate(y + z & _M64, 35) * _K1 + x & _M64
    w1 = _rotate(x + first[11] & _M64, 53) * _K1 & _M64
    whole = size - size % 128
    for start in range(0, whole, 64):
        words = struct.unpack_from("<8Q", data, start)
        x = _rotate(x + y + v0 + words[2] & _M64, 37) * _K1 & _M64
        y = _rotate(y + v1 + words[6] & _M64, 42) * _K1 & _M64
        x ^= w1
        y ^= v0
        z = _rotate(z ^ w0, 33)
        v0, v1 = _weak(words, 0, v1 * _K1, x + w0)
        w0, w1 = _weak(words, 4, z + w1, y)
        z, x = x, z
    y = y + _rotate(w0, 37) * _K0 + z & _M64
    x = x + _rotate(v0 + z & _M64, 49) * _K0 & _M64
    # The rest, from its end, in steps of 32 bytes that may reach back into what was read already.
    done = 0
    while done < size - whole:
        done += 32
        words = struct.unpack_from("<4Q", data, size - done)
        y = _rotate(y - x & _M64, 42) * _K0 + v1 & _M64
        w0 = w0 + words[2] & _M64
        x = _rotate(x, 49) * _K0 + w0 & _M64
        w0 = w0 + v0 & _M64
        v0, v1 = _weak(words, 0, v0, v1)
    x, y = _fold(x, v0), _fold(y, w0)
    return _fold(x + v1 & _M64, w1) + y & _M64, _fold(x + w1 & _M64, y + v1 & _M64)

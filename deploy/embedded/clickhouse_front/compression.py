"""Compression of requests and answers: HTTP content codings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import cramjam

from deploy.embedded.clickhouse_front.failures import EngineFailure


class Compressor(Protocol):
    """Takes an answer piece by piece."""

    def add(self, piece: memoryview) -> bytes:
        """Whatever is ready to be sent, possibly nothing."""

    def finish(self) -> bytes:
        """The rest."""


_DECOMPRESS: Mapping[str, Callable[[bytes], Any]] = {
    "br": cramjam.brotli.decompress,
    "bz2": cramjam.bzip2.decompress,
    "deflate": cramjam.zlib.decompress,  # the coding named deflate is the zlib format
    "gzip": cramjam.gzip.decompress,
    "lz4": cramjam.lz4.decompress,
    "snappy": cramjam.snappy.decompress,
    "x-gzip": cramjam.gzip.decompress,
    "xz": cramjam.xz.decompress,
    "zstd": cramjam.zstd.decompress,
}
# In ClickHouse's order of preference.
_COMPRESS: Mapping[str, Callable[[], Any]] = {
    "zstd": lambda: cramjam.zstd.Compressor(1),
    "br": lambda: cramjam.brotli.Compressor(1),
    "lz4": cramjam.lz4.Compressor,
    "snappy": cramjam.snappy.Compressor,
    "gzip": lambda: cramjam.gzip.Compressor(3),
    "deflate": lambda: cramjam.zlib.Compressor(3),
}


def decompress(body: bytes, coding: str) -> memoryview:
    """A whole request body. EngineFailure when the coding is unknown or the data is not in it."""
    unpack = _DECOMPRESS.get(coding)
    if unpack is None:
        raise EngineFailure.of(48, "NOT_IMPLEMENTED", f"Unknown compression method {coding}")
    try:
        return memoryview(unpack(body))
    except cramjam.DecompressionError as error:
        raise EngineFailure.of(271, "CANNOT_DECOMPRESS", f"The body is not {coding}: {error}") from error


def choose(accepted: str) -> str | None:
    """The coding to answer in, from an Accept-Encoding header; None is plain."""
    names = {part.partition(";")[0].strip().lower() for part in accepted.split(",")}
    return next((coding for coding in _COMPRESS if coding in names), None)


class ContentCoding:
    """A `Compressor` for a content coding."""

    def __init__(self, coding: str) -> None:
        self._compressor = _COMPRESS[coding]()

    def add(self, piece: memoryview) -> bytes:
        self._compressor.compress(bytes(piece))
        return bytes(self._compressor.flush())

    def finish(self) -> bytes:
        return bytes(self._compressor.finish())

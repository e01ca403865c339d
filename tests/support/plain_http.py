"""ClickHouse over plain HTTP, one request per connection: what no client library smooths over."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlencode, urlsplit

import cramjam

CODECS = {
    "gzip": cramjam.gzip,
    "deflate": cramjam.zlib,
    "zstd": cramjam.zstd,
    "lz4": cramjam.lz4,
    "br": cramjam.brotli,
}


class Answer:
    """An answer, read to its end."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()


def ask(
    url: str, body: Any = None, *, method: str = "POST", headers: dict[str, str] | None = None, **parameters: str
) -> Answer:
    """One plain HTTP request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, "/?" + urlencode(parameters), body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


def packed(coding: str, data: bytes) -> bytes:
    """In an HTTP content coding."""
    return bytes(CODECS[coding].compress(data))


def unpacked(coding: str, data: bytes) -> bytes:
    """Out of an HTTP content coding."""
    return bytes(CODECS[coding].decompress(data))

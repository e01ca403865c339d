"""Whose event is in a dead letter? Its id and source, where they can be read at all."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from topics.content import Encoding, encoding_of
from topics.encodings.columnar_read import read_batches
from topics.encodings.message import CLOUDEVENTS_HEADER
from topics.errors import TopicError

Identity = tuple[str, str] | None  # (source, id); source "" where it is missing


def identity_in(letter: Mapping[str, Any]) -> Identity:
    """The identity of the event in a `dead_letters` row, None where there is none that could be read."""
    headers = [
        (str(name), None if value is None else base64.b64decode(value))
        for name, value in json.loads(letter["record_headers"])
    ]
    value: bytes = letter["record_value"] or b""
    try:
        encoding = encoding_of(headers)
        if encoding is Encoding.BINARY:
            return _of_headers(headers)
        return _of_batch(value) if encoding is Encoding.COLUMNAR else _of_json(value)
    except (TopicError, UnicodeDecodeError, ValueError, LookupError):
        return None


def _of_headers(headers: Sequence[tuple[str, bytes | None]]) -> Identity:
    found = {name: (value or b"").decode() for name, value in headers if name.startswith(CLOUDEVENTS_HEADER)}
    return _identity(found.get(CLOUDEVENTS_HEADER + "source"), found.get(CLOUDEVENTS_HEADER + "id"))


def _of_json(value: bytes) -> Identity:
    event = msgspec.json.decode(value)  # a DecodeError is a ValueError
    return _identity(event.get("source"), event.get("id")) if isinstance(event, dict) else None


def _of_batch(value: bytes) -> Identity:
    [row] = [row for batch in read_batches(value) for row in batch.select(["source", "id"]).to_pylist()]
    return _identity(row["source"], row["id"])


def _identity(source: object, event_id: object) -> Identity:
    return (source if isinstance(source, str) else "", event_id) if isinstance(event_id, str) else None

"""Which encoding a record is in, by its headers."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from topics.encodings.message import BINARY, CLOUDEVENTS_HEADER, COLUMNAR, CONTENT_TYPE, STRUCTURED
from topics.errors import EventRefusedError
from topics.problems import shown
from topics.reasons import Reason


class Encoding(Enum):
    """The three forms of topics/encodings/."""

    STRUCTURED = STRUCTURED
    BINARY = BINARY
    COLUMNAR = COLUMNAR


_BY_TYPE = {encoding.value: encoding for encoding in Encoding}


def encoding_of(headers: Sequence[tuple[str, bytes | None]]) -> Encoding:
    """By content type; without one, binary mode if there are `ce_` headers, else structured.

    Raises `EventRefusedError` with UNKNOWN_CONTENT_TYPE."""
    given: bytes | None = None
    for name, value in headers:
        if len(name) == len(CONTENT_TYPE) and name.lower() == CONTENT_TYPE:
            given = value
    if given is None:
        attributes = any(name.startswith(CLOUDEVENTS_HEADER) for name, _ in headers)
        return Encoding.BINARY if attributes else Encoding.STRUCTURED
    media_type = given.decode("latin-1").partition(";")[0].strip().lower()
    encoding = _BY_TYPE.get(media_type)
    if encoding is None:
        known = ", ".join(_BY_TYPE)
        hint = " (a JSON batch is for HTTP only)" if media_type == "application/cloudevents-batch+json" else ""
        raise EventRefusedError(
            Reason.UNKNOWN_CONTENT_TYPE, f"content-type is {shown(given)}{hint}: it must be one of {known}"
        )
    return encoding

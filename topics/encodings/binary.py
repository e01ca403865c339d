"""Binary mode: CloudEvents attributes as `ce_*` headers, the data alone as the JSON value."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from topics.encodings.json_fields import data_fields, envelope_fields
from topics.encodings.json_text import read_json
from topics.encodings.message import BINARY, CLOUDEVENTS_HEADER, CONTENT_TYPE, Message
from topics.encodings.structured import refuse_not_finite
from topics.errors import EventRefusedError
from topics.events import AnyEvent
from topics.reasons import Reason
from topics.validation import Place, validate_event

_encoder = msgspec.json.Encoder()


def encode(event: AnyEvent) -> Message:
    """One record of one event."""
    attributes = ((CLOUDEVENTS_HEADER + name, value.encode()) for name, value in envelope_fields(event).items())
    return Message(_encoder.encode(data_fields(event)), ((CONTENT_TYPE, BINARY.encode()), *attributes), event.key)


def decode(
    headers: Iterable[tuple[str, bytes | None]],
    value: bytes,
    *,
    meters: Container[str] | None = None,
    place: Place | None = None,
) -> AnyEvent:
    """The event, or `EventRefusedError` with the reason that stands first."""
    envelope = attributes(headers)
    document = read_json(value)
    refuse_not_finite(document, document.content)
    return validate_event(envelope, document.content, meters=meters, place=place)


def attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The CloudEvents attributes in the headers; of one that comes twice, the last counts."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(CLOUDEVENTS_HEADER):
            try:
                found[name.removeprefix(CLOUDEVENTS_HEADER)] = (value or b"").decode()
            except UnicodeDecodeError:
                raise EventRefusedError(
                    Reason.INVALID_UTF8, f"the header {name[:80]} is not UTF-8: encode it as UTF-8"
                ) from None
    return found

"""Structured mode: envelope and data in one JSON object, `application/cloudevents+json`."""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec

from topics.encodings.json_fields import data_fields, envelope_fields
from topics.encodings.json_text import JsonDocument, read_json
from topics.encodings.message import BINARY, CONTENT_TYPE, STRUCTURED, Message
from topics.errors import EventRefusedError
from topics.events import AnyEvent
from topics.problems import shown
from topics.reasons import Reason
from topics.validation import Place, is_not_finite, validate_event

HEADERS = ((CONTENT_TYPE, STRUCTURED.encode()),)
_encoder = msgspec.json.Encoder()


def encode(event: AnyEvent) -> Message:
    """One record of one event."""
    document = {**envelope_fields(event), "datacontenttype": BINARY, "data": data_fields(event)}
    return Message(_encoder.encode(document), HEADERS, event.key)


def decode(value: bytes, *, meters: Container[str] | None = None, place: Place | None = None) -> AnyEvent:
    """The event, or `EventRefusedError` with the reason that stands first."""
    document = read_json(value)
    envelope = document.content
    if not isinstance(envelope, Mapping):
        raise EventRefusedError(
            Reason.NOT_CLOUDEVENTS, f"the value is {shown(envelope)}: send a CloudEvents JSON object"
        )
    data = envelope.get("data")
    refuse_not_finite(document, data)
    return validate_event(envelope, data, meters=meters, place=place)


def refuse_not_finite(document: JsonDocument, data: object) -> None:
    """NaN and Infinity are no JSON, except as a quantity, where the sender is told more exactly."""
    usage = data.get("usage") if isinstance(data, Mapping) else None
    excused = sum(map(is_not_finite, usage.values())) if isinstance(usage, Mapping) else 0
    if document.not_finite > excused:
        raise EventRefusedError(
            Reason.NOT_JSON, "the value holds NaN or Infinity, which JSON does not have: send a number"
        )

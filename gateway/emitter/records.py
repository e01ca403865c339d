"""Events as Kafka records in the encoding of the emitter's choice."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.emitter.configuration import Encoding
from gateway.emitter.errors import InvalidEventError
from topics.encodings import binary, columnar, structured
from topics.encodings.message import Message
from topics.events import AnyEvent, UsageEvent


def single_record(event: AnyEvent, encoding: Encoding, bytes_max: int) -> Message:
    """One record of one event: binary where asked for, else structured JSON. Raises InvalidEventError if too large."""
    message = binary.encode(event) if encoding is Encoding.BINARY else structured.encode(event)
    if len(message.value) > bytes_max:
        raise InvalidEventError(
            [f"record_too_large: {len(message.value)} bytes, at most {bytes_max} are read: name fewer meters"],
            event_id=event.id,
        )
    return message


def batch_record(events: Sequence[UsageEvent]) -> Message:
    """One columnar record of events that belong to one partition, without a key where they are of several subjects."""
    return columnar.encode_batch(events)

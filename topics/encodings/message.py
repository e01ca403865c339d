"""What a producer hands to Kafka, and how a record's content type tells the encodings apart."""

from __future__ import annotations

from typing import NamedTuple

CONTENT_TYPE = "content-type"
STRUCTURED = "application/cloudevents+json"
BINARY = "application/json"
COLUMNAR = "application/vnd.apache.arrow.stream"
CLOUDEVENTS_HEADER = "ce_"


class Message(NamedTuple):
    """One Kafka record: `producer.send(topic, value=value, key=key, headers=headers)`."""

    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    key: bytes | None

"""Records of the raw topic as they come from Kafka, and events to fill them with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from topics.block import DecodedBlock
from topics.decode import Decoder
from topics.encodings import structured
from topics.encodings.message import Message
from topics.events import AnyEvent, UsageEvent
from topics.meters import load_catalogue
from topics.partitioner import partition_for

PARTITIONS = 4
CATALOGUE = load_catalogue()
RECORD_TIME = 1_767_225_600_000  # 2026-01-01T00:00:00Z in milliseconds


@dataclass
class Record:
    """What the decoder reads of a Kafka record."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = structured.HEADERS


def usage_event(**changes: Any) -> UsageEvent:
    """A usage event that is right, with `changes`."""
    fields: dict[str, Any] = {
        "id": "e1",
        "source": "gateway/eu-1",
        "time": "2026-01-01T00:00:00Z",
        "builder": "acme",
        "tenant": "globex",
        "usage": {"input_tokens": 1000, "output_tokens": 200},
    }
    return UsageEvent(**(fields | changes))


def record_of(message: Message, *, offset: int = 0, partition: int | None = None) -> Record:
    """The message where Kafka would put it; without a key, where the caller says."""
    if partition is None:
        partition = partition_for(message.key or b"", PARTITIONS)
    return Record(partition, offset, RECORD_TIME, message.key, message.value, message.headers)


def decoder() -> Decoder:
    """A decoder with the built-in meters."""
    return Decoder(CATALOGUE, partitions=PARTITIONS)


def decode(*messages: Message) -> DecodedBlock:
    """A block of these messages, in this order."""
    return decoder().decode([record_of(message, offset=offset) for offset, message in enumerate(messages)])


def decode_events(events: Sequence[AnyEvent]) -> DecodedBlock:
    """A block of these events as structured JSON."""
    return decode(*map(structured.encode, events))

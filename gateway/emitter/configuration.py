"""What an emitter can be told, checked before anything connects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.emitter.errors import EmitterSetupError
from topics.catalogue import raw_topic_name

EMBEDDED_BOOTSTRAP_SERVERS = "127.0.0.1:29092"


class Encoding(StrEnum):
    """How events stand on Kafka."""

    JSON = "json"  # structured CloudEvents, one record per event
    BINARY = "binary"  # CloudEvents attributes as headers, the data as JSON
    COLUMNAR = "columnar"  # many usage events in one Arrow record: the cheapest for everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class EmitterConfiguration:
    """The settings of an emitter; every default suits the embedded stack. Raises EmitterSetupError."""

    bootstrap_servers: str = EMBEDDED_BOOTSTRAP_SERVERS
    topic: str = raw_topic_name(1)
    encoding: Encoding = Encoding.JSON
    linger_milliseconds: int = 5  # how long the producer gathers records into one request
    batch_events_max: int = 1_000  # a columnar batch is sent when it holds so many events…
    batch_milliseconds: int = 100  # …or is so old
    delivery_seconds_max: float = 60.0  # how long a caller waits for the broker's confirmation
    record_bytes_max: int = 1_000_000  # a record larger than this would become a dead letter
    client_id: str = "tollstream-emitter"

    def __post_init__(self) -> None:
        if self.encoding not in tuple(Encoding):
            valid = ", ".join(Encoding)
            raise EmitterSetupError(f"encoding {self.encoding!r} does not exist; the encodings are: {valid}")
        object.__setattr__(self, "encoding", Encoding(self.encoding))
        bounds = {
            "linger_milliseconds": (self.linger_milliseconds, 0, 60_000),
            "batch_events_max": (self.batch_events_max, 1, 100_000),
            "batch_milliseconds": (self.batch_milliseconds, 1, 60_000),
            "delivery_seconds_max": (self.delivery_seconds_max, 0.001, 3_600),
            "record_bytes_max": (self.record_bytes_max, 1_000, 1_000_000),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise EmitterSetupError(f"{name} = {value}: it is between {low} and {high}")

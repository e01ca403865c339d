"""What the broker confirmed of one event."""

from __future__ import annotations

from dataclasses import dataclass

from aiokafka.structs import RecordMetadata


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where one event stands in the log for good: replicated as the topic demands (acks=all)."""

    event_id: str
    partition: int
    offset: int | None  # None when a retry found the event already stored and the broker forgot at which offset
    index: int  # position inside a columnar batch; 0 for a record of one event
    record_time: int | None  # microseconds since 1970, appended by the broker; None with `offset`


def receipt(event_id: str, metadata: RecordMetadata, index: int = 0) -> Receipt:
    """The receipt for the event at `index` of a confirmed record."""
    # A broker that answers "duplicate sequence" confirms without a place: every number of that answer is -1.
    placed = metadata.log_start_offset is not None and metadata.log_start_offset >= 0
    return Receipt(
        event_id=event_id,
        partition=metadata.partition,
        offset=metadata.offset if placed else None,
        index=index,
        record_time=metadata.timestamp * 1000 if placed else None,
    )

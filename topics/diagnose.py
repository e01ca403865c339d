"""One record of one event, read slowly and completely: the event, or why not.

The hot decoder (topics/decode_json.py) accepts only what this accepts, with the same values; whatever it does not
accept comes here. Cost is linear in the size of the record, some 50 µs for an ordinary one.
"""

from __future__ import annotations

from collections.abc import Container

from topics.block import RawRecord, Rejection
from topics.content import Encoding, encoding_of
from topics.encodings import binary, structured
from topics.errors import EventRefusedError
from topics.events import AnyEvent
from topics.reasons import Reason
from topics.validation import Place


def check_record(record: RawRecord, record_bytes_max: int) -> Encoding:
    """What is judged before the value is read: NULL_VALUE, RECORD_TOO_LARGE, UNKNOWN_CONTENT_TYPE."""
    if record.value is None:
        raise EventRefusedError(Reason.NULL_VALUE, "the record has no value: usage is taken back by a void event")
    if len(record.value) > record_bytes_max:
        raise EventRefusedError(
            Reason.RECORD_TOO_LARGE,
            f"the value has {len(record.value)} bytes, at most {record_bytes_max} are read: send smaller records",
        )
    return encoding_of(record.headers)


def read_record(record: RawRecord, *, meters: Container[str], partitions: int, record_bytes_max: int) -> AnyEvent:
    """The event of a structured or binary record, or `EventRefusedError` with the reason that stands first."""
    encoding = check_record(record, record_bytes_max)
    place = Place(record.key, record.partition, partitions)
    value = record.value or b""
    if encoding is Encoding.BINARY:
        return binary.decode(record.headers, value, meters=meters, place=place)
    return structured.decode(value, meters=meters, place=place)


def reject(record: RawRecord, refused: EventRefusedError) -> Rejection:
    """The rejection of a whole record."""
    return Rejection(
        partition=record.partition,
        offset=record.offset,
        index=0,
        record_time=record.timestamp * 1000,
        reason=refused.reason,
        detail=refused.detail,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )

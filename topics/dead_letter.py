"""A rejected event on the topic `usage.dead-letter`: the original, whole, with the reason beside it as headers.

Once mended it can be published again as it is: key, value and the original headers are untouched. Written twice after a
crash it is the same letter, which its position tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from topics.block import RawRecord, Rejection
from topics.content import Encoding, encoding_of
from topics.encodings.columnar_read import read_batches
from topics.encodings.columnar_row import single_row
from topics.errors import TopicError
from topics.reasons import Reason

PREFIX = "tollstream_"
REASON, DETAIL, POSITION, RECORD_TIME = (PREFIX + name for name in ("reason", "detail", "position", "record_time"))


class DeadLetter(NamedTuple):
    """A rejection and the topic epoch that it stands in."""

    epoch: int
    rejection: Rejection


class DeadLetterRecord(NamedTuple):
    """What is published; a null value stays null."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


def encode(letter: DeadLetter) -> DeadLetterRecord:
    """The record for the dead-letter topic."""
    rejection = letter.rejection
    position = f"{letter.epoch}/{rejection.partition}/{rejection.offset}/{rejection.index}"
    return DeadLetterRecord(
        rejection.key,
        rejection.value,
        (
            # A letter that was published again unmended carries the headers of its first rejection: they are replaced.
            *((name, value) for name, value in rejection.headers if not name.startswith(PREFIX)),
            (REASON, rejection.reason.value.encode()),
            (DETAIL, rejection.detail.encode("utf-8", "backslashreplace")),
            (POSITION, position.encode()),
            (RECORD_TIME, str(rejection.record_time).encode()),
        ),
    )


def decode(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
    """The letter of a record. Raises `TopicError` where it is none."""
    own: dict[str, bytes] = {}
    original: list[tuple[str, bytes | None]] = []
    for name, content in headers:
        if name.startswith(PREFIX):
            own[name] = content or b""
        else:
            original.append((name, content))
    try:
        epoch, partition, offset, index = (int(part) for part in own[POSITION].decode().split("/"))
        rejection = Rejection(
            partition=partition,
            offset=offset,
            index=index,
            record_time=int(own[RECORD_TIME]),
            reason=Reason(own[REASON].decode()),
            detail=own[DETAIL].decode(),
            key=key,
            value=value,
            headers=tuple(original),
        )
    except (KeyError, ValueError) as error:
        raise TopicError(f"this record is no dead letter of ours: {error!r} in its headers") from None
    return DeadLetter(epoch, rejection)


def original_bytes(record: RawRecord, index: int) -> bytes | None:
    """What a rejection of a decoded event holds: the record's value, or a batch of its one row `index`."""
    if record.value is None or encoding_of(record.headers) is not Encoding.COLUMNAR:
        return record.value
    row = index
    for batch in read_batches(record.value):
        if row < batch.num_rows:
            return single_row(batch, row)
        row -= batch.num_rows
    raise IndexError(f"the batch has no event {index}")

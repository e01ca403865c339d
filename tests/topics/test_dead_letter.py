"""A dead letter holds the original, whole."""

from __future__ import annotations

import pytest

from tests.support.raw import decoder, record_of, usage_event
from topics import dead_letter
from topics.block import Rejection
from topics.dead_letter import DeadLetter
from topics.encodings import structured
from topics.errors import TopicError
from topics.reasons import Reason

LETTER = DeadLetter(
    3,
    Rejection(
        partition=1,
        offset=2**40,
        index=7,
        record_time=1_767_225_600_000_000,
        reason=Reason.NOT_JSON,
        detail="the value is not JSON: send JSON…",
        key=b"acme/globex",
        value=b"\xff\x00",
        headers=(("content-type", b"application/json"), ("x", b"\xff"), ("x", b""), ("x", None)),
    ),
)


def test_a_letter_is_read_back_as_it_was_written() -> None:
    assert dead_letter.decode(*dead_letter.encode(LETTER)) == LETTER


def test_a_null_value_and_a_missing_key_stay_so() -> None:
    bare = DeadLetter(1, Rejection(0, 0, 0, 0, Reason.NULL_VALUE, "no value", None, None, ()))
    assert dead_letter.decode(*dead_letter.encode(bare)) == bare


def test_the_original_is_untouched_and_the_rest_stands_beside_it() -> None:
    record = dead_letter.encode(LETTER)
    assert (record.key, record.value) == (b"acme/globex", b"\xff\x00")
    assert record.headers[:4] == LETTER.rejection.headers
    assert dict(record.headers)["tollstream_position"] == b"3/1/1099511627776/7"
    assert dict(record.headers)["tollstream_reason"] == b"not_json"


def test_published_again_unmended_it_is_rejected_again_without_piling_up_headers() -> None:
    record = record_of(structured.encode(usage_event()))
    record.value = b"broken"
    (first,) = decoder().decode([record]).rejections
    letter = dead_letter.encode(DeadLetter(1, first))
    record.headers = letter.headers
    (second,) = decoder().decode([record]).rejections
    assert second.reason is first.reason
    assert dead_letter.encode(DeadLetter(1, second)) == letter


@pytest.mark.parametrize("name", ["tollstream_position", "tollstream_reason", "tollstream_record_time"])
def test_a_record_that_is_no_letter_is_named_so(name: str) -> None:
    record = dead_letter.encode(LETTER)
    for headers in (
        [header for header in record.headers if header[0] != name],
        [(header, b"?" if header == name else value) for header, value in record.headers],
    ):
        with pytest.raises(TopicError, match="no dead letter"):
            dead_letter.decode(record.key, record.value, headers)

"""Whose event is in a dead letter: in every encoding, and in bytes that are none."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest

from tests.golden.explanation.pages import NOON
from tests.support.rows import dead_letter_row
from tollstream.explanation.letters import identity_in
from topics.encodings import binary, columnar, structured
from topics.encodings.message import Message
from topics.events import UsageEvent

EVENT = UsageEvent(id="é-1", source="gateway/1", time=NOON, builder="a", tenant="b", usage={"pages": Decimal(1)})


def letter(value: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = ()) -> dict[str, object]:
    told = [[name, None if each is None else base64.b64encode(each).decode()] for name, each in headers]
    return dead_letter_row(1, record_value=value, record_headers=json.dumps(told))


@pytest.mark.parametrize(
    "message",
    [structured.encode(EVENT), binary.encode(EVENT), columnar.encode_batch([EVENT])],
    ids=["structured", "binary", "columnar"],
)
def test_the_identity_is_read_from_every_encoding(message: Message) -> None:
    assert identity_in(letter(message.value, message.headers)) == ("gateway/1", "é-1")


@pytest.mark.parametrize(
    ("value", "headers", "identity"),
    [
        (b'{"id": "x"}', (), ("", "x")),
        (b'{"id": "x", "source": 7}', (), ("", "x")),
        (b'{"id": 7, "source": "s"}', (), None),
        (b'["x"]', (), None),
        (b'{"id": "x"', (), None),
        (b"\xff\x00", (), None),
        (None, (), None),
        (b"", (("content-type", b"text/plain"),), None),
        (b"ARROW", (("content-type", b"application/vnd.apache.arrow.stream"),), None),
        (b"", (("ce_id", b"x"), ("ce_source", None)), ("", "x")),
        (b"", (("ce_id", b"\xff"),), None),
        (b"", (("ce_type", b"t"),), None),
    ],
)
def test_what_cannot_be_read_is_nobodys(
    value: bytes | None, headers: tuple[tuple[str, bytes | None], ...], identity: tuple[str, str] | None
) -> None:
    assert identity_in(letter(value, headers)) == identity

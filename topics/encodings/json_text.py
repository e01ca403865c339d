"""JSON from a stranger, read in linear time: numbers stay text, nesting is bounded before anything recurses.

Errors  `EventRefusedError` with INVALID_UTF8, NOT_JSON or NESTED_TOO_DEEP.
Of a key that comes twice, the last one counts, as in every common JSON reader.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from topics.errors import EventRefusedError
from topics.problems import shown
from topics.quantities import Number
from topics.reasons import Reason

DEPTH_MAX = 64
# Strings are skipped whole, so that brackets inside them do not count; an unfinished string takes the rest.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)


class JsonDocument(NamedTuple):
    """What a text holds, and how many NaN, Infinity or -Infinity were met: JSON has none, a quantity may be told so."""

    content: object
    not_finite: int


def read_json(value: bytes) -> JsonDocument:
    """Objects, lists, strings, booleans and None as Python has them; numbers as `Number`."""
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise EventRefusedError(
            Reason.INVALID_UTF8, f"byte {error.start} of the value is not UTF-8: encode the event as UTF-8"
        ) from None
    if _deeper_than(text, DEPTH_MAX):
        raise EventRefusedError(
            Reason.NESTED_TOO_DEEP, f"the value nests more than {DEPTH_MAX} levels: send the event's fields only"
        )
    not_finite: list[str] = []

    def constant(name: str) -> Number:
        not_finite.append(name)
        return Number(name)

    try:
        content = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=constant)
    except ValueError as error:
        where = getattr(error, "pos", 0)
        raise EventRefusedError(
            Reason.NOT_JSON,
            f"the value is not JSON at character {where} ({shown(text[where : where + 20])}): send JSON",
        ) from None
    return JsonDocument(content, len(not_finite))


def _deeper_than(text: str, depth_max: int) -> bool:
    if text.count("{") + text.count("[") <= depth_max:
        return False
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in ("{", "["):
            depth += 1
            if depth > depth_max:
                return True
        elif mark in ("}", "]"):
            depth -= 1
    return False

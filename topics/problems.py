"""Why a value is refused, in the form that pydantic collects: the error's type is the `Reason`.

One mechanism for both decoders: whoever reads a field raises `problem(...)`; the model gathers them, and the one that
stands first in `Reason` is the event's.
"""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from topics.reasons import Reason

SHOWN_CHARACTERS_MAX = 80
_SHOWN_INTEGER_MAX = 10**40


def problem(reason: Reason, sentence: str) -> PydanticCustomError:
    """A pydantic error of this reason; `sentence` continues the field's name ("data.tenant is empty: …")."""
    return PydanticCustomError(reason.value, "{sentence}", {"sentence": sentence})


def shown(value: object) -> str:
    """`value` for a sentence: quoted, and never longer than about 80 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _SHOWN_INTEGER_MAX:
        return f"an integer of {value.bit_length()} bits"  # its digits would take quadratic time
    if isinstance(value, str):
        text = ascii(value[: SHOWN_CHARACTERS_MAX + 1])
    elif isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    else:
        text = ascii(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"

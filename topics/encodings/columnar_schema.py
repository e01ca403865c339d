"""The columns of a batch: which there may be, and of which Arrow types.

    id                       utf8, required
    time                     timestamp[us, UTC], required
    source, builder, tenant  tag, required
    any other tag            tag, optional; null or absent means the default, as in JSON
    traceparent              utf8, optional
    usage.<meter>            int64 (whole units) or decimal128(38, 6); null means not used

A tag is utf8, or a dictionary of utf8 with int8, int16 or int32 indices. The order of the columns is free. Anything
else is refused by name: a column that is not understood may be one that changes the price.
The schema's metadata may hold `type`, which is then checked like the type of an event.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from topics.block import DIMENSION_COLUMNS, USAGE_PREFIX
from topics.errors import EventRefusedError
from topics.events import EVENT_TYPES, UsageEvent
from topics.problems import shown
from topics.reasons import Reason

ROWS_MAX = 100_000
TIME = pa.timestamp("us", tz="UTC")
QUANTITY = pa.decimal128(38, 6)
REQUIRED = ("id", "source", "time", "builder", "tenant")
TEXTS = ("id", "traceparent")
TYPE_METADATA = b"type"
_INDEX_TYPES = (pa.int8(), pa.int16(), pa.int32())


def check_schema(schema: pa.Schema) -> None:
    """Raise `EventRefusedError` with BATCH_SCHEMA (or the type's own reason) naming the first column at fault."""
    _check_type(schema.metadata or {})
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise _refused(f"column {shown(twice)} stands there twice: send it once")
    for field in schema:
        wanted = _wanted(field.name)
        if wanted is None:
            raise _refused(f"column {shown(field.name)} is not known: remove it, or correct its name")
        if not _fits(field.name, field.type):
            raise _refused(f"column {shown(field.name)} is {shown(str(field.type))}: send {wanted}")
    for name in REQUIRED:
        if name not in names:
            raise _refused(f"column {name} is missing: add it")


def _check_type(metadata: Mapping[bytes, bytes]) -> None:
    given = metadata.get(TYPE_METADATA)
    if given is None or given == UsageEvent.TYPE.encode():
        return
    reason = Reason.UNKNOWN_VERSION if given[:10] == b"ai.usage.v" and given[10:].isdigit() else Reason.UNKNOWN_TYPE
    known = "voids and adjustments travel as JSON" if given.decode("latin-1") in EVENT_TYPES else "correct the type"
    raise EventRefusedError(
        reason, f"the batch is of type {shown(given)}; only {UsageEvent.TYPE} comes in batches: {known}"
    )


def _wanted(name: str) -> str | None:
    if name in TEXTS:
        return "utf8"
    if name == "time":
        return "timestamp[us, tz=UTC]"
    if name in DIMENSION_COLUMNS:
        return "utf8, or a dictionary of utf8"
    return "int64 or decimal128(38, 6)" if name.startswith(USAGE_PREFIX) else None


def _fits(name: str, given: pa.DataType) -> bool:
    if name in TEXTS:
        return bool(given == pa.string())
    if name == "time":
        return bool(given == TIME)
    if name in DIMENSION_COLUMNS:
        return bool(given == pa.string() or any(given == pa.dictionary(index, pa.string()) for index in _INDEX_TYPES))
    return bool(given in (pa.int64(), QUANTITY))


def _refused(detail: str) -> EventRefusedError:
    return EventRefusedError(Reason.BATCH_SCHEMA, detail)

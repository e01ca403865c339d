"""The verdict on one event: envelope and data in, a model out, or the reason that stands first and a sentence.

This is the slow, complete reading. The hot decoder accepts only what this accepts, with the same values, and comes here
for everything else; see topics/decode.py.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from topics.errors import EventRefusedError
from topics.events import ENVELOPE_FIELDS, EVENT_TYPES, METERS, PRECEDENCE, SPECVERSION, AnyEvent
from topics.partitioner import partition_for
from topics.problems import shown
from topics.quantities import Number
from topics.reasons import Reason

_TYPE = re.compile(r"(ai\.usage(?:\.[a-z]+)?)\.v([0-9]+)")
Problem = tuple[Reason, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the event was found, to compare with where it belongs. A columnar batch may stand there without a key."""

    key: bytes | None
    partition: int
    partitions: int
    key_required: bool = True


def validate_event(
    envelope: Mapping[str, Any],
    data: object,
    *,
    meters: Container[str] | None = None,
    place: Place | None = None,
) -> AnyEvent:
    """The event, or `EventRefusedError`. Without `meters` any well-formed meter name passes."""
    model = _model(envelope)
    if data is None:
        raise EventRefusedError(Reason.MISSING_FIELD, "data is missing: put builder, tenant and usage there")
    if not isinstance(data, Mapping):
        raise EventRefusedError(Reason.WRONG_FIELD_TYPE, f"data is {shown(data)}: send a JSON object")
    fields = {name: envelope[name] for name in ENVELOPE_FIELDS if name in envelope}
    fields |= {name: data[name] for name in model.model_fields if name in data and name not in ENVELOPE_FIELDS}
    for name in ("amounts", "pricing"):
        if isinstance(fields.get(name), Mapping):
            fields[name] = dict(fields[name])
    problems: list[Problem] = []
    event: AnyEvent | None = None
    try:
        event = model.model_validate(fields, context={METERS: meters})
    except ValidationError as error:
        problems = [_problem(each) for each in error.errors(include_url=False)]
    problems += _address_problems(envelope, data, place)
    if problems or event is None:
        raise EventRefusedError(*min(problems, key=lambda each: PRECEDENCE[each[0]]))
    return event


def _model(envelope: Mapping[str, Any]) -> Any:
    specversion = envelope.get("specversion")
    if specversion != SPECVERSION:
        raise EventRefusedError(
            Reason.NOT_CLOUDEVENTS,
            f"specversion is {shown(specversion) if specversion is not None else 'missing'}: "
            f"send a CloudEvents {SPECVERSION} envelope",
        )
    name = envelope.get("type")
    if not isinstance(name, str):
        raise EventRefusedError(
            Reason.NOT_CLOUDEVENTS,
            f"type is {'missing' if name is None else shown(name)}: every CloudEvent names its type",
        )
    model = EVENT_TYPES.get(name)
    if model is None:
        found = _TYPE.fullmatch(name)
        known = ", ".join(EVENT_TYPES)
        if found is not None and f"{found[1]}.v1" in EVENT_TYPES:
            raise EventRefusedError(
                Reason.UNKNOWN_VERSION, f"type is {shown(name)}, a version this worker does not know: it knows {known}"
            )
        raise EventRefusedError(Reason.UNKNOWN_TYPE, f"type is {shown(name)}: it must be one of {known}")
    return model


def _problem(error: Any) -> Problem:
    path = [str(part) for part in error["loc"]]
    if not path or path[0] not in ENVELOPE_FIELDS:
        path.insert(0, "data")
    name, kind, given = ".".join(path), error["type"], error.get("input")
    if kind in PRECEDENCE:
        return Reason(kind), f"{name}{'' if error['msg'].startswith('.') else ' '}{error['msg']}"
    if kind == "missing":
        return Reason.MISSING_FIELD, f"{name} is missing: give it a value"
    if kind == "extra_forbidden":
        return Reason.WRONG_FIELD_TYPE, f"{name} is no field of this event: remove it"
    wanted = "an object" if kind.startswith(("model", "dict")) else "a string"
    return Reason.WRONG_FIELD_TYPE, f"{name} is {shown(given)}: send {wanted}"


def _address_problems(envelope: Mapping[str, Any], data: Mapping[str, Any], place: Place | None) -> list[Problem]:
    problems: list[Problem] = []
    subject, builder, tenant = envelope.get("subject"), data.get("builder"), data.get("tenant")
    if subject is None:
        problems.append((Reason.MISSING_FIELD, "subject is missing: send builder/tenant, which is also the Kafka key"))
    elif not isinstance(subject, str):
        problems.append((Reason.WRONG_FIELD_TYPE, f"subject is {shown(subject)}: send a string"))
    if problems or not isinstance(builder, str) or not isinstance(tenant, str):
        return problems
    own = f"{builder}/{tenant}"
    if subject != own:
        detail = f"subject is {shown(subject)}, builder/tenant is {shown(own)}: make them equal"
        return [(Reason.SUBJECT_MISMATCH, detail)]
    return _place_problems(own, place) if place is not None else []


def _place_problems(subject: str, place: Place) -> list[Problem]:
    key = subject.encode("utf-8", "surrogatepass")
    if place.key != key and (place.key_required or place.key is not None):
        found = "missing" if place.key is None else shown(place.key[:64])
        detail = (
            f"the Kafka key is {found}, the subject {shown(subject)}: make them equal, a retry has to meet its original"
        )
        return [(Reason.KEY_MISMATCH, detail)]
    home = partition_for(key, place.partitions)
    if place.partition != home:
        detail = f"partition {place.partition} is not {home} of {place.partitions}, where the key belongs: use murmur2"
        return [(Reason.WRONG_PARTITION, detail)]
    return []


def is_not_finite(value: object) -> bool:
    """Whether a JSON value is one of the constants that JSON does not have."""
    return isinstance(value, Number) and value.text in ("NaN", "Infinity", "-Infinity")

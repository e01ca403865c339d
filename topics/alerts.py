"""Alerts: an allowance, a credit or a cap of a tenant has passed a threshold. CloudEvents JSON on `usage.alerts`.

Reading   Consumers use read_committed. The newest alert of a (kind, item) is its state: `threshold` is what is reached
          now. Allowances and caps begin anew with each period; a credit is one thing over all periods.
Units     `used` and `limit` in `unit`: a business meter, or the currency of money. Thresholds are percent of the limit.
Change    additive only inside v1, as for usage events: readers ignore fields they do not know.
Errors    `TopicError` for a record that is no alert.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from pydantic import AfterValidator, Field, ValidationError, WithJsonSchema

from topics.encodings.json_fields import envelope_fields
from topics.encodings.message import BINARY, CONTENT_TYPE, STRUCTURED, Message
from topics.errors import TopicError
from topics.events import ENVELOPE_FIELDS, NOTE_BYTES_MAX, Amount, Event, Moment, Name, Note, RequiredText, Text
from topics.quantities import plain_text
from topics.times import format_time

THRESHOLDS = (50, 80, 100)
Item = Annotated[
    Note, Field(min_length=1), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": NOTE_BYTES_MAX})
]
HEADERS = ((CONTENT_TYPE, STRUCTURED.encode()),)
_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder()


Figure = Annotated[Amount, AfterValidator(lambda number: Decimal(plain_text(number)))]  # without zeros at its end


class AlertKind(StrEnum):
    """What is used up."""

    ALLOWANCE = "allowance"
    CREDIT = "credit"
    CAP = "cap"


class AlertChange(StrEnum):
    """Which way."""

    REACHED = "reached"  # used has come to the threshold
    FALLEN = "fallen"  # a void, a correction, or a higher limit: what was reached no longer is


class PastCap(StrEnum):
    """What the plan says about usage past a cap."""

    STOP = "stop"
    BUILDER = "builder"
    CONTINUE = "continue"


class AlertEvent(Event):
    """A threshold of an allowance, a credit or a spend cap was passed: one event for each crossing."""

    TYPE: ClassVar[str] = "ai.usage.alert.v1"

    id: RequiredText = Field(description="The same for the same crossing, whoever publishes it; to 256 bytes.")
    time: Moment = Field(description="When it was seen: RFC 3339 with offset. Usage may be seconds older.")
    period: Name = Field(description="Label of the billing period in which it was seen, such as 2026-10.")
    period_start: Moment = Field(description="Start of that period.")
    period_end: Moment = Field(description="End of that period, exclusive: then allowances and caps begin anew.")
    kind: AlertKind = Field(description="What is used up: an allowance, a credit, or the spend cap.")
    item: Item = Field(description="Which one: `<plan>/<allowance>`, the id of the grant, or `cap`; 1 to 1,024 bytes.")
    label: Text = Field(default="", description="Its name in the customer's words.")
    unit: Name = Field(description="What is counted: a meter, or the ISO 4217 code of the currency for money.")
    used: Figure = Field(description="How much of it is used, as a decimal string.")
    limit: Figure | None = Field(
        default=None, description="Of how much, as a decimal string; null: the plan has no such thing any more."
    )
    threshold: int = Field(
        ge=0, le=100, description="The highest threshold that is reached now, in percent: 50, 80 or 100; 0 for none."
    )
    change: AlertChange = Field(description="Whether it was reached, or is reached no longer.")
    occurrence: int = Field(
        ge=1,
        description="1 the first time that this happens to it (allowances and caps: in the period), else more. "
        "Whoever tells people tells the first; gateways follow all.",
    )
    past_cap: PastCap | None = Field(
        default=None, description="Of a cap: what the plan says about usage past it; gateways stop at 100 with `stop`."
    )


def encode_alert(event: AlertEvent) -> Message:
    """One record; structured JSON, keyed by builder/tenant."""
    data = {
        "builder": event.builder,
        "tenant": event.tenant,
        "period": event.period,
        "period_start": format_time(event.period_start),
        "period_end": format_time(event.period_end),
        "kind": event.kind.value,
        "item": event.item,
        "label": event.label,
        "unit": event.unit,
        "used": plain_text(event.used),
        "limit": None if event.limit is None else plain_text(event.limit),
        "threshold": event.threshold,
        "change": event.change.value,
        "occurrence": event.occurrence,
        "past_cap": None if event.past_cap is None else event.past_cap.value,
    }
    document = {**envelope_fields(event), "datacontenttype": BINARY, "data": data}
    return Message(_encoder.encode(document), HEADERS, event.key)


def decode_alert(value: bytes | None) -> AlertEvent:
    """The alert of a record. Raises `TopicError` where it is none."""
    try:
        envelope = _decoder.decode(value or b"")
        given = envelope["data"]
        if envelope["type"] != AlertEvent.TYPE:
            raise TopicError(f"this record is a {str(envelope['type'])[:80]}, not an {AlertEvent.TYPE}")
        fields = {name: envelope[name] for name in ENVELOPE_FIELDS if name in envelope}
        fields |= {name: given[name] for name in AlertEvent.model_fields if name in given and name not in fields}
        return AlertEvent.model_validate(fields)
    except (msgspec.DecodeError, KeyError, TypeError, ValidationError) as error:
        raise TopicError(f"this record is no alert: {error}") from None

"""An event as the fields of its CloudEvents envelope and of its data, ready to be written as JSON.

Quantities are JSON integers, or decimal strings where they have decimals: a reader that makes floats of JSON numbers
would not see what was sent. Fields with their default are left out.
"""

from __future__ import annotations

from decimal import Decimal

from topics.events import ENVELOPE_FIELDS, SPECVERSION, AdjustmentEvent, AnyEvent, Event, UsageEvent
from topics.quantities import plain_text
from topics.times import format_time


def envelope_fields(event: Event) -> dict[str, str]:
    """The CloudEvents attributes; `traceparent` only where there is one."""
    fields = {
        "specversion": SPECVERSION,
        "id": event.id,
        "source": event.source,
        "type": event.TYPE,
        "time": format_time(event.time),
        "subject": event.subject,
    }
    return fields | {"traceparent": event.traceparent} if event.traceparent else fields


def data_fields(event: AnyEvent) -> dict[str, object]:
    """The `data` object; `usage` stands last, which lets the decoder recognise what comes before it."""
    data: dict[str, object] = {}
    for name, field in type(event).model_fields.items():
        value = getattr(event, name)
        if name not in ENVELOPE_FIELDS and (field.is_required() or value != field.default):
            data[name] = value
    if isinstance(event, UsageEvent):
        data["usage"] = {meter: json_quantity(quantity) for meter, quantity in event.usage.items()}
    if isinstance(event, AdjustmentEvent):
        amounts = event.amounts
        data["amounts"] = {name: plain_text(getattr(amounts, name)) for name in type(amounts).model_fields}
        if event.pricing is not None:
            data["pricing"] = event.pricing.model_dump()
    return data


def json_quantity(quantity: Decimal) -> int | str:
    """A quantity as it stands in JSON."""
    return int(quantity) if quantity == quantity.to_integral_value() else plain_text(quantity)

"""The check before anything is sent: what passes here is accepted by the workers' decoder as well.

A model of topics/events.py was checked field by field when it was made; what it cannot know is the installation's
meters. A mapping is read as a whole structured CloudEvent.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from gateway.emitter.errors import InvalidEventError
from topics.errors import EventRefusedError
from topics.events import AdjustmentEvent, AnyEvent, UsageEvent, VoidEvent
from topics.validation import validate_event


def validated(event: AnyEvent | Mapping[str, Any], meters: Container[str]) -> AnyEvent:
    """The event as a model. Raises InvalidEventError, with the reason code and a sentence."""
    if isinstance(event, (UsageEvent, VoidEvent, AdjustmentEvent)):
        strangers = [meter for meter in event.usage if meter not in meters] if isinstance(event, UsageEvent) else []
        if strangers:
            raise InvalidEventError(
                [f"unknown_meter: data.usage.{meter} is not in the catalogue" for meter in strangers],
                event_id=event.id,
            )
        return event
    if not isinstance(event, Mapping):
        raise InvalidEventError([f"it is a {type(event).__name__}; give an event model or a CloudEvent as a mapping"])
    try:
        return validate_event(event, event.get("data"), meters=meters)
    except EventRefusedError as error:
        event_id = event.get("id")
        raise InvalidEventError([str(error)], event_id=event_id if isinstance(event_id, str) else None) from error

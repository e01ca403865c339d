"""What emitting can answer besides a receipt.

Three kinds: the event is wrong (mend it), the emitter is used or set up wrongly (mend that), the broker did not
confirm (emit the same event again: its id makes that safe, whether or not it had been stored).
"""

from __future__ import annotations

from collections.abc import Sequence


class EmitterError(Exception):
    """Base of every error of the emitter; the text is a sentence for the developer or operator."""

    def operator_message(self) -> str:
        return str(self)


class InvalidEventError(EmitterError):
    """The event breaks the contract; nothing was sent. `problems` has one sentence for each thing that is wrong."""

    def __init__(self, problems: Sequence[str], *, event_id: str | None = None) -> None:
        self.problems, self.event_id = tuple(problems), event_id
        name = f"event {event_id!r}" if event_id else "the event"
        super().__init__(f"{name} was not sent: {'; '.join(self.problems)}")


class EmitterSetupError(EmitterError):
    """A setting is wrong, the broker cannot be reached at the start, or its topic does not exist."""


class EmitterClosedError(EmitterError):
    """The emitter was not started, or was closed already: this event was not sent."""

    def __init__(self) -> None:
        super().__init__("the emitter is not running: emit between start() and close(), or inside its `with` block")


class DeliveryError(EmitterError):
    """The broker did not confirm. Emit the same events again, under the same ids: copies are billed once.

    `event_ids` are those not confirmed, in the order given; `delivered` counts those of the same call that were."""

    def __init__(self, event_ids: Sequence[str], *, delivered: int, cause: str) -> None:
        self.event_ids, self.delivered, self.cause = tuple(event_ids), delivered, cause
        some = ", ".join(repr(event_id) for event_id in self.event_ids[:3])
        more = f" and {len(self.event_ids) - 3} more" if len(self.event_ids) > 3 else ""
        super().__init__(f"not confirmed by the broker: {some}{more} ({cause}); emit them again with the same ids")

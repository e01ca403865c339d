"""Errors of the contract: what happened and what to do, in one sentence."""

from __future__ import annotations

from topics.reasons import Reason


class TopicError(Exception):
    """Something about events or topics that the caller, or an operator, has to mend."""


class CatalogueError(TopicError):
    """A meter or topic catalogue cannot be used; names the file and the entry. A worker stops on it at its start."""


class EventRefusedError(TopicError):
    """One event cannot be billed: the dead-letter reason and a sentence about this event."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(f"{reason.value}: {detail}")


class TopicChangeRefusedError(TopicError):
    """The topics as they are cannot become the topics as wanted without losing or moving events."""

"""The limit on dead letters: a bad deployment should stop the worker, not turn the whole stream into dead letters.

Off by default (100 %), because no sender's rubbish may stop everybody's billing; it is logged loudly all the same.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.preparation import PreparedBlock

WINDOW_EVENTS = 100_000
LOUD_PERCENT = 10
LOG = logging.getLogger(__name__)


class DeadLetterStormError(Exception):
    """Too large a share cannot be billed; nothing of the block that tipped it over is stored."""

    def __init__(self, *, refused: int, events: int, percent_max: int) -> None:
        self.refused, self.events, self.percent_max = refused, events, percent_max
        super().__init__(
            f"{refused} of the last {events} events cannot be billed, more than {percent_max} %. If the senders are at "
            "fault raise dead_letter_percent_max (100 never stops) and start again; if this deployment is, mend it: "
            "nothing of the last block was stored."
        )


class StormGuard:
    """Looks at every block before anything of it is stored."""

    def __init__(self, percent_max: int) -> None:
        self._percent_max = percent_max
        self._blocks: deque[tuple[int, int]] = deque()  # refused, events
        self._refused = self._events = 0
        self._loud = False

    def inspect(self, prepared: PreparedBlock) -> None:
        """Raises DeadLetterStormError once a full window holds more than percent_max % of refused events."""
        refused = len(prepared.block.rejections) + len(prepared.refused)
        events = prepared.block.events.height + len(prepared.block.rejections)
        self.count(refused, events)

    def count(self, refused: int, events: int) -> None:
        """`inspect`, in figures."""
        self._blocks.append((refused, events))
        self._refused += refused
        self._events += events
        while self._events - self._blocks[0][1] >= WINDOW_EVENTS:
            old_refused, old_events = self._blocks.popleft()
            self._refused -= old_refused
            self._events -= old_events
        loud = self._refused * 100 > self._events * LOUD_PERCENT
        if loud and not self._loud:
            LOG.error("%d of the last %d events cannot be billed; see dead_letters", self._refused, self._events)
        self._loud = loud
        if self._events >= WINDOW_EVENTS and self._refused * 100 > self._events * self._percent_max:
            raise DeadLetterStormError(refused=self._refused, events=self._events, percent_max=self._percent_max)

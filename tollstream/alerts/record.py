"""What was published, by tenant: the topic's own content, folded. Whoever publishes reads it first, and adds to it.

A record is taken up once, by its offset: one that was published here and is read again after a crash counts once.
Memory is for tenants with alerts only; what has ended with its period is dropped (`forget`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from tollstream.alerts.levels import Item, Told
from topics.alerts import AlertEvent, AlertKind

Subject = tuple[str, str]  # Builder, tenant
NOTHING: Mapping[Item, Told] = {}


class AlertRecord:
    """Everything published so far below `next_offset`."""

    def __init__(self) -> None:
        self.next_offset = 0
        self._told: dict[Subject, dict[Item, Told]] = {}

    def take(self, offset: int, event: AlertEvent) -> None:
        """One record of the topic; those below `next_offset` were taken before."""
        if offset < self.next_offset:
            return
        self.next_offset = offset + 1
        credit = event.kind is AlertKind.CREDIT
        item = Item("" if credit else event.period, event.kind, event.item)
        told = self._told.setdefault((event.builder, event.tenant), {}).get(item)
        if told is None:
            told = Told(0, event.unit, event.label, None if credit else event.period_end)
            self._told[event.builder, event.tenant][item] = told
        told.level = event.threshold
        step = (event.change, event.threshold)
        told.counts[step] = told.counts.get(step, 0) + 1

    def pass_over(self, offset: int) -> None:
        """A record of the topic that is no alert."""
        self.next_offset = max(self.next_offset, offset + 1)

    def of(self, builder: str, tenant: str) -> Mapping[Item, Told]:
        """What was published about a tenant."""
        return self._told.get((builder, tenant), NOTHING)

    def forget(self, now: datetime) -> None:
        """Drop what has ended with its period: nothing is published about it any more."""
        for subject, items in list(self._told.items()):
            for item in [item for item, told in items.items() if told.until is not None and told.until <= now]:
                del items[item]
            if not items:
                del self._told[subject]

    def __len__(self) -> int:
        return sum(map(len, self._told.values()))

    def tenants(self, builder: str) -> list[str]:
        """Tenants of a Builder about whom anything was published."""
        return [tenant for owner, tenant in self._told if owner == builder]

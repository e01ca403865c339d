"""The log of a run: records as Kafka would hold them, and beside each what its producer meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sinks.contract import BackfillGrant, EpochParameters
from topics.events import AnyEvent
from topics.reasons import Reason


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as it was meant, or the reason why the decoder has to refuse it."""

    event: AnyEvent | None
    refused: Reason | None = None


@dataclass(slots=True)
class SimulatedRecord:
    """A record of the raw topic; `facts[i]` is the event at batch index i."""

    partition: int
    offset: int
    timestamp: int  # milliseconds
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    facts: tuple[Fact, ...] = field(repr=False)


@dataclass(slots=True)
class EpochLog:
    """One epoch of the raw topic, whole."""

    parameters: EpochParameters
    partitions: dict[int, list[SimulatedRecord]]

    @property
    def ends(self) -> dict[int, int]:
        """Of each partition, the offset after its last record."""
        return {partition: len(records) for partition, records in self.partitions.items()}


@dataclass(slots=True)
class Log:
    """All epochs, one after the other, and the grants that were given before they began."""

    epochs: list[EpochLog]
    grants: list[BackfillGrant]

    def events(self) -> int:
        """How many events there are, good and bad."""
        return sum(
            len(record.facts) for epoch in self.epochs for records in epoch.partitions.values() for record in records
        )

"""A raw topic of which only the ends are known: as many records as offsets, unless it says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sinks.rerates import Partition


@dataclass(frozen=True, slots=True)
class MemoryLog:
    """`read_ends` is asked anew each time. Without `records`, what stands at the end are control records."""

    read_ends: Callable[[], Mapping[Partition, int]]
    records: bool = True

    async def ends(self) -> Mapping[Partition, int]:
        return self.read_ends()

    async def holds(self, place: Partition, offset: int) -> bool:
        return self.records and offset < self.read_ends()[place]

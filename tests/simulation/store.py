"""The store and the dead-letter topic of a run, as its workers reach them: with pauses, and with faults.

`Stored` is what is really there. It holds every write against the auditor's truth as it arrives, so that a wrong row
is named when it is written, even if a later one would have replaced it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from sinks.errors import SinkTransientError
from sinks.memory import MemorySink
from tests.simulation.auditor import PLACE_COLUMNS, TOTAL_KEY, DifferenceError, Place, Truth
from tests.simulation.faults import Fault, Faults
from tests.simulation.scheduler import pause, run_straight
from topics.block import Rejection

T = TypeVar("T")


class Stored:
    """The one store of a run, and the dead-letter topic beside it."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.sink = MemorySink()
        self.ledger: set[Place] = set()
        self.dead_letters: set[Place] = set()
        self.published: set[Place] = set()
        self.versions: dict[tuple[Any, ...], int] = {}  # of each total, the newest
        self.checkpoints: dict[tuple[int, int], int] = {}
        self._letters: dict[Place, object] = {}

    def write_ledger(self, rows: pa.Table) -> None:
        self.truth.check_ledger(rows)
        run_straight(self.sink.write_ledger(rows))
        self.ledger.update(_place_list(rows))

    def write_dead_letters(self, rows: pa.Table) -> None:
        self.truth.check_dead_letters(rows)
        for place, letter in zip(_place_list(rows), rows.to_pylist(), strict=True):
            if self._letters.setdefault(place, letter) != letter:
                raise DifferenceError(f"another dead letter than before; {self.truth.describe(place)}")
        run_straight(self.sink.write_dead_letters(rows))
        self.dead_letters.update(_place_list(rows))

    def write_totals(self, rows: pa.Table) -> None:
        self.truth.check_totals(rows)
        run_straight(self.sink.write_totals(rows))
        columns = (rows.column(name).to_pylist() for name in (*TOTAL_KEY, "last_offset"))
        for *key, version in zip(*columns, strict=True):
            self.versions[tuple(key)] = max(version, self.versions.get(tuple(key), -1))

    def write_checkpoints(self, rows: pa.Table) -> None:
        self.truth.check_checkpoints(rows)
        run_straight(self.sink.write_checkpoints(rows))
        for epoch, partition, offset in zip(
            *(rows.column(name).to_pylist() for name in ("topic_epoch", "source_partition", "next_offset")), strict=True
        ):
            self.checkpoints[epoch, partition] = max(offset, self.checkpoints.get((epoch, partition), 0))
            self._nothing_missing_below(epoch, partition, offset, "checkpoint")
            self._totals_reach(epoch, partition, offset)

    def publish(self, epoch: int, rejections: Sequence[Rejection]) -> None:
        for letter in rejections:
            self.truth.check_rejection(epoch, letter.partition, letter.offset, letter.index, letter.reason)
            self.published.add((epoch, letter.partition, letter.offset, letter.index))

    def check_commit(self, epoch: int, offsets: Mapping[int, int]) -> None:
        """A committed offset promises that everything below it is stored."""
        for partition, offset in offsets.items():
            self._nothing_missing_below(epoch, partition, offset, "committed offset")
            checkpoint = self.checkpoints.get((epoch, partition), 0)
            if offset > checkpoint:
                raise DifferenceError(f"partition {partition}: {offset} is committed, the checkpoint is {checkpoint}")

    def _nothing_missing_below(self, epoch: int, partition: int, offset: int, what: str) -> None:
        for name, expected, stored in (
            ("ledger row", self.truth.rows.keys(), self.ledger),
            ("dead letter", self.truth.dead.keys(), self.dead_letters),
            ("published dead letter", self.truth.dead.keys(), self.published),
        ):
            missing = sorted(
                place for place in expected - stored if place[:2] == (epoch, partition) and place[2] < offset
            )
            if missing:
                where = self.truth.describe(missing[0])
                raise DifferenceError(f"below the {what} {offset} the {name} is missing; {where}")

    def _totals_reach(self, epoch: int, partition: int, offset: int) -> None:
        for key, versions in self.truth.totals.items():
            if key[-2:] == (epoch, partition):
                due = max((total["last_offset"] for total in versions if total["last_offset"] < offset), default=-1)
                if self.versions.get(key, -1) < due:
                    raise DifferenceError(f"below the checkpoint {offset} the total of {key} is older than {due}")


class FaultySink:
    """`sinks.contract.Sink` as one worker sees it. `late` takes what is to be applied some other time."""

    def __init__(self, stored: Stored, faults: Faults, late: Callable[[Callable[[], None]], None]) -> None:
        self._stored, self._faults, self._late = stored, faults, late

    async def write_ledger(self, rows: pa.Table) -> None:
        await self._write("ledger", rows, self._stored.write_ledger)

    async def write_dead_letters(self, rows: pa.Table) -> None:
        await self._write("dead letters", rows, self._stored.write_dead_letters)

    async def write_totals(self, rows: pa.Table) -> None:
        await self._write("totals", rows, self._stored.write_totals)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        await self._write("checkpoints", rows, self._stored.write_checkpoints)

    async def _write(self, what: str, rows: pa.Table, apply: Callable[[pa.Table], None]) -> None:
        await pause(f"before {what}")
        fault = self._faults.write()
        if fault is Fault.LATE:
            self._late(lambda: apply(rows))
        elif fault is Fault.PARTIAL:
            apply(_some(rows, self._faults.random))
        elif fault is not Fault.REFUSED:
            apply(rows)
        if fault is not None:
            raise SinkTransientError(f"{what}: {fault.value}")
        await pause(f"after {what}")

    async def read_checkpoints(self, topic_epoch: int, partitions: Collection[int]) -> pl.DataFrame:
        return await self._read("checkpoints", lambda sink: sink.read_checkpoints(topic_epoch, partitions))

    async def read_identities(self, topic_epoch: int, partitions: Collection[int], since: datetime) -> np.ndarray:
        return await self._read("identities", lambda sink: sink.read_identities(topic_epoch, partitions, since))

    async def find_identities(
        self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
    ) -> pl.DataFrame:
        return await self._read("originals", lambda sink: sink.find_identities(topic_epoch, partitions, identities))

    async def find_rows(self, topic_epoch: int, partitions: Collection[int], identities: np.ndarray) -> pl.DataFrame:
        return await self._read("targets", lambda sink: sink.find_rows(topic_epoch, partitions, identities))

    async def read_totals(self, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
        return await self._read("totals", lambda sink: sink.read_totals(topic_epoch, windows))

    async def _read(self, what: str, read: Callable[[MemorySink], Coroutine[Any, Any, T]]) -> T:
        await pause(f"before reading {what}")
        if self._faults.read():
            raise SinkTransientError(f"reading {what}")
        answer = run_straight(read(self._stored.sink))
        await pause(f"after reading {what}")  # by the time it arrives it may be old
        return answer


class FaultyPublisher:
    """The dead-letter topic as one worker sees it."""

    def __init__(self, stored: Stored, faults: Faults, epoch: int) -> None:
        self._stored, self._faults, self._epoch = stored, faults, epoch

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        await pause("before publishing")
        fault = self._faults.write()
        if fault in (Fault.PARTIAL, Fault.LATE):
            rejections = rejections[: len(rejections) // 2]
        if fault is not Fault.REFUSED:
            self._stored.publish(self._epoch, rejections)
        if fault is not None:
            raise SinkTransientError(f"publishing: {fault.value}")
        await pause("after publishing")


def _some(rows: pa.Table, random: Random) -> pa.Table:
    return rows.filter(pa.array([random.random() < 0.5 for _ in range(rows.num_rows)], pa.bool_()))


def _place_list(rows: pa.Table) -> list[Place]:
    return list(zip(*(rows.column(name).to_pylist() for name in PLACE_COLUMNS), strict=True))

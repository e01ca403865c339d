"""One run: a log, a store, a consumer group, and workers that are killed, cut off, and started again.

Phase one asks for safety while anything may happen. Phase two heals everything and asks for progress: every record is
processed within a bounded number of steps. Then what was still under way arrives, last of all; the auditor compares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agents.deadline import Deadline
from agents.meter import Meter
from agents.preparation import PreparedBlock
from sinks.contract import BackfillGrant, EpochParameters
from sinks.errors import SinkTransientError
from tests.simulation.auditor import DifferenceError
from tests.simulation.books import rater
from tests.simulation.faults import Faults
from tests.simulation.log import EpochLog, SimulatedRecord
from tests.simulation.scheduler import pause, step
from tests.simulation.store import FaultyPublisher, FaultySink, Stored
from topics.decode import Decoder
from topics.meters import load_catalogue

STEPS_MAX_PER_RECORD = 150
CATALOGUE = load_catalogue()
DECODERS = {partitions: Decoder(CATALOGUE, partitions=partitions) for partitions in (2, 3)}


@dataclass(frozen=True, slots=True)
class Style:
    """How a run is driven."""

    workers: int
    block_records_max: int
    prepares_ahead: bool
    flush_seconds_max: float
    deaf_steps_max: int  # how long a worker may not notice that it lost its partitions

    @property
    def late_is_last(self) -> bool:
        """Whether late writes arrive only after all that is newer: what a zombie sent, long after it was replaced."""
        return self.block_records_max < 25

    @classmethod
    def draw(cls, random: Random) -> Style:
        return cls(
            workers=random.choice((1, 2, 2, 3)),
            block_records_max=random.choice((6, 12, 25)),
            prepares_ahead=random.random() < 0.5,
            flush_seconds_max=random.choice((0.05, 10.0)),
            deaf_steps_max=random.choice((0, 20, 120)),
        )


@dataclass(slots=True)
class Group:
    """The consumer group: who owns what, in which generation, and what is committed."""

    partitions: list[int]
    generation: int = 0
    owners: dict[int, int] = field(default_factory=dict)  # partition -> worker
    committed: dict[int, int] = field(default_factory=dict)

    def assign(self, members: list[int], random: Random) -> None:
        """A new generation: every partition to one of `members`."""
        self.generation += 1
        self.owners = {partition: random.choice(members) for partition in self.partitions}

    def of(self, worker: int) -> list[int]:
        return [partition for partition in self.partitions if self.owners.get(partition) == worker]


class World:
    """Everything there is in one epoch of a run."""

    def __init__(
        self,
        log: EpochLog,
        stored: Stored,
        grants: Sequence[BackfillGrant],
        faults: Faults,
        style: Style,
        random: Random,
    ) -> None:
        self.log, self.stored, self.grants = log, stored, grants
        self.faults, self.style, self.random = faults, style, random
        self.group = Group(sorted(log.partitions))
        self.seconds = 0.0
        self.steps = 0
        self.blocks = 0
        self.late: list[Callable[[], None]] = []
        self.workers: dict[int, Worker] = {}
        self._hired = 0
        for _ in range(style.workers):
            self._hire()
        self.group.assign(list(self.workers), random)

    @property
    def epoch(self) -> EpochParameters:
        return self.log.parameters

    @property
    def done(self) -> bool:
        """Everything is committed."""
        return all(self.group.committed.get(partition, 0) == end for partition, end in self.log.ends.items())

    def run(self) -> None:
        """Both phases; raises DifferenceError, or whatever a worker raises that is no passing failure of the store."""
        steps_max = STEPS_MAX_PER_RECORD * (10 + sum(self.log.ends.values()))
        for _ in range(steps_max):
            if self.done or self.faults.left <= 0:
                break
            self._step()
        self.faults.heal()
        for worker in self.workers.values():
            worker.deaf_until = 0
        self.group.assign(list(self.workers), self.random)
        for _ in range(steps_max):
            if self.done and not self.late:
                break
            self._step()
        if not self.done:
            raise DifferenceError(
                f"no progress: committed {self.group.committed} of {self.log.ends} after {self.steps} steps"
            )
        for worker in self.workers.values():
            worker.kill()

    def _step(self) -> None:
        self.steps += 1
        random = self.random
        if self.late and random.random() < 0.05 and (self.done or not self.style.late_is_last):
            self.late.pop(random.randrange(len(self.late)))()
        if self.faults.rebalances():
            self._rebalance()
        number = random.choice(list(self.workers))
        worker = self.workers[number]
        try:
            if self.faults.crashes() or not worker.step():
                self._replace(number)
        except SinkTransientError:
            self._replace(number)  # it stopped, with an error that says why

    def _rebalance(self) -> None:
        """Partitions change hands; who lost some may not know it yet, or may have been put out of the group."""
        members = list(self.workers)
        if len(members) > 1 and self.random.random() < 0.5:
            members.remove(self.random.choice(members))
        for worker in self.workers.values():
            worker.deaf_until = self.steps + self.random.randrange(self.style.deaf_steps_max + 1)
        self.group.assign(members, self.random)

    def _replace(self, number: int) -> None:
        self.workers.pop(number).kill()
        self._hire()
        self.group.assign(list(self.workers), self.random)

    def _hire(self) -> None:
        self._hired += 1
        self.workers[self._hired] = Worker(self, self._hired)

    # What workers reach for

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, lambda: self.seconds, self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await pause("sleeping")

    def fetch(self, position: dict[int, int]) -> list[SimulatedRecord]:
        """The next records of some partitions, and the positions moved past them."""
        random = self.random
        records: list[SimulatedRecord] = []
        for partition in sorted(position):
            start = position[partition]
            if random.random() < 0.15 and records:
                continue
            taken = self.log.partitions[partition][
                start : start + random.randrange(1, self.style.block_records_max + 1)
            ]
            position[partition] = start + len(taken)
            records += taken
        return records

    async def commit(self, generation: int, offsets: dict[int, int]) -> bool:
        """What Kafka answers: False to who is not of this generation."""
        await pause("before commit")
        fault = self.faults.write()
        if fault is not None and self.random.random() < 0.5:
            raise CommitFailedError("the coordinator did not answer, nothing was committed")
        if generation != self.group.generation:
            self.faults.drawn["refused commit"] += 1
            return False
        self.stored.check_commit(self.epoch.topic_epoch, offsets)
        self.group.committed.update(offsets)
        if fault is not None:
            raise CommitFailedError("the coordinator did not answer, but the offsets are committed")
        await pause("after commit")
        return True


class CommitFailedError(SinkTransientError):
    """Any error of the client: the worker stops and another one starts."""


class Worker:
    """A worker process; what it does is what agents/pump.py has the meter do, one step after the other."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self._number = world, number
        self.deaf_until = 0
        self.at: str | None = None  # the label of the pause it stands at
        self.meter = Meter(
            decoder=DECODERS[world.epoch.partitions],
            rater=rater(),
            sink=FaultySink(world.stored, world.faults, world.late.append),  # type: ignore[arg-type]
            dead_letters=FaultyPublisher(world.stored, world.faults, world.epoch.topic_epoch),
            epoch=world.epoch,
            grants=world.grants,
            worker=f"worker-{number}",
            flush_seconds_max=world.style.flush_seconds_max,
            compute=_inline,
            deadline=world.deadline,
        )
        self._life = self._live()

    def step(self) -> bool:
        """To the next pause; False when it has ended by itself."""
        self.at = step(self._life)
        return self.at is not None

    def kill(self) -> None:
        """The process is gone, and all that it had in memory. What it sent may still arrive."""
        with suppress(SinkTransientError):
            self._life.close()

    async def _live(self) -> None:
        while True:
            generation = self._world.group.generation
            partitions = self._world.group.of(self._number)
            committed = {partition: self._world.group.committed.get(partition) for partition in partitions}
            await pause("joined")
            await self._world.deadline(1.0).attempt(lambda committed=committed: self.meter.assign(committed))  # type: ignore[misc]
            await self._own(generation, {partition: offset or 0 for partition, offset in committed.items()})

    async def _own(self, generation: int, position: dict[int, int]) -> None:
        """Until the worker hears, or is told by a refused commit, that it is not of this generation any more."""
        world = self._world

        async def commit(offsets: dict[int, int]) -> bool:
            return await world.commit(generation, offsets)

        ahead: PreparedBlock | None = None
        while not self._hears_of_another(generation):
            current, ahead = ahead or await self._prepare(position), None
            if current is None:
                await pause("idle")
                continue
            if world.style.prepares_ahead:
                ahead = await self._prepare(position)
            if self._hears_of_another(generation):
                return
            world.blocks += 1
            report = await self.meter.process(current, commit)
            if not report.owned:
                self.deaf_until = 0
                return

    async def _prepare(self, position: dict[int, int]) -> PreparedBlock | None:
        records = self._world.fetch(position)
        if not records:
            return None
        prepared = await self.meter.prepare(records)
        await pause("prepared")
        return prepared

    def _hears_of_another(self, generation: int) -> bool:
        return generation != self._world.group.generation and self._world.steps >= self.deaf_until


async def _inline(work: Callable[..., PreparedBlock], *arguments: Any) -> PreparedBlock:
    return work(*arguments)

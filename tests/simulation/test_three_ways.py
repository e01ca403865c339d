"""Every scenario three ways: straight, killed at each step of the flush, and resumed by other workers half-way.

The three stores are compared byte for byte, but for the name of the worker in a checkpoint. Which steps there are is
taken from a run and checked against the source of `agents.commit.flush`, so that a new one is killed at as well.
"""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from random import Random
from typing import Any

import polars as pl
import pytest

from agents import commit
from tests.simulation.auditor import Truth
from tests.simulation.faults import Faults
from tests.simulation.log import Log
from tests.simulation.store import Stored
from tests.simulation.traffic import draw_log
from tests.simulation.world import Style, World

SEEDS = range(5001, 5051)
CHUNK = 10
STEP_OF_THE_FLUSH = re.compile(r"(before|after) (?!reading)")


class _Straight(World):
    """One worker after the other takes its turn; what stands at which pause is counted."""

    workers_at_start = 1

    def __init__(self, log: Log, number: int, stored: Stored) -> None:
        style = Style(self.workers_at_start, 25, prepares_ahead=False, flush_seconds_max=10.0, deaf_steps_max=0)
        super().__init__(log.epochs[number], stored, log.grants, Faults.none(), style, Random(number))
        self.passed: Counter[str] = Counter()

    def _step(self) -> None:
        self.steps += 1
        number = list(self.workers)[self.steps % len(self.workers)]
        worker = self.workers[number]
        assert worker.step(), "a worker ended by itself"
        label = worker.at or ""
        if STEP_OF_THE_FLUSH.match(label):
            self.passed[label] += 1
            self._stands_at(number, label)

    def _stands_at(self, number: int, label: str) -> None:
        """A worker is about to take, or has just taken, a step of the flush."""


class _Killed(_Straight):
    """Killed once at each step, the first time that it comes to it."""

    def _stands_at(self, number: int, label: str) -> None:
        if self.passed[label] == 1:
            self._replace(number)


class _Resumed(_Straight):
    """Half-way all workers are gone; three others share the partitions."""

    workers_at_start = 2

    def _stands_at(self, number: int, label: str) -> None:
        committed, end = sum(self.group.committed.values()), sum(self.log.ends.values())
        if len(self.workers) == 2 and 2 * committed >= end:
            for old in list(self.workers):
                self.workers.pop(old).kill()
            for _ in range(3):
                self._hire()
            names = list(self.workers)
            self.group.assign(names, self.random)
            self.group.owners = {partition: names[partition % 3] for partition in self.group.partitions}


def _run(way: type[_Straight], log: Log, truth: Truth) -> tuple[Stored, Counter[str]]:
    stored, passed = Stored(truth), Counter[str]()
    for number in range(len(log.epochs)):
        world = way(log, number, stored)
        world.run()
        passed += world.passed
    return stored, passed


def _rows(stored: Stored) -> dict[str, list[bytes]]:
    sink = stored.sink
    frames: dict[str, pl.DataFrame] = {
        "ledger": sink.ledger.sort("topic_epoch", "source_partition", "source_offset", "batch_index"),
        "dead letters": sink.dead_letters,
        "totals": sink.totals,
        "checkpoints": sink.checkpoints.drop("worker"),
    }
    return {name: [_canonical(row) for row in frame.iter_rows(named=True)] for name, frame in frames.items()}


def _canonical(row: dict[str, Any]) -> bytes:
    if "usage" in row:
        row = row | {"usage": sorted((entry["key"], str(entry["value"])) for entry in row["usage"])}
    return json.dumps(row, sort_keys=True, default=str).encode()


def _first_difference(truth: Truth, one: Stored, other: Stored) -> str | None:
    ours, theirs = _rows(one), _rows(other)
    for name, rows in ours.items():
        for left, right in zip(rows, theirs[name], strict=False):
            if left != right:
                return f"{name}: {_event(truth, left)} {left!r} is {right!r}"
        if len(rows) != len(theirs[name]):
            longer = max(rows, theirs[name], key=len)
            return f"{name}: only one has {_event(truth, longer[min(len(rows), len(theirs[name]))])}"
    return None


def _event(truth: Truth, row: bytes) -> str:
    said = json.loads(row)
    offset = said.get("source_offset", said.get("last_offset", said.get("next_offset", 1) - 1))
    return truth.describe((said["topic_epoch"], said["source_partition"], offset, said.get("batch_index", 0)))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", SEEDS[::CHUNK])
def test_straight_killed_at_each_step_and_resumed_elsewhere_end_in_the_same_bytes(first: int) -> None:
    everything: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        log = draw_log(Random(seed))
        truth = Truth(log)
        straight, passed = _run(_Straight, log, truth)
        truth.check_final(straight.sink)
        killed, again = _run(_Killed, log, truth)
        resumed, _ = _run(_Resumed, log, truth)
        assert passed.keys() <= again.keys(), f"seed {seed}: not killed at {passed.keys() - again.keys()}"
        for way, stored in (("killed", killed), ("resumed", resumed)):
            difference = _first_difference(truth, straight, stored)
            assert difference is None, f"seed {seed}, straight and {way}: {difference}"
        everything += passed
    calls = re.findall(r"(?:sink|publisher)\.\w+\(|await commit\(", inspect.getsource(commit.flush))
    steps = {label.partition(" ")[2] for label in everything}
    assert len(steps) == len(calls), f"the flush calls {calls}, the simulation stops around {sorted(steps)}"
    assert everything.keys() == {f"{when} {step}" for when in ("before", "after") for step in steps}


def test_a_difference_names_the_event() -> None:
    log = draw_log(Random(5001))
    truth = Truth(log)
    whole, _ = _run(_Straight, log, truth)
    found = _first_difference(truth, whole, Stored(truth))
    assert found is not None
    assert truth.describe(min(truth.rows)) in found

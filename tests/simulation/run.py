"""One seed, from the draw to the verdict: `python -m tests.simulation.run --seed 8814` replays it and tells all."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass
from random import Random

from tests.simulation.auditor import DifferenceError, Truth
from tests.simulation.faults import Faults
from tests.simulation.store import Stored
from tests.simulation.traffic import draw_log
from tests.simulation.world import Style, World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run was like."""

    events: int
    steps: int
    blocks: int
    counts: Counter[str]  # events by verdict, accepted rows by kind, "unpriced", and what went wrong on the way


def simulate(seed: int) -> Outcome:
    """Draw everything from the seed, run it, compare. Raises DifferenceError, or what a worker raised."""
    random = Random(seed)
    log = draw_log(random)
    truth = Truth(log)
    stored = Stored(truth)
    steps = blocks = 0
    counts = truth.counts()
    for epoch in log.epochs:
        world = World(epoch, stored, log.grants, Faults.draw(random), Style.draw(random), random)
        world.run()
        steps, blocks = steps + world.steps, blocks + world.blocks
        counts += world.faults.drawn
    truth.check_final(stored.sink)
    return Outcome(log.events(), steps, blocks, counts)


class SeedFailedError(AssertionError):
    """A seed found something; the message says how to see it again."""


def check_seed(seed: int) -> Outcome:
    """`simulate`, with the replay command on whatever goes wrong."""
    try:
        return simulate(seed)
    except Exception as error:
        hash_seed = os.environ.get("PYTHONHASHSEED", "random")
        raise SeedFailedError(
            f"seed {seed}: {type(error).__name__}: {error}\n"
            f"replay: PYTHONHASHSEED={hash_seed} make sim SEED={seed}"
            f"  (or python -m tests.simulation.run --seed {seed})"
        ) from error


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="replay this one")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    print(f"PYTHONHASHSEED={os.environ.get('PYTHONHASHSEED', 'random')}")
    if arguments.seed is not None:
        random = Random(arguments.seed)
        log = draw_log(random)
        truth = Truth(log)
        for grant in log.grants:
            print(grant)
        for epoch in log.epochs:
            print(epoch.parameters)
        for place in truth.verdicts:
            print(truth.describe(place))
        print(check_seed(arguments.seed))
        return 0
    started, failed = time.process_time(), 0
    for seed in range(arguments.first, arguments.first + arguments.count):
        try:
            check_seed(seed)
        except SeedFailedError as error:
            failed += 1
            print(error)
    seconds = time.process_time() - started
    print(f"{arguments.count} seeds, {failed} failed, {seconds / arguments.count * 1000:.0f} ms CPU a seed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())


__all__ = ["DifferenceError", "Outcome", "SeedFailedError", "check_seed", "simulate"]

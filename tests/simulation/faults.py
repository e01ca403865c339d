"""What goes wrong in a run, and how often: drawn by seed, and nothing at all once the run is healed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from random import Random


class Fault(Enum):
    """How a write ends when it does not end well. The caller sees a SinkTransientError each time."""

    REFUSED = "refused"  # nothing happened
    AMBIGUOUS = "ambiguous"  # it was applied, the answer was lost
    PARTIAL = "partial"  # some of the rows were applied, in no order
    LATE = "late"  # it will be applied, after others


@dataclass(slots=True)
class Faults:
    """Odds of each thing per opportunity, and how many of them may still happen."""

    random: Random
    failure: float
    crash: float
    rebalance: float
    left: int
    drawn: Counter[str] = field(default_factory=Counter)  # what has happened so far

    @classmethod
    def draw(cls, random: Random) -> Faults:
        """Some runs have one kind of trouble only, most have all of it."""
        kind = random.choice(("all", "all", "all", "failures", "crashes", "rebalances"))
        return cls(
            random,
            failure=0.12 if kind in ("all", "failures") else 0.0,
            crash=0.02 if kind in ("all", "crashes") else 0.0,
            # Alone they come often: only who gets a partition back shows that he had forgotten it.
            rebalance={"all": 0.02, "rebalances": 0.04}.get(kind, 0.0),
            left=random.randrange(8, 20) if kind == "rebalances" else random.randrange(2, 9),
        )

    @classmethod
    def none(cls) -> Faults:
        """Nothing goes wrong."""
        return cls(Random(0), 0.0, 0.0, 0.0, 0)

    def heal(self) -> None:
        """From here on nothing goes wrong any more."""
        self.left = 0

    def write(self) -> Fault | None:
        """How this write fails, if it does."""
        return self.random.choice(list(Fault)) if self._happens("failed write", self.failure) else None

    def read(self) -> bool:
        """Whether this read fails."""
        return self._happens("failed read", self.failure / 6)

    def crashes(self) -> bool:
        """Whether the worker that is about to go on is killed instead."""
        return self._happens("crash", self.crash)

    def rebalances(self) -> bool:
        """Whether partitions change hands now."""
        return self._happens("rebalance", self.rebalance)

    def _happens(self, what: str, odds: float) -> bool:
        if self.left <= 0 or self.random.random() >= odds:
            return False
        self.left -= 1
        self.drawn[what] += 1
        return True

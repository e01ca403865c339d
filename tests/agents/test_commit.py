"""The numbered flush: its order, and that a step which fails is the last one taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from agents.commit import Flush, flush
from agents.deadline import Deadline
from sinks import tables
from sinks.errors import SinkTerminalError, SinkTransientError
from sinks.memory import MemorySink
from tests.support import rows
from topics.block import Rejection
from topics.reasons import Reason

STEPS = ["ledger", "published", "dead letters", "totals", "checkpoints", "offsets"]
ROW = rows.ledger_row(4)
REJECTION = Rejection(0, 5, 0, 1, Reason.NOT_JSON, "wrong", b"key", b"{", ())
BLOCK = Flush(
    ledger=rows.ledger([ROW]),
    rejections=[REJECTION],
    dead_letters=rows.dead_letters([rows.dead_letter_row(5)]),
    totals=rows.totals(rows.totals_of([ROW])),
    checkpoints=rows.checkpoints([rows.checkpoint_row(6)]),
    next_offsets={0: 6},
)
NOTHING = Flush(
    ledger=tables.LEDGER.empty_table(),
    rejections=[],
    dead_letters=tables.DEAD_LETTERS.empty_table(),
    totals=tables.TOTALS.empty_table(),
    checkpoints=tables.CHECKPOINTS.empty_table(),
    next_offsets={0: 6},
)


class Steps(MemorySink):
    """The store, the dead-letter topic and Kafka's offsets: what arrived, in order. `failures` come first."""

    def __init__(self, **failures: Sequence[Exception]) -> None:
        super().__init__()
        self.taken: list[str] = []
        self.timed: list[str] = []
        self.owned = True
        self.offsets: dict[int, int] = {}
        self._failures = {name.replace("_", " "): list(errors) for name, errors in failures.items()}

    async def write_ledger(self, rows: pa.Table) -> None:
        self._take("ledger")
        await super().write_ledger(rows)

    async def publish(self, rejections: Sequence[Rejection]) -> None:
        self._take("published")
        assert list(rejections) == [REJECTION]

    async def write_dead_letters(self, rows: pa.Table) -> None:
        self._take("dead letters")
        await super().write_dead_letters(rows)

    async def write_totals(self, rows: pa.Table) -> None:
        self._take("totals")
        await super().write_totals(rows)

    async def write_checkpoints(self, rows: pa.Table) -> None:
        self._take("checkpoints")
        await super().write_checkpoints(rows)

    async def commit(self, offsets: dict[int, int]) -> bool:
        self._take("offsets")
        self.offsets = offsets
        return self.owned

    def _take(self, step: str) -> None:
        self.taken.append(step)
        failures = self._failures.get(step, [])
        if failures:
            raise failures.pop(0)

    async def flush(self, block: Flush) -> bool:
        async def no_pause(_: float) -> None:
            """Time stands still."""

        return await flush(block, self, self, self.commit, Deadline(60, lambda: 0.0, no_pause), self.timed.append)


async def test_the_steps_are_taken_in_their_order_and_each_is_timed() -> None:
    steps = Steps()
    assert await steps.flush(BLOCK)
    assert steps.taken == STEPS
    assert steps.timed == ["ledger", "dead_letters", "totals", "checkpoint", "commit"]
    assert steps.offsets == {0: 6}
    assert [steps.ledger.height, steps.dead_letters.height, steps.totals.height, steps.checkpoints.height] == [1] * 4


@pytest.mark.parametrize("step", STEPS)
async def test_after_a_step_that_fails_for_good_nothing_more_is_done(step: str) -> None:
    steps = Steps(**{step.replace(" ", "_"): [SinkTerminalError("refused")]})
    with pytest.raises(SinkTerminalError, match="refused"):
        await steps.flush(BLOCK)
    assert steps.taken == STEPS[: STEPS.index(step) + 1]
    assert steps.offsets == {}


@pytest.mark.parametrize("step", STEPS[:-1])
async def test_a_step_that_fails_in_passing_is_repeated_before_the_next_one(step: str) -> None:
    steps = Steps(**{step.replace(" ", "_"): [SinkTransientError("busy"), SinkTransientError("busy")]})
    assert await steps.flush(BLOCK)
    at = STEPS.index(step)
    assert steps.taken == STEPS[:at] + [step] * 3 + STEPS[at + 1 :]


async def test_a_commit_is_never_repeated_here() -> None:
    """Its client does that; who is out of the group must not insist."""
    steps = Steps(offsets=[SinkTransientError("no coordinator")])
    with pytest.raises(SinkTransientError):
        await steps.flush(BLOCK)
    assert steps.taken == STEPS


async def test_a_refused_commit_is_an_answer_and_not_an_error() -> None:
    steps = Steps()
    steps.owned = False
    assert not await steps.flush(BLOCK)
    assert steps.timed[-1] == "commit"


async def test_an_empty_block_commits_and_writes_nothing() -> None:
    steps = Steps()
    assert await steps.flush(NOTHING)
    assert steps.taken == ["offsets"]


@pytest.mark.parametrize(
    ("empty", "left"),
    [
        ({"ledger": NOTHING.ledger}, STEPS[1:]),
        ({"rejections": [], "dead_letters": NOTHING.dead_letters}, [STEPS[0], *STEPS[3:]]),
        ({"totals": NOTHING.totals}, [*STEPS[:3], *STEPS[4:]]),
        ({"checkpoints": NOTHING.checkpoints}, [*STEPS[:4], STEPS[5]]),
    ],
    ids=["ledger", "dead letters", "totals", "checkpoints"],
)
async def test_a_step_without_rows_is_left_out_and_the_others_are_not(empty: dict[str, Any], left: list[str]) -> None:
    steps = Steps()
    await steps.flush(replace(BLOCK, **empty))
    assert steps.taken == left

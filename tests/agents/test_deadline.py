"""One budget for all steps of a flush and their retries."""

from __future__ import annotations

import pytest

from agents.deadline import Deadline
from sinks.errors import SinkTerminalError, SinkTransientError


class Store:
    """Fails `failures` times, then answers; keeps a clock of its own."""

    def __init__(self, *failures: Exception, seconds_each: float = 0.0) -> None:
        self.seconds = 1000.0
        self.pauses: list[float] = []
        self.calls = 0
        self._failures = list(failures)
        self._seconds_each = seconds_each

    def clock(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    async def write(self) -> None:
        self.calls += 1
        self.seconds += self._seconds_each
        if self._failures:
            raise self._failures.pop(0)

    def deadline(self, seconds: float) -> Deadline:
        return Deadline(seconds, self.clock, self.sleep)


def passing(count: int) -> list[Exception]:
    return [SinkTransientError(f"failure {number}") for number in range(1, count + 1)]


async def test_what_succeeds_is_done_once_and_without_a_pause() -> None:
    store = Store()
    await store.deadline(0).attempt(store.write)
    assert (store.calls, store.pauses) == (1, [])


async def test_a_passing_failure_is_repeated_after_pauses_that_double_up_to_five_seconds() -> None:
    store = Store(*passing(9))
    await store.deadline(60).attempt(store.write)
    assert store.calls == 10
    assert store.pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


async def test_when_the_time_is_spent_the_last_failure_comes_through_and_no_pause_goes_beyond_it() -> None:
    store = Store(*passing(99))
    with pytest.raises(SinkTransientError, match="failure 4"):
        await store.deadline(1.0).attempt(store.write)
    assert store.seconds <= 1001.0
    assert store.pauses == [0.1, 0.2, 0.4]  # 0.8 more would be too late


async def test_all_steps_share_one_budget() -> None:
    store = Store(*passing(99), seconds_each=0.3)
    deadline = store.deadline(2.0)
    for steps in (1, 2):
        with pytest.raises(SinkTransientError):
            await deadline.attempt(store.write)
        assert store.seconds < 1002.0 + steps * 0.3, "each step has only what the ones before have left"
    calls = store.calls
    with pytest.raises(SinkTransientError):
        await deadline.attempt(store.write)
    assert store.calls == calls + 1, "what has to be done is tried at least once"


@pytest.mark.parametrize("error", [SinkTerminalError("refused"), ValueError("a defect")])
async def test_what_will_not_pass_is_not_repeated(error: Exception) -> None:
    store = Store(error)
    with pytest.raises(type(error)):
        await store.deadline(60).attempt(store.write)
    assert (store.calls, store.pauses) == (1, [])


async def test_a_failure_that_turns_out_to_be_final_ends_the_retries() -> None:
    store = Store(*passing(2), SinkTerminalError("refused"))
    with pytest.raises(SinkTerminalError):
        await store.deadline(60).attempt(store.write)
    assert store.calls == 3

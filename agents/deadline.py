"""One budget of seconds for everything a flush has to do, shared by its steps and their retries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from sinks.errors import SinkTransientError

FIRST_PAUSE_SECONDS = 0.1
PAUSE_SECONDS_MAX = 5.0


class Deadline:
    """Retries what fails for a passing reason until the budget is spent, then lets the error through."""

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._end = clock() + seconds

    async def attempt(self, operation: Callable[[], Awaitable[None]]) -> None:
        """Run `operation`, which has to be safe to repeat, until it succeeds, fails for good, or time is up."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await operation()
                return
            except SinkTransientError:
                if self._clock() + pause >= self._end:
                    raise
            await self._sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS_MAX)

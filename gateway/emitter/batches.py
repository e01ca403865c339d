"""Gathers usage events into one columnar batch per partition: full, or old enough, it is handed to `send`.

A flush runs as a task of its own, so that an event does not wait for another partition's batch; batches of one
partition are sent one after the other, in the order in which they were gathered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.emitter.receipt import Receipt
from topics.events import UsageEvent

Gathered = tuple[UsageEvent, "asyncio.Future[Receipt]"]
Send = Callable[[int, list[Gathered]], Awaitable[None]]


@dataclass(slots=True)
class _Open:
    """The batch that a partition is gathering."""

    waiting: list[Gathered] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)


class Batches:
    """Open batches by partition. `send` settles every future it is given, and raises nothing."""

    def __init__(self, send: Send, *, events_max: int, seconds_max: float) -> None:
        self._send, self._events_max, self._seconds_max = send, events_max, seconds_max
        self._open: dict[int, _Open] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, partition: int, event: UsageEvent) -> asyncio.Future[Receipt]:
        """Put an event in its batch; waits while a full batch before it is being handed on."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        batch = self._open.setdefault(partition, _Open())
        batch.waiting.append((event, future))
        if len(batch.waiting) >= self._events_max:
            await self.flush(partition)
        elif batch.timer is None:
            batch.timer = asyncio.get_running_loop().call_later(self._seconds_max, self._flush_later, partition)
        return future

    async def flush(self, partition: int) -> None:
        """Hand on what the partition has gathered."""
        batch = self._open.get(partition)
        if batch is None:
            return
        if batch.timer is not None:
            batch.timer.cancel()
            batch.timer = None
        waiting, batch.waiting = batch.waiting, []
        async with batch.sending:
            if waiting:
                await self._send(partition, waiting)

    async def flush_all(self) -> None:
        """Hand on everything that was gathered."""
        await asyncio.gather(*(self.flush(partition) for partition in list(self._open)), *self._tasks)

    def _flush_later(self, partition: int) -> None:
        task = asyncio.ensure_future(self.flush(partition))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

"""Clients that trip while they are stopped end nobody; whoever is cancelled meanwhile is."""

from __future__ import annotations

import asyncio

import pytest

from topics import ending
from topics.ending import ended


@pytest.mark.parametrize("error", [KeyError("the sender's"), TimeoutError(), RuntimeError("closed"), None])
async def test_what_a_client_raises_while_it_stops_is_nobodys_concern(error: Exception | None) -> None:
    async def stop() -> None:
        if error is not None:
            raise error

    await ended(stop())


async def test_a_task_of_the_librarys_own_that_was_cancelled_cancels_nobody_else() -> None:
    async def stop() -> None:
        sender = asyncio.ensure_future(asyncio.sleep(60))
        sender.cancel()
        await sender

    await ended(stop())


async def test_a_client_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "STOP_SECONDS_MAX", 0.01)
    async with asyncio.timeout(30):
        await ended(asyncio.sleep(60))


async def test_whoever_is_cancelled_while_a_client_stops_is_cancelled() -> None:
    stopping = asyncio.create_task(ended(asyncio.sleep(60)))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping

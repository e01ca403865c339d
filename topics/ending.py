"""The end of a Kafka client: nothing is asked of it any more, so nothing that it raises matters."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

LOG = logging.getLogger(__name__)
STOP_SECONDS_MAX = 5.0


async def ended(stopping: Coroutine[Any, Any, None]) -> None:
    """Await `stopping`, such as `producer.stop()`, for at most STOP_SECONDS_MAX; only a cancellation of the caller is
    raised."""
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await stopping
    except Exception as error:  # of a library whose own tasks trip over what was failed under them
        LOG.debug("a client of Kafka did not stop in order: %r", error)
    except asyncio.CancelledError:  # of a task of the library's own, unless somebody cancels this one
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise

"""A ClickHouse front that lies: between worker and store, it loses requests, and answers to requests that were applied.

Every insert's fate is drawn from a seed. What a client must take from this: an insert that failed may have been
applied, may be applied later, after what was written since, and may never be.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, ClientTimeout, web
from multidict import CIMultiDict

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}
BODY_BYTES_MAX = 1 << 30


class Fate(StrEnum):
    """What becomes of a request."""

    PASSED = "passed on, and answered"
    REFUSED = "answered 503, not passed on"
    LOST = "connection dropped, not passed on"
    APPLIED_THEN_503 = "applied, answered 503"
    APPLIED_THEN_DROPPED = "applied, connection dropped"
    APPLIED_WITHOUT_ANSWER = "applied, never answered"
    APPLIED_LATE = "connection dropped, applied some seconds later"


INSERTS: Mapping[Fate, float] = {
    Fate.PASSED: 0.5,
    Fate.REFUSED: 0.06,
    Fate.LOST: 0.06,
    Fate.APPLIED_THEN_503: 0.12,
    Fate.APPLIED_THEN_DROPPED: 0.12,
    Fate.APPLIED_WITHOUT_ANSWER: 0.04,
    Fate.APPLIED_LATE: 0.1,
}
READS: Mapping[Fate, float] = {Fate.PASSED: 0.98, Fate.REFUSED: 0.01, Fate.LOST: 0.01}
NO_FAULTS: Mapping[Fate, float] = {Fate.PASSED: 1.0}


class LyingFront:
    """Use as `async with`; `url` is for the worker. `fates` counts what became of inserts."""

    def __init__(
        self,
        store_url: str,
        seed: str,
        *,
        inserts: Mapping[Fate, float] = INSERTS,
        reads: Mapping[Fate, float] = READS,
    ) -> None:
        self.url = ""
        self.fates: Counter[Fate] = Counter()
        self._store_url, self._draw, self._inserts, self._reads = store_url, random.Random(seed), inserts, reads
        self._late: set[asyncio.Task[None]] = set()
        self._held: Callable[[str], bool] = lambda statement: False
        self.holding = asyncio.Event()
        self._release = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._client = ClientSession(auto_decompress=False, timeout=ClientTimeout(total=60))
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release.set()
        await self._runner.cleanup()
        await self.settle()
        await self._client.close()

    def hold(self, table: str) -> None:
        """Keep the next insert into this table, neither applied nor answered, until `release`; sets `holding`."""
        self._held = lambda statement: statement.startswith("INSERT") and f".{table}" in statement.replace("`", "")

    def release(self) -> None:
        """Apply what is held."""
        self._release.set()

    async def settle(self) -> None:
        """Wait until everything that was to be applied late has been."""
        if self._late:
            await asyncio.gather(*self._late)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        statement = (request.query.get("query") or body[:200].decode("latin-1")).lstrip()
        if self._held(statement):
            self._held = lambda statement: False
            task = asyncio.create_task(self._apply_when_released(request, body))
            self._late.add(task)
            self.holding.set()
            await asyncio.shield(task)
            return self._drop(request)
        insert = statement.upper().startswith("INSERT")
        chances = self._inserts if insert else self._reads
        fate = self._draw.choices(list(chances), list(chances.values()))[0]
        if insert:
            self.fates[fate] += 1
        return await self._decide(fate, request, body)

    async def _decide(self, fate: Fate, request: web.Request, body: bytes) -> web.StreamResponse:
        if fate is Fate.REFUSED:
            return web.Response(status=503, text="the proxy is busy")
        if fate is Fate.LOST:
            return self._drop(request)
        if fate is Fate.APPLIED_LATE:
            self._late.add(asyncio.create_task(self._apply_late(request, body, self._draw.uniform(0.2, 3.0))))
            return self._drop(request)
        answer = await self._forward(request, body)
        if fate is Fate.APPLIED_THEN_503:
            return web.Response(status=503, text="the proxy is busy")
        if fate is Fate.APPLIED_THEN_DROPPED:
            return self._drop(request)
        if fate is Fate.APPLIED_WITHOUT_ANSWER:
            await asyncio.sleep(30)  # cut off when the client hangs up
        return answer

    async def _apply_late(self, request: web.Request, body: bytes, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._forward(request, body)

    async def _apply_when_released(self, request: web.Request, body: bytes) -> None:
        await self._release.wait()
        await self._forward(request, body)

    async def _forward(self, request: web.Request, body: bytes) -> web.Response:
        headers = CIMultiDict((name, value) for name, value in request.headers.items() if _end_to_end(name))
        async with self._client.request(
            request.method, self._store_url + request.path_qs, data=body, headers=headers
        ) as answer:
            kept = CIMultiDict((name, value) for name, value in answer.headers.items() if _end_to_end(name))
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    def _drop(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)


def _end_to_end(name: str) -> bool:
    return name.lower() not in HOP_BY_HOP

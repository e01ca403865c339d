"""The emitter for code without an event loop: the same promises, on a thread of its own.

Threads may share it. `emit` waits for the broker; `submit` waits only while `in_flight_max` events are unconfirmed.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterable, Mapping
from concurrent.futures import Future, wait
from types import TracebackType
from typing import Any, Self, TypeVar

from gateway.emitter.configuration import EmitterConfiguration
from gateway.emitter.emitter import Emitter
from gateway.emitter.errors import EmitterClosedError
from gateway.emitter.receipt import Receipt
from gateway.emitter.validation import validated
from topics.events import AnyEvent
from topics.meters import MeterCatalogue, load_catalogue

T = TypeVar("T")


class SyncEmitter:
    """Publishes to one topic; use it as `with SyncEmitter(...) as emitter`, or call `start` and `close`."""

    def __init__(
        self,
        configuration: EmitterConfiguration | None = None,
        *,
        meters: MeterCatalogue | None = None,
        in_flight_max: int = 10_000,
        **settings: Any,
    ) -> None:
        self.configuration = configuration or EmitterConfiguration(**settings)
        self._meters = meters or load_catalogue()
        self._room = threading.BoundedSemaphore(in_flight_max)
        self._outstanding: set[Future[Receipt]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._emitter: Emitter | None = None

    def start(self) -> None:
        """Connect, and look at the topic. Raises EmitterSetupError."""
        self._loop = asyncio.new_event_loop()
        # A daemon: a program that forgets close() may end, and then loses what was not confirmed.
        self._thread = threading.Thread(target=self._loop.run_forever, name="tollstream-emitter", daemon=True)
        self._thread.start()
        self._emitter = Emitter(self.configuration, meters=self._meters)
        try:
            self._call(self._emitter.start())
        except BaseException:
            self._stop_loop()
            raise

    def emit(self, event: AnyEvent | Mapping[str, Any]) -> Receipt:
        """Publish one event and wait until it is stored. Raises InvalidEventError, DeliveryError."""
        return self._call(self._running().emit(event))

    def emit_batch(self, events: Iterable[AnyEvent | Mapping[str, Any]]) -> list[Receipt]:
        """Publish events as columnar batches and wait until all are stored. Raises as `Emitter.emit_batch`."""
        return self._call(self._running().emit_batch(list(events)))

    def submit(self, event: AnyEvent | Mapping[str, Any]) -> Future[Receipt]:
        """Queue one event; the future is its confirmation. Raises InvalidEventError, the future DeliveryError."""
        emitter = self._running()
        checked = validated(event, self._meters)
        self._room.acquire()
        future = self._schedule(_outcome(emitter, checked))
        self._outstanding.add(future)
        future.add_done_callback(self._settled)
        return future

    def flush(self) -> None:
        """Wait until all that was submitted is stored. Raises DeliveryError."""
        emitter = self._running()
        wait(list(self._outstanding), timeout=self.configuration.delivery_seconds_max)
        self._call(emitter.flush())

    def close(self) -> None:
        """Flush and disconnect; twice is the same as once. Raises DeliveryError for what was not stored."""
        emitter, self._emitter = self._emitter, None
        if emitter is None:
            return
        try:
            wait(list(self._outstanding), timeout=self.configuration.delivery_seconds_max)
            self._call(emitter.close())
        finally:
            self._stop_loop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> Emitter:
        if self._emitter is None:
            raise EmitterClosedError
        return self._emitter

    def _settled(self, future: Future[Receipt]) -> None:
        self._outstanding.discard(future)
        self._room.release()

    def _schedule(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        if self._loop is None:
            coroutine.close()
            raise EmitterClosedError
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._schedule(coroutine).result()

    def _stop_loop(self) -> None:
        loop, self._loop = self._loop, None
        thread, self._thread = self._thread, None
        self._emitter = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _outcome(emitter: Emitter, event: AnyEvent | Mapping[str, Any]) -> Receipt:
    return await (await emitter.submit(event))

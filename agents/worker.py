"""One worker: everything wired, checked, started, watched, and ended with an exit code.

Start    load books and meters, pin what must not change, check the topics; whatever is wrong is raised before a
         record is read (the command line answers one sentence and exit code 2).
Run      Faust keeps the group, the pump moves blocks, `_watch` looks at lag, books and the residual. The process is
         one worker: run more of them to use more cores.
End      SIGTERM or SIGINT stores and commits what is in hand: 0. Anything that goes wrong: 1, with a sentence in the
         log; nothing is lost, a supervisor starts the next one. A shutdown that hangs is cut off.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
import traceback
from collections.abc import Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import faust

from agents.app import Membership, build_app, connect
from agents.books import BookFiles, Bookkeeper
from agents.configuration import WorkerConfiguration
from agents.dead_letters import KafkaDeadLetters
from agents.meter import Meter
from agents.metrics import Metrics, MetricsServer, start_server
from agents.monitor import Monitor, StalledError
from agents.progress import ResumeError
from agents.pump import Limits, PositionError, Pump
from agents.startup import StartupError, check_kafka, pin_epoch
from agents.storm import DeadLetterStormError, StormGuard
from agents.transport import CommitError
from sinks.clickhouse import ClickHouseSink
from sinks.contract import Sink
from sinks.errors import SinkError
from topics.decode import Decoder
from topics.meters import load_catalogue

LOG = logging.getLogger(__name__)
STOP_SECONDS_MAX = 45.0
STOPPED, FAILED = 0, 1
# Their messages say what an operator can do.
FORESEEN = (CommitError, DeadLetterStormError, PositionError, ResumeError, SinkError, StalledError, StartupError)


@dataclass(frozen=True, slots=True)
class Started:
    """What the command line says once partitions are being waited for."""

    worker: str
    topic: str
    group: str
    metrics_port: int
    books: list[tuple[str, str]]  # (kind, version)


def run_worker(configuration: WorkerConfiguration, started: Callable[[Started], None] = lambda facts: None) -> int:
    """Run in this process until SIGTERM or SIGINT; the exit code. Raises what refuses the start, each an error with a
    sentence. Once it is to end, the process ends: STOP_SECONDS_MAX later by force."""
    return asyncio.run(_run(configuration, started))


async def _run(configuration: WorkerConfiguration, started: Callable[[Started], None]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sink = await ClickHouseSink.connect(configuration.store)
    try:
        return await serve(configuration, sink, stop, started, ending=_end_by_force)
    finally:
        await sink.close()


def _end_by_force() -> None:
    def end() -> None:
        LOG.critical("the end took longer than %s s: cut off; nothing is lost", STOP_SECONDS_MAX)
        os._exit(FAILED)

    timer = threading.Timer(STOP_SECONDS_MAX, end)
    timer.daemon = True
    timer.start()


async def serve(
    configuration: WorkerConfiguration,
    sink: Sink,
    stop: asyncio.Event,
    started: Callable[[Started], None],
    ending: Callable[[], None] = lambda: None,
) -> int:
    """Meter into `sink` until `stop` is set or something fails; the exit code. `ending` is told when that begins."""
    metrics, epoch = Metrics(), configuration.epoch
    catalogue = await asyncio.to_thread(load_catalogue, configuration.meters)
    files = BookFiles(configuration.prices, configuration.rules)
    await asyncio.to_thread(files)  # a broken file is told before anything is recorded
    keeper = Bookkeeper(
        sink, files, catalogue, future_skew_seconds=epoch.future_skew_seconds, worker=configuration.worker
    )
    await pin_epoch(sink, epoch)  # before the first look: how far ahead its events may be is part of the lead
    books = await keeper.look()
    await check_kafka(configuration.bootstrap_servers, epoch, configuration.dead_letter_topic, sink)
    async with AsyncExitStack() as stack:
        letters = KafkaDeadLetters(
            configuration.bootstrap_servers, topic=configuration.dead_letter_topic, topic_epoch=epoch.topic_epoch
        )
        await stack.enter_async_context(letters)
        meter = Meter(
            decoder=Decoder(catalogue, partitions=epoch.partitions),
            rater=books.rater,
            sink=sink,
            dead_letters=letters,
            epoch=epoch,
            grants=keeper.grants,
            worker=configuration.worker,
            flush_seconds_max=configuration.flush_seconds_max,
        )
        membership = Membership(build_app(configuration), epoch.topic)

        async def commit(offsets: dict[int, int]) -> bool:
            return await membership.consumer.commit_owned(epoch.topic, offsets, configuration.flush_seconds_max)

        monitor = Monitor(configuration, metrics, sink, keeper, meter, membership)
        pump = Pump(
            meter,
            commit,
            _limits(configuration),
            ready=keeper.require_fresh,
            inspect=StormGuard(configuration.dead_letter_percent_max).inspect,
            report=monitor.report,
        )
        server = _serve_metrics(metrics, configuration)
        stack.callback(server.stop)
        connect(membership, pump, configuration.revoke_seconds_max)
        facts = Started(configuration.worker, epoch.topic, configuration.consumer_group, server.port, books.versions)
        return await _consume(membership.app, pump, monitor, stop, lambda: started(facts), ending)


async def _consume(
    app: faust.App,
    pump: Pump,
    monitor: Monitor,
    stop: asyncio.Event,
    started: Callable[[], None],
    ending: Callable[[], None],
) -> int:
    """Start the app, wait for the first end, stop the app; the exit code."""
    pump.start()
    starting = asyncio.create_task(app.start(), name="app")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    crashing = asyncio.create_task(app._crashed.wait(), name="crash")
    watching = asyncio.create_task(monitor.run(pump), name="monitor")
    tasks = {starting, stopping, crashing, watching}
    try:
        waiting: set[asyncio.Future[Any]] = {pump.failure, *tasks}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if done != {starting} or starting.exception() is not None:
                break
            started()
            gc.collect()
            gc.freeze()  # what is there now stays: never look at it again
            gc.disable()
        ending()
        failure = _failure(app, done - {stopping, crashing})
        if failure is not None or stopping not in done:
            LOG.critical("%s", _sentence(failure or app.crash_reason or RuntimeError("the app ended by itself")))
            pump.abandon()
            await app.stop()
            return FAILED
        LOG.info("stopping: what is in hand is stored first")
        await app.stop()  # drains the pump while the consumer can still commit
        failure = _failure(app, {pump.failure} if pump.failure.done() else set())
        if failure is not None:
            LOG.critical("%s", _sentence(failure))
            return FAILED
        return STOPPED
    finally:
        gc.enable()
        gc.unfreeze()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failure(app: faust.App, done: Collection[asyncio.Future[Any]]) -> BaseException | None:
    errors = [future.exception() for future in done if not future.cancelled()]
    for error in errors:
        if error is not None:
            return error
    return app.crash_reason


def _sentence(error: BaseException) -> str:
    """What an operator reads; a traceback only for what nobody foresaw."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, FORESEEN):
        return f"stopped: {error}"
    return "stopped by a defect, nothing is lost:\n" + "".join(traceback.format_exception(error))


def _limits(configuration: WorkerConfiguration) -> Limits:
    return Limits(
        block_records=configuration.block_records,
        block_bytes=configuration.block_bytes,
        block_seconds=configuration.block_seconds,
        revoke_seconds_max=configuration.revoke_seconds_max,
        assign_seconds_max=configuration.flush_seconds_max,
    )


def _serve_metrics(metrics: Metrics, configuration: WorkerConfiguration) -> MetricsServer:
    try:
        return start_server(metrics, configuration.metrics_host, configuration.metrics_port)
    except OSError as error:
        raise StartupError(
            f"Metrics cannot be answered on {configuration.metrics_host}:{configuration.metrics_port} ({error}): give "
            "each worker of a machine its own metrics_port, or 0 for any free one."
        ) from error

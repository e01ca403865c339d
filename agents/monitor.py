"""What a worker watches beside the stream: lag and stalls, its books, and whether ledger and totals agree.

Here, and only here, the wall clock is read: nothing of it reaches a row.
Errors  `StalledError`, when there is lag and no block was stored for stall_seconds: a worker that hangs must not keep
        its partitions. Books that cannot be looked at are the pump's to refuse (`Bookkeeper.require_fresh`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from datetime import UTC, datetime, timedelta

from aiokafka.errors import KafkaError

from agents.app import Membership
from agents.books import LOOK_SECONDS, Bookkeeper
from agents.configuration import WorkerConfiguration
from agents.meter import BlockReport, Meter
from agents.metrics import Metrics
from agents.pump import Pump
from sinks.contract import Sink
from sinks.errors import SinkError

LOG = logging.getLogger(__name__)
LAG_SECONDS = 2.0
RECONCILED = timedelta(hours=26)  # windows that began since: a day, and what comes late
COLLECT_SECONDS = 30.0
OUTCOMES = ("accepted", "duplicate", "dead_lettered")


class StalledError(Exception):
    """Lag without progress: whatever hangs, a new process and another worker get a chance."""

    def __init__(self, *, lag: int, seconds: float) -> None:
        self.lag, self.seconds = lag, seconds
        super().__init__(
            f"{lag} records wait, and for {seconds:.0f} s no block was stored. Nothing is lost; look at the store and "
            "the brokers (docs/operators.md, R7)."
        )


class Monitor:
    """The figures of one worker; `run` beside its stream until something is wrong."""

    def __init__(
        self,
        configuration: WorkerConfiguration,
        metrics: Metrics,
        sink: Sink,
        keeper: Bookkeeper,
        meter: Meter,
        membership: Membership,
    ) -> None:
        self._configuration, self._metrics, self._sink = configuration, metrics, sink
        self._keeper, self._meter, self._membership = keeper, meter, membership
        self._moved = self._reconciled = self._collected = time.monotonic()
        self._stalled = 0.0
        for outcome in OUTCOMES:
            metrics.count("tollstream_events_total", 0, outcome=outcome)
        metrics.follow("tollstream_books_age_seconds", lambda: keeper.age_seconds)
        metrics.follow("tollstream_reconciliation_age_seconds", lambda: time.monotonic() - self._reconciled)
        metrics.follow("tollstream_stalled_seconds", lambda: self._stalled)
        self._name_books()
        self._tell_unusable()

    def report(self, report: BlockReport) -> None:
        """What became of a block; called between two blocks."""
        count, observe = self._metrics.count, self._metrics.observe
        if not report.owned:
            count("tollstream_fenced_blocks_total", 1)
            return
        count("tollstream_records_total", report.records)
        count("tollstream_events_total", report.accepted, outcome="accepted")
        count("tollstream_events_total", report.duplicates, outcome="duplicate")
        count("tollstream_events_total", sum(report.dead_lettered.values()), outcome="dead_lettered")
        for reason, events in report.dead_lettered.items():
            count("tollstream_dead_letters_total", events, reason=reason.value)
        count("tollstream_corrections_total", report.voids, kind="void")
        count("tollstream_corrections_total", report.adjustments, kind="adjustment")
        count("tollstream_unpriced_events_total", report.unpriced)
        count("tollstream_negative_earnings_events_total", report.negative_earnings)
        observe("tollstream_block_records", report.records)
        for stage, seconds in report.stage_seconds.items():
            observe("tollstream_stage_seconds", seconds, stage=stage)
        observe("tollstream_freshness_seconds", max(0.0, time.time() - report.max_record_time / 1_000_000))
        self._collect()

    async def run(self, pump: Pump) -> None:
        """Never returns; raises what has to stop the worker."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_lag(pump))
            tasks.create_task(self._keep_books())
            tasks.create_task(self._reconcile(pump))

    async def _watch_lag(self, pump: Pump) -> None:
        while True:
            await asyncio.sleep(LAG_SECONDS)
            partitions = pump.partitions
            self._metrics.set("tollstream_owned_partitions", len(partitions))
            lag = await self._lag(pump)
            if lag:
                self._stalled = time.monotonic() - max(self._moved, pump.last_progress)
                if self._stalled > self._configuration.stall_seconds:
                    raise StalledError(lag=lag, seconds=self._stalled)
            else:  # nothing to do, nothing owned, or nobody who could tell
                self._moved, self._stalled = time.monotonic(), 0.0

    async def _lag(self, pump: Pump) -> int:
        partitions = pump.partitions
        if not partitions:
            self._metrics.clear("tollstream_lag_records")
            return 0
        try:
            async with asyncio.timeout(10):
                reached = await self._membership.consumer.reach(self._membership.topic, partitions)
        except (TimeoutError, KafkaError) as error:
            LOG.warning("Kafka does not say where the log ends: %r", error)
            return 0
        total = 0
        self._metrics.clear("tollstream_lag_records")
        for partition, reach in reached.items():
            stored = self._meter.progress.get(partition)
            if stored is None:
                continue
            lag = 0 if reach.exhausted and pump.has_stored(partition, reach.handed) else reach.end - stored.next_offset
            self._metrics.set("tollstream_lag_records", max(0, lag), partition=str(partition))
            total += max(0, lag)
        return total

    async def _keep_books(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = self._keeper.books
            try:
                books = await self._keeper.look()
            except Exception as error:  # of the files or of the store: told, and tried again until it is too late
                LOG.error("price book and rules cannot be checked, %.0f s old: %s", self._keeper.age_seconds, error)
                continue
            self._meter.grants = self._keeper.grants
            if books is not before:
                self._meter.rater = books.rater
                self._name_books()
                LOG.info("rating with %s", books.versions)
            self._tell_unusable()

    def _tell_unusable(self) -> None:
        self._metrics.set("tollstream_books_unusable", len(self._keeper.unusable))
        for (kind, version), why in self._keeper.unusable.items():
            LOG.error("version %s of the %s cannot be used, and this worker will stop for it: %s", version, kind, why)

    def _name_books(self) -> None:
        self._metrics.clear("tollstream_book_info")
        for kind, version in self._keeper.books.versions if self._keeper.books else ():
            self._metrics.set("tollstream_book_info", 1, kind=kind, version=version)

    async def _reconcile(self, pump: Pump) -> None:
        while True:
            await asyncio.sleep(self._configuration.reconcile_seconds)
            partitions = pump.partitions
            if not partitions:
                self._reconciled = time.monotonic()
                continue
            since = datetime.now(UTC) - RECONCILED
            try:
                async with pump.flushing:  # between two flushes
                    residual = await self._sink.reconcile(self._configuration.epoch.topic_epoch, partitions, since)
            except SinkError as error:
                LOG.warning("ledger and totals could not be compared: %s", error)
                continue
            self._reconciled = time.monotonic()
            for figure in ("amounts", "usage", "rows"):
                self._metrics.set("tollstream_reconciliation_residual", float(getattr(residual, figure)), figure=figure)
            if not residual.is_zero:
                LOG.error("ledger and totals differ; page somebody (docs/operators.md, R4): %s", residual)

    def _collect(self) -> None:
        """Garbage collection, here instead of at any moment: scanning what the fetcher holds is not cheap."""
        if not gc.isenabled() and time.monotonic() - self._collected > COLLECT_SECONDS:
            gc.collect()
            self._collected = time.monotonic()

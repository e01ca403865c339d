"""A watcher: looks at whoever has changed, and publishes what the record lacks.

    1  wait for the turn    (`turn.py`; `once` does not wait: it fences whoever is at it, who begins again)
    2  open the log         everybody else is fenced, the record is what the topic holds
    3  look                 at all tenants first, then at those that have changed; publish; keep the balances for
                            analysts; the look is done
    4  again                after `poll_seconds`, or as long as the look took: half of a core at the most

What may pass sends it back to 1 after a pause; nothing is done before it is published, and nothing is published that
the record has. A Builder whose plans or rates cannot be used is passed over with a word in the log until they change.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from agents.metrics import Metrics
from billing.errors import BillingError
from sinks.clickhouse.client import Client
from sinks.errors import SinkTransientError
from tollstream.alerts.changes import Changes, Look
from tollstream.alerts.levels import TenantNow, alerts_of
from tollstream.alerts.log import AlertLog, FencedError, UnconfirmedError
from tollstream.alerts.record import AlertRecord
from tollstream.alerts.turn import Turn
from tollstream.balances.kept import kept
from tollstream.balances.outlook import Outlook
from tollstream.balances.reading import Balance, LiveBalances
from tollstream.errors import UserError
from topics.alerts import AlertEvent, AlertKind
from topics.catalogue import ALERTS_TOPIC

LOG = logging.getLogger(__name__)
PAUSE_SECONDS = 2.0
FORGET_EVERY_SECONDS = 3600.0
FORGET_AFTER = timedelta(days=1)  # clocks of watchers differ by less
ONCE_ATTEMPTS = 5
STOP_SECONDS_MAX = 20.0  # for the look under way


@dataclass(frozen=True, slots=True)
class WatcherConfiguration:
    """Durations are seconds; defaults are those of `tollstream alerts`."""

    bootstrap_servers: str
    topic: str = ALERTS_TOPIC
    poll_seconds: float = 5.0
    session_seconds: int = 12  # so long nobody takes over from a watcher that was killed

    @property
    def writer(self) -> str:
        """Transactional id, and name of the watchers' group: one for a topic, for a topic has one writer."""
        return f"tollstream-alerts/{self.topic}"


@dataclass(frozen=True, slots=True)
class LookReport:
    """What a look came to."""

    tenants: int
    published: int


class Watcher:
    """One process that publishes alerts. The client and the metrics are the caller's."""

    def __init__(self, configuration: WatcherConfiguration, client: Client, metrics: Metrics) -> None:
        self._configuration, self._metrics = configuration, metrics
        self._balances = LiveBalances(client)
        self._changes = Changes(client, self._balances)
        self._record = AlertRecord()
        self._looked = self._forgot = time.monotonic()
        self._turn: Turn | None = None
        metrics.set("tollstream_alerts_turn", 0)
        metrics.follow("tollstream_alerts_look_age_seconds", self._age)
        for kind in AlertKind:
            metrics.count("tollstream_alerts_published_total", 0, kind=kind.value)

    async def run(self, stop: asyncio.Event, started: Callable[[], None] = lambda: None) -> None:
        """Watch until `stop`, and finish the look under way. Raises what a new attempt in this process cannot mend."""
        watching = asyncio.create_task(self._watch(stop, started), name="alerts")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({watching}, timeout=STOP_SECONDS_MAX)
            if watching.done():
                watching.result()
        finally:
            for task in (watching, stopping):
                task.cancel()
            await asyncio.gather(watching, stopping, return_exceptions=True)

    async def once(self) -> LookReport:
        """One look at everybody, without waiting for a turn."""
        attempt = 1
        while True:
            try:
                async with self._log() as log:
                    await log.open()
                    return await self._look(log)
            except (FencedError, UnconfirmedError) as error:
                if attempt == ONCE_ATTEMPTS:
                    raise
                LOG.info("again: %s", error)
                await asyncio.sleep(attempt * PAUSE_SECONDS / 4)
                attempt += 1

    async def _watch(self, stop: asyncio.Event, started: Callable[[], None]) -> None:
        configuration = self._configuration
        async with Turn(
            configuration.bootstrap_servers,
            group=configuration.writer,
            topic=configuration.topic,
            session_seconds=configuration.session_seconds,
        ) as self._turn:
            started()
            while not stop.is_set():
                if not self._turn.mine:
                    LOG.info("standing by: another watcher has the turn, or Kafka is still deciding whose it is")
                    await _first(self._turn.wait(), stop.wait())
                    self._looked = time.monotonic()
                    continue
                try:
                    await self._lead(self._turn, stop)
                except (FencedError, UnconfirmedError, SinkTransientError) as error:
                    LOG.warning("beginning again in %g s: %s", PAUSE_SECONDS, error)
                    await _first(stop.wait(), asyncio.sleep(PAUSE_SECONDS))

    async def _lead(self, turn: Turn, stop: asyncio.Event) -> None:
        async with self._log() as log:
            read = await log.open()
            LOG.info("publishing alerts: %d records read, %d items on record", read, len(self._record))
            self._metrics.set("tollstream_alerts_turn", 1)
            try:
                while turn.mine and not stop.is_set():
                    began = time.monotonic()
                    report = await self._look(log)
                    self._looked = time.monotonic()
                    took = self._looked - began
                    if report.tenants:
                        LOG.debug("%d tenants, %d alerts, %.2f s", report.tenants, report.published, took)
                    await _first(stop.wait(), asyncio.sleep(max(self._configuration.poll_seconds, took)))
            finally:
                self._metrics.set("tollstream_alerts_turn", 0)

    async def _look(self, log: AlertLog) -> LookReport:
        look = await self._changes.look(time.monotonic())
        tenants = published = 0
        for builder in sorted(look.tenants):
            try:
                looked, alerts = await self._look_at(log, look, builder)
            except (BillingError, UserError) as error:
                self._pass_over(builder, str(error))
                continue
            tenants, published = tenants + looked, published + alerts
        self._changes.done(look)
        self._metrics.count("tollstream_alerts_tenants_total", tenants)
        if time.monotonic() - self._forgot > FORGET_EVERY_SECONDS:
            self._forgot = time.monotonic()
            self._record.forget(look.as_of - FORGET_AFTER)
        return LookReport(tenants, published)

    async def _look_at(self, log: AlertLog, look: Look, builder: str) -> tuple[int, int]:
        outlook = await self._changes.outlook(look, builder)
        names = look.tenants[builder]
        if names is None:
            everybody = {*await self._balances.tenants(outlook), *self._record.tenants(builder)}
            portions = self._balances.read_all(outlook, everybody)
        else:
            portions = self._balances.read(outlook, names)
        looked = published = 0
        async with aclosing(portions) as reading:
            async for portion in reading:
                events = [event for balance in portion for event in self._lacking(outlook, balance)]
                if events:
                    await log.publish(events)
                await self._balances.store.write_rows("live_balances", kept(portion))
                for event in events:
                    self._metrics.count("tollstream_alerts_published_total", 1, kind=event.kind.value)
                looked, published = looked + len(portion), published + len(events)
        return looked, published

    def _lacking(self, outlook: Outlook, balance: Balance) -> list[AlertEvent]:
        """What the record does not say of a balance."""
        made = balance.statement
        if made is None:
            self._pass_over(f"{outlook.builder}/{balance.given.tenant}", balance.refusal)
            return []
        now = TenantNow(outlook.builder, made.tenant, made.period, made.standings, balance.past_cap)
        return alerts_of(now, self._record.of(outlook.builder, made.tenant), outlook.as_of)

    def _pass_over(self, whom: str, why: str) -> None:
        LOG.error("no alerts for %s until something of it changes: %s", whom, why)
        self._metrics.count("tollstream_alerts_passed_over_total", 1)

    def _log(self) -> AlertLog:
        configuration = self._configuration
        return AlertLog(
            configuration.bootstrap_servers,
            self._record,
            transactional_id=configuration.writer,
            topic=configuration.topic,
        )

    def _age(self) -> float:
        """Since the last look that was done, of whoever has the turn; 0 of the others."""
        return time.monotonic() - self._looked if self._turn is not None and self._turn.mine else 0.0


async def _first(*waiting: Coroutine[Any, Any, Any]) -> None:
    """Until one of them is done."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

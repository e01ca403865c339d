"""What a gateway knows of its tenants' allowances, credits and caps: the latest alert of each, followed from the topic.

    async with AlertFollower(bootstrap_servers="127.0.0.1:29092") as alerts:
        state = alerts.state("acme", "globex")
        if state.stop is not None: ...   # the spend cap is reached, and the plan says to stop
        for alert in state.warnings: ... # half or more of something is used

Reading   committed records only, from the beginning of the topic; entering waits until its end was reached. `state`
          looks into memory, from any thread. What has ended with its period counts no more, by this machine's clock.
Away      When Kafka is away the state stays what it was, and `age_seconds` grows: whether to go on or to stop without
          news is the gateway's policy. A record that is no alert is passed over.
Errors    `AlertsUnavailableError` at the start, with a sentence.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from topics.alerts import AlertEvent, AlertKind, PastCap, decode_alert
from topics.catalogue import ALERTS_TOPIC
from topics.ending import ended
from topics.errors import TopicError

LOG = logging.getLogger(__name__)
FETCH_MILLISECONDS = 500
PAUSE_SECONDS = 1.0
ALL_OF_IT = 100
_Item = tuple[AlertKind, str]


class AlertsUnavailableError(Exception):
    """Kafka does not answer, or has no such topic; nothing is known of any tenant."""

    def operator_message(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class TenantState:
    """The latest alert of each allowance, credit and cap of a tenant that counts now and is reached by half or more."""

    alerts: tuple[AlertEvent, ...] = ()

    @property
    def stop(self) -> AlertEvent | None:
        """The alert that says to stop: the cap is reached, and the plan says `stop` past it."""
        stopping = (each for each in self.alerts if each.past_cap is PastCap.STOP and each.threshold >= ALL_OF_IT)
        return next(stopping, None)

    @property
    def warnings(self) -> tuple[AlertEvent, ...]:
        """Everything that is reached by half or more, the fullest first."""
        return tuple(sorted(self.alerts, key=lambda each: -each.threshold))


NOTHING = TenantState()


class AlertFollower:
    """The alerts of all tenants, as the topic has them; an async context manager. Memory: one alert an item."""

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic: str = ALERTS_TOPIC,
        start_seconds_max: float = 60.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._servers, self._topic, self._start_seconds_max = bootstrap_servers, topic, start_seconds_max
        self._clock = clock
        self._latest: dict[str, dict[_Item, AlertEvent]] = {}
        self._heard = time.monotonic()
        self._consumer: AIOKafkaConsumer | None = None
        self._following: asyncio.Task[None] | None = None

    def state(self, builder: str, tenant: str) -> TenantState:
        """What is known of a tenant now."""
        items = self._latest.get(f"{builder}/{tenant}")
        if items is None:
            return NOTHING
        now = self._clock()
        return TenantState(tuple(each for each in list(items.values()) if _counts(each, now)))

    @property
    def age_seconds(self) -> float:
        """Since the broker was last heard of: what is known is at least so old when it is away."""
        return time.monotonic() - self._heard

    async def __aenter__(self) -> Self:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers, isolation_level="read_committed", auto_offset_reset="earliest"
        )
        try:
            async with asyncio.timeout(self._start_seconds_max):
                await consumer.start()
                await self._read_to_the_end(consumer)
        except (TimeoutError, KafkaError, OSError) as error:
            await ended(consumer.stop())
            raise AlertsUnavailableError(
                f"{self._topic} at {self._servers} was not read to its end within {self._start_seconds_max:g} s "
                f"({error!r}): start the broker, or correct the address."
            ) from error
        except BaseException:
            await ended(consumer.stop())
            raise
        self._consumer = consumer
        self._following = asyncio.create_task(self._follow(consumer), name="alerts")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        following, self._following = self._following, None
        if following is not None:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await ended(consumer.stop())

    async def _read_to_the_end(self, consumer: AIOKafkaConsumer) -> None:
        if self._topic not in await consumer.topics():
            raise AlertsUnavailableError(
                f"Kafka at {self._servers} has no topic {self._topic}: create it with `tollstream topics create`."
            )
        place = TopicPartition(self._topic, 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        [end] = (await consumer.end_offsets([place])).values()
        while await consumer.position(place) < end:
            await self._fetch(consumer)

    async def _follow(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                await self._fetch(consumer)
            except KafkaError as error:
                LOG.warning("alerts cannot be read, what is known stays: %r", error)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _fetch(self, consumer: AIOKafkaConsumer) -> None:
        for records in (await consumer.getmany(timeout_ms=FETCH_MILLISECONDS)).values():
            for record in records:
                try:
                    self.take(decode_alert(record.value))
                except TopicError as error:
                    LOG.warning("offset %d of %s is passed over: %s", record.offset, self._topic, error)
        place = TopicPartition(self._topic, 0)
        polled = consumer.last_poll_timestamp(place)
        if polled is not None and polled >= 0:
            self._heard = max(self._heard, time.monotonic() - max(0.0, time.time() - polled / 1000))

    def take(self, alert: AlertEvent) -> None:
        """One alert, newer than those before it. What ended with its period is forgotten with the next one."""
        items = self._latest.setdefault(alert.subject, {})
        now = self._clock()
        for item in [item for item, held in items.items() if not _counts(held, now)]:
            del items[item]
        items[alert.kind, alert.item] = alert


def _counts(alert: AlertEvent, now: datetime) -> bool:
    """Whether it says anything now: half or more is reached, and its period has not ended."""
    return alert.threshold > 0 and (alert.kind is AlertKind.CREDIT or now < alert.period_end)


class SyncAlertFollower:
    """The same for code without an event loop: `with SyncAlertFollower(...) as alerts`, on a thread of its own."""

    def __init__(self, bootstrap_servers: str, *, topic: str = ALERTS_TOPIC, start_seconds_max: float = 60.0) -> None:
        self._follower = AlertFollower(bootstrap_servers, topic=topic, start_seconds_max=start_seconds_max)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tollstream-alerts", daemon=True)

    def state(self, builder: str, tenant: str) -> TenantState:
        """What is known of a tenant now."""
        return self._follower.state(builder, tenant)

    @property
    def age_seconds(self) -> float:
        """Since the broker was last heard of."""
        return self._follower.age_seconds

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._follower.__aenter__(), self._loop).result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._follower.__aexit__(kind, error, trace), self._loop).result()
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


__all__ = ["AlertFollower", "AlertsUnavailableError", "SyncAlertFollower", "TenantState"]

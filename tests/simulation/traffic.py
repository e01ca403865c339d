"""What producers write into the log of a run: everything that has ever gone wrong with usage events, drawn by seed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

import pyarrow as pa

from sinks.contract import BackfillGrant, EpochParameters
from tests.simulation.books import START
from tests.simulation.log import EpochLog, Fact, Log, SimulatedRecord
from topics.block import DIMENSION_COLUMNS, USAGE_PREFIX
from topics.catalogue import raw_topic_name
from topics.encodings import binary, columnar, structured
from topics.encodings.message import Message
from topics.events import AdjustmentEvent, Amounts, AnyEvent, Pricing, UsageEvent, VoidEvent
from topics.partitioner import partition_for
from topics.reasons import Reason

SUBJECTS = (("acme", "north"), ("acme", "south"), ("beta", "east"), ("gamma", "west"), ("gamma", "far"))
SOURCES = ("gateway-1", "gateway-2", "backfill")
MODELS = ("small", "small", "large", "large", "fresh", "unheard-of", "")
FEATURES = ("", "chat", "free")
SKEW_SECONDS = 300
MILLISECOND = timedelta(milliseconds=1)


class _Written(NamedTuple):
    """A record that no encoder would write."""

    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...] = structured.HEADERS


def draw_log(random: Random) -> Log:
    """One or two epochs of 2 or 3 partitions."""
    return _Producers(random).log()


class _Producers:
    def __init__(self, random: Random) -> None:
        self._random = random
        self._horizon = timedelta(seconds=random.choice((6 * 3600, 86_400, 2 * 86_400)))
        self._window_seconds = random.choice((900, 3600, 86_400))
        self._now = START + timedelta(minutes=random.randrange(240))
        self._clock_jumps = random.random() < 0.2
        self._hasty = random.random() < 0.5  # most records within seconds, so that windows are shared
        narrow = random.random() < 0.25  # few totals, each of them changed by block after block
        self._subjects = SUBJECTS[:2] if narrow else SUBJECTS
        self._features = FEATURES[:1] if narrow else FEATURES
        self._models = MODELS[:1] if narrow else MODELS
        self._calm = narrow and random.random() < 0.7
        self._sent: list[AnyEvent] = []
        self._promised: list[UsageEvent] = []  # voided before they were published
        self._number = 0

    def log(self) -> Log:
        random = self._random
        grants = [self._grant(number) for number in range(random.choice((0, 0, 1, 2)))]
        epochs = []
        for epoch in range(1, 2 + (random.random() < 0.25)):
            parameters = EpochParameters(
                topic_epoch=epoch,
                topic=raw_topic_name(epoch),
                partitions=random.choice((2, 3)),
                window_seconds=self._window_seconds,
                dedup_horizon_seconds=int(self._horizon.total_seconds()),
                future_skew_seconds=SKEW_SECONDS,
            )
            epochs.append(self._epoch(parameters, random.randrange(16, 32) if self._calm else random.randrange(6, 20)))
        return Log(epochs, grants)

    def _grant(self, number: int) -> BackfillGrant:
        start = START + timedelta(hours=self._random.randrange(24))
        return BackfillGrant(
            grant_id=f"grant-{number}",
            source="backfill",
            event_time_from=START - timedelta(days=self._random.choice((4, 40))),
            event_time_to=START - timedelta(hours=self._random.choice((0, 12))),
            valid_from=start,
            valid_to=start + timedelta(hours=self._random.choice((2, 48))),
            granted_by="operator@example.org",
            reason="gateway outage",
        )

    def _epoch(self, parameters: EpochParameters, records: int) -> EpochLog:
        log = EpochLog(parameters, {partition: [] for partition in range(parameters.partitions)})
        for _ in range(records):
            self._tick()
            self._record(log)
        return log

    def _tick(self) -> None:
        random = self._random
        draw = random.random()
        if self._clock_jumps and draw < 0.08:
            self._now -= random.choice((timedelta(seconds=1), timedelta(minutes=40), timedelta(hours=5)))
        elif self._calm or draw < (0.85 if self._hasty else 0.5):
            self._now += timedelta(milliseconds=random.randrange(20_000))
        elif draw < 0.97:
            self._now += timedelta(seconds=random.randrange(3 * 3600))
        else:
            self._now += random.choice((timedelta(hours=20), self._horizon, self._horizon + MILLISECOND))

    def _record(self, log: EpochLog) -> None:
        random = self._random
        draw = random.random()
        if draw < 0.05:
            self._append(log, *self._garbage())
        elif draw < 0.17:
            self._batch(log)
        else:
            event = self._event(draw)
            self._sent.append(event)
            encode = structured.encode if random.random() < 0.7 else binary.encode
            self._append(log, encode(event), [Fact(event)])

    def _append(
        self, log: EpochLog, message: Message | _Written, facts: Sequence[Fact], partition: int | None = None
    ) -> None:
        if partition is None:
            partition = partition_for(message.key or b"", log.parameters.partitions)
        records = log.partitions[partition]
        timestamp = round((self._now - datetime.fromtimestamp(0, self._now.tzinfo)) / MILLISECOND)
        records.append(
            SimulatedRecord(
                partition, len(records), timestamp, message.key, message.value, message.headers, tuple(facts)
            )
        )

    # Events

    def _event(self, draw: float) -> AnyEvent:
        random = self._random
        if not self._sent or draw < 0.52:
            return self._usage()
        if draw < 0.64:
            return random.choice(self._sent)  # a copy
        if draw < 0.73:
            return self._conflicting()
        if draw < 0.88:
            return self._void()
        if draw < 0.96:
            return self._adjustment()
        return self._usage(time=self._odd_time(), **random.choice(({}, {"source": "backfill"})))

    def _usage(self, **given: Any) -> UsageEvent:
        random = self._random
        if self._promised and random.random() < 0.4:
            return self._promised.pop()
        builder, tenant = random.choice(self._subjects)
        usage: dict[str, Any] = {}
        for meter in ("input_tokens", "output_tokens", "requests"):
            if random.random() < 0.7 or not usage:
                odd = Decimal(random.randrange(10**9)).scaleb(-6)
                usage[meter] = random.choice((0, 1, 1000, random.randrange(200_000), odd))
        self._number += 1
        fields: dict[str, Any] = {
            "id": f"e{self._number}",
            "source": random.choice(SOURCES),
            "time": self._now - timedelta(microseconds=random.randrange(10 ** random.choice((1, 7, 7, 10)))),
            "builder": builder,
            "tenant": tenant,
            "feature": random.choice(self._features),
            "provider": "orange",
            "model": random.choice(self._models),
            "usage": usage,
        }
        return UsageEvent(**(fields | given))

    def _odd_time(self) -> datetime:
        """At, or just beyond, what is too early or too late; or very old, which a grant may allow."""
        now = self._now.replace(microsecond=self._now.microsecond // 1000 * 1000)
        return now + self._random.choice(
            (
                timedelta(seconds=SKEW_SECONDS),
                timedelta(seconds=SKEW_SECONDS, microseconds=1),
                -self._horizon,
                -self._horizon + timedelta(seconds=self._random.randrange(600)),
                -self._horizon - timedelta(microseconds=1),
                -timedelta(days=self._random.randrange(1, 45)),
                -timedelta(days=self._random.randrange(1, 45)),
            )
        )

    def _conflicting(self) -> AnyEvent:
        """The same identity, but something else in it."""
        random = self._random
        event = random.choice(self._sent)
        if not isinstance(event, UsageEvent):
            return event.model_copy(update={"reason": f"{event.reason}?"})
        builder, tenant = random.choice(SUBJECTS)
        return event.model_copy(
            update=random.choice(
                (
                    {"usage": {**event.usage, "requests": Decimal(random.randrange(2, 9))}},
                    {"time": event.time + timedelta(microseconds=1)},
                    {"time": self._now},
                    {"time": self._odd_time()},
                    {"feature": event.feature + "x"},
                    {"builder": builder, "tenant": tenant},
                )
            )
        )

    def _target(self) -> AnyEvent:
        random = self._random
        draw = random.random()
        usages = [event for event in self._sent if isinstance(event, UsageEvent)]
        if draw < 0.75 and usages:
            return random.choice(usages[-12:])
        if draw < 0.85:
            event = self._usage()
            self._promised.append(event)
            return event
        return random.choice(self._sent)

    def _targeted(self) -> dict[str, Any]:
        random = self._random
        target = self._target()
        builder, tenant = (target.builder, target.tenant) if random.random() < 0.9 else random.choice(SUBJECTS)
        self._number += 1
        own_id = {"source": target.source, "id": target.id} if random.random() < 0.05 else {}
        return {
            "id": f"c{self._number}",
            "source": random.choice(SOURCES),
            "time": self._now - timedelta(seconds=random.randrange(100)),
            "builder": builder,
            "tenant": tenant,
            "target_source": target.source,
            "target_id": target.id,
            "reason": random.choice(("refund", "test run")),
        } | own_id

    def _void(self) -> VoidEvent:
        return VoidEvent(**self._targeted())

    def _adjustment(self) -> AdjustmentEvent:
        reward, fee, earnings = (Decimal(self._random.randrange(-(10**12), 10**12)).scaleb(-12) for _ in range(3))
        amounts = Amounts(
            customer_charge=reward + fee + earnings, provider_reward=reward, platform_fee=fee, builder_earnings=earnings
        )
        return AdjustmentEvent(**self._targeted(), amounts=amounts, pricing=self._pricing())

    def _pricing(self) -> Pricing | None:
        """What a re-rating says. Drawn aside, so that the seeds from before there was any still draw the same log."""
        aside = Random(self._number)
        if aside.random() < 0.4:
            return None
        return Pricing(
            price_version=aside.choice(("p2", "p3", "correction")),
            rule_version=aside.choice(("r1", "r3")),
            rule_id=aside.choice(("up", "each", "free")),
            currency=aside.choice(("USD", "USD", "USD", "USD", "EUR")),
        )

    # Records that are not one good event

    def _garbage(self) -> tuple[_Written, list[Fact]]:
        key: bytes | None = "/".join(self._random.choice(SUBJECTS)).encode()
        good = structured.encode(self._usage())
        kinds: tuple[tuple[bytes | None, bytes | None, Reason], ...] = (
            (None, key, Reason.NULL_VALUE),
            (b"\xff{}", key, Reason.INVALID_UTF8),
            (b'{"a":', key, Reason.NOT_JSON),
            (b"[]", key, Reason.NOT_CLOUDEVENTS),
            (good.value.replace(b"ai.usage.v1", b"ai.usage.v9"), good.key, Reason.UNKNOWN_VERSION),
            (good.value.replace(b'"usage":{', b'"usage":{"no_such_meter":1,'), good.key, Reason.UNKNOWN_METER),
        )
        value, key, reason = self._random.choice(kinds)
        return _Written(value, key), [Fact(None, reason)]

    def _batch(self, log: EpochLog) -> None:
        """Usage of one partition's subjects, with copies, contradictions and a bad row inside."""
        random = self._random
        partitions = log.parameters.partitions
        events: list[UsageEvent] = []
        first = self._usage()
        home = partition_for(first.key, partitions)
        for _ in range(random.randrange(1, 6)):
            draw = random.random()
            event: AnyEvent = self._usage()
            if events and draw < 0.15:
                event = random.choice(events)
            elif self._sent and draw < 0.3:
                event = random.choice(self._sent)
            elif self._sent and draw < 0.4:
                event = self._conflicting()
            if isinstance(event, UsageEvent):
                moved = event if partition_for(event.key, partitions) == home else None
                if moved is None and event is not None and draw >= 0.4:
                    moved = event.model_copy(update={"builder": first.builder, "tenant": first.tenant})
                if moved is not None:
                    events.append(moved)
        events = events or [first]
        bad = random.randrange(len(events)) if random.random() < 0.15 else None
        message = _columns(events, bad)
        self._append(
            log,
            message,
            [Fact(None, Reason.EMPTY_FIELD) if row == bad else Fact(event) for row, event in enumerate(events)],
            home,
        )
        self._sent.extend(event for row, event in enumerate(events) if row != bad)


def _columns(events: Sequence[UsageEvent], without_id: int | None) -> Message:
    """As `encode_batch` does it; `without_id` names a row whose id is left empty."""
    columns: dict[str, pa.Array] = {
        "id": pa.array(["" if row == without_id else event.id for row, event in enumerate(events)], pa.string()),
        "time": pa.array([event.time for event in events], pa.timestamp("us", tz="UTC")),
    }
    for name in DIMENSION_COLUMNS:
        values = [str(getattr(event, name)) for event in events]
        if name in ("source", "builder", "tenant") or set(values) != {UsageEvent.model_fields[name].default}:
            columns[name] = pa.array(values, pa.string())
    for meter in sorted({meter for event in events for meter in event.usage}):
        columns[USAGE_PREFIX + meter] = pa.array([event.usage.get(meter) for event in events], pa.decimal128(38, 6))
    return columnar.encode_columns(pa.table(columns))

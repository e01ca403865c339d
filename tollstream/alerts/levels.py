"""Which thresholds a standing has passed, and the alerts that say so where the record does not yet. Pure.

Rule      Each threshold between what was told and what is reached now is one alert, rising: from 40 to 100 % are three.
          What falls back is one alert that names what is still reached. What rises again is told again, as its second
          occurrence: gateways need it, people need not hear it twice.
Scope     An allowance or a cap begins anew with each period; a credit is one thing over all of them.
Identity  of an alert: a hash of whose it is, its scope, and which occurrence of which change. Who publishes it and
          when are not in it, so whoever computes it again after a crash computes the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from billing.money import EXACT
from billing.periods import Period
from billing.statements import Standing
from topics.alerts import THRESHOLDS, AlertChange, AlertEvent, AlertKind, PastCap
from topics.events import CONTROL_CHARACTERS, NOTE_BYTES_MAX, TEXT_BYTES_MAX

SOURCE = "tollstream/alerts"
_ZERO = Decimal(0)


class Item(NamedTuple):
    """What can be used up, within its scope: the period's label, "" for a credit."""

    scope: str
    kind: AlertKind
    name: str


@dataclass(slots=True)
class Told:
    """What was published about an item: the level it stands at, and how often each change came."""

    level: int
    unit: str
    label: str
    until: datetime | None  # when it begins anew; None: never
    counts: dict[tuple[AlertChange, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TenantNow:
    """A tenant's standings at a moment. `past_cap` is what the plan says about usage past its cap, "" without one."""

    builder: str
    tenant: str
    period: Period
    standings: tuple[Standing, ...]
    past_cap: str = ""


def level_of(standing: Standing) -> int:
    """The highest threshold that is reached, 0 for none. Of nothing, anything is all of it."""
    if standing.limit <= 0:
        return THRESHOLDS[-1] if standing.used > 0 else 0
    percents = EXACT.multiply(standing.used, 100)
    return max((each for each in THRESHOLDS if percents >= EXACT.multiply(standing.limit, each)), default=0)


def item_of(standing: Standing, period: Period) -> Item:
    """Its name is the standing's key, as an alert can carry it."""
    kind = AlertKind(standing.kind)
    return Item("" if kind is AlertKind.CREDIT else period.label, kind, _name(standing.key))


def alerts_of(now: TenantNow, told: Mapping[Item, Told], seen_at: datetime) -> list[AlertEvent]:
    """What has to be published about a tenant, in this order; [] where the record says it all."""
    found: list[AlertEvent] = []
    there = set()
    for standing in now.standings:
        item = item_of(standing, now.period)
        there.add(item)
        before = told.get(item)
        level = level_of(standing)
        if level != (before.level if before else 0):
            found += _changes(now, item, standing, before, level, seen_at)
    for item, before in told.items():
        if item.scope == now.period.label and item not in there and before.level:
            gone = Standing(item.kind.value, item.name, before.label, before.unit, _ZERO, _ZERO)
            found += _changes(now, item, gone, before, 0, seen_at, gone=True)
    return found


def _changes(
    now: TenantNow,
    item: Item,
    standing: Standing,
    before: Told | None,
    level: int,
    seen_at: datetime,
    *,
    gone: bool = False,
) -> Iterable[AlertEvent]:
    from_level = before.level if before else 0
    if level < from_level:
        steps = [(AlertChange.FALLEN, level)]
    else:
        steps = [(AlertChange.REACHED, each) for each in THRESHOLDS if from_level < each <= level]
    for change, threshold in steps:
        occurrence = (before.counts.get((change, threshold), 0) if before else 0) + 1
        identity = [now.builder, now.tenant, *item, change, threshold, occurrence]
        yield AlertEvent(
            id=hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:32],
            source=SOURCE,
            time=seen_at,
            builder=now.builder,
            tenant=now.tenant,
            period=now.period.label,
            period_start=now.period.start,
            period_end=now.period.end,
            kind=item.kind,
            item=item.name,
            label=_plain(standing.label, TEXT_BYTES_MAX),
            unit=standing.unit,
            used=standing.used,
            limit=None if gone else standing.limit,
            threshold=threshold,
            change=change,
            occurrence=occurrence,
            past_cap=PastCap(now.past_cap) if item.kind is AlertKind.CAP and now.past_cap else None,
        )


def _name(key: str) -> str:
    """Keys of any length stay apart, and none can break an alert."""
    plain = _plain(key, NOTE_BYTES_MAX)
    return plain if plain == key else f"sha256:{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _plain(text: str, bytes_max: int) -> str:
    shown = CONTROL_CHARACTERS.sub(" ", text).encode("utf-8", "replace")
    return shown[:bytes_max].decode("utf-8", "ignore")

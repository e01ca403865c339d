"""Turns requests into a day of events of several Builders' tenants, with everything that goes wrong on a real day.

Shapes  make_traffic(requests, seed, ends_at, now) -> Traffic: what to publish, in this order, and what must come of it.
        Events are structured CloudEvents as dictionaries; broken ones are bytes, as somebody's own producer sent them.
Times   The requests are stretched over the day that ends at `ends_at`; a late event keeps its time and comes later.
        All of it is published at `now`, at most 34 days after: what is too late or of the future is so for `now`.
Draws   Everything is drawn from `seed`, skewed: the first of a list most often. Ids follow from the seed as well.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.emitter import Encoding
from tollstream.demo.breakage import Broken, broken_records
from tollstream.demo.offers import OFFERS, UNKNOWN_MODEL, Feature, Model, Offer
from tollstream.demo.trace import Request

DAY = timedelta(days=1)
LATE_SHARE = 0.01
DUPLICATE_SHARE = 0.015
VOID_SHARE = 0.005
UNPRICED_SHARE = 0.003
ABORTED_SHARE = 0.01
FALLBACK_SHARE = 0.02
NODES = {"/gateways/eu-1": Encoding.JSON, "/gateways/us-1": Encoding.BINARY, "/gateways/eu-2": Encoding.COLUMNAR}
NODE_WEIGHTS = (4, 1, 5)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way through a gateway's emitter."""

    event: dict[str, Any]
    encoding: Encoding


@dataclass(frozen=True)
class Traffic:
    """What to publish, and how much of it must end as what."""

    items: list[Delivery | Broken]
    chunk: int  # what belongs together (an event, its copy, its void) is more than so many items apart
    expected: dict[str, int] = field(
        default_factory=dict
    )  # published accepted duplicates dead_lettered voided unpriced
    waiting: int = 0  # of the unpriced, those that nobody takes back

    def chunks(self) -> Iterator[Sequence[Delivery | Broken]]:
        """The items in pieces that may be published at once."""
        for start in range(0, len(self.items), self.chunk):
            yield self.items[start : start + self.chunk]


def make_traffic(requests: Sequence[Request], seed: int, ends_at: datetime, now: datetime | None = None) -> Traffic:
    """A day's traffic from these requests; equal arguments give equal traffic. `now` is `ends_at` unless given."""
    draw = random.Random(f"traffic {seed}")
    count = len(requests)
    chunk = max(1, min(1_000, count // 20))
    times = _times(requests, ends_at)
    events = [
        _event(f"{seed}-{number:06d}", request, times[number], draw, unpriced=number == 2)
        for number, request in enumerate(requests)
    ]
    placed: list[tuple[float, Delivery | Broken]] = []
    outcomes, waiting = Counter[str](), 0

    def later(position: float) -> float:
        return position + 2 * chunk + draw.random() * count / 10

    for number, event in enumerate(events):
        late = draw.random() < LATE_SHARE and number > 1  # the first is copied for certain, the second taken back
        position = later(number) if late else float(number)
        placed.append((position, Delivery(event, NODES[event["source"]])))
        unknown = event["data"]["model"] == UNKNOWN_MODEL.name
        outcomes["unpriced"] += unknown
        waiting += unknown
        if number > count * 0.8:
            continue  # what comes after an event needs room before the day ends
        if draw.random() < DUPLICATE_SHARE or number == 0:
            placed.append((later(position), Delivery(event, draw.choice(list(Encoding)))))
            outcomes["duplicates"] += 1
        if draw.random() < VOID_SHARE or number == 1:
            placed.append((later(position), Delivery(_void(event, draw), Encoding.JSON)))
            outcomes["voided"] += 1
            waiting -= unknown
    conflicting = dict(events[0], data={**events[0]["data"], "usage": {"input_tokens": 1}})
    placed.append((later(2 * chunk), Delivery(conflicting, Encoding.JSON)))
    orphan = _void({**events[0], "id": f"{seed}-never-sent"}, draw)
    placed.append((draw.random() * count, Delivery(orphan, Encoding.JSON)))
    broken = broken_records(events[0], now or ends_at)
    placed += [(draw.random() * count, record) for record in broken]

    placed.sort(key=lambda item: item[0])
    outcomes["published"] = len(placed)
    outcomes["accepted"] = count + outcomes["voided"]
    outcomes["dead_lettered"] = len(broken) + 2  # and the conflicting copy, and the void of what was never sent
    return Traffic([item for _, item in placed], chunk, dict(outcomes), waiting)


def _times(requests: Sequence[Request], ends_at: datetime) -> list[datetime]:
    span = max(requests[-1].microsecond, 1)
    return [ends_at - DAY * (1 - request.microsecond / span) for request in requests]


def _skewed(names: Sequence[Any], draw: random.Random) -> Any:
    """One of them, the nth with a weight of 1/n."""
    return draw.choices(names, [1 / rank for rank in range(1, len(names) + 1)])[0]


def _event(
    identifier: str, request: Request, moment: datetime, draw: random.Random, *, unpriced: bool
) -> dict[str, Any]:
    offer: Offer = draw.choices(OFFERS, [offer.weight for offer in OFFERS])[0]
    tenant: str = _skewed(offer.tenants, draw)
    feature: Feature = draw.choices(offer.features, [feature.weight for feature in offer.features])[0]
    model: Model = UNKNOWN_MODEL if draw.random() < UNPRICED_SHARE or unpriced else _skewed(feature.models, draw)
    aborted = draw.random() < ABORTED_SHARE
    data: dict[str, Any] = {
        "builder": offer.builder,
        "tenant": tenant,
        "workspace": _skewed(offer.workspaces, draw),
        "feature": feature.name,
        "workflow": feature.workflow,
        "action": feature.action,
        "provider": model.provider,
        "model": model.name,
        "requested_model": model.name,
        "mode": "batch" if draw.random() < feature.batch_share else "standard",
        "route": "fallback" if draw.random() < FALLBACK_SHARE else "primary",
        "status": "aborted" if aborted else "completed",
        "usage_source": "estimated" if aborted else "provider",
        "usage": _usage(request, model, feature, draw),
    }
    return {
        "specversion": "1.0",
        "type": "ai.usage.v1",
        "id": identifier,
        "source": draw.choices(list(NODES), NODE_WEIGHTS)[0],
        "time": _timestamp(moment),
        "subject": f"{offer.builder}/{tenant}",
        "datacontenttype": "application/json",
        "traceparent": f"00-{draw.getrandbits(128) | 1:032x}-{draw.getrandbits(64) | 1:016x}-01",
        "data": {name: value for name, value in data.items() if value != ""},
    }


def _usage(request: Request, model: Model, feature: Feature, draw: random.Random) -> dict[str, int]:
    """Disjoint meters: what came from the cache is not input, what was reasoning is not output."""
    cached = int(request.context_tokens * draw.choice((0, 0, 0.3, 0.7))) if model.caches else 0
    reasoning = int(request.generated_tokens * draw.random() * 0.6) if model.reasons else 0
    usage = {
        "input_tokens": request.context_tokens - cached,
        "cached_input_tokens": cached,
        "output_tokens": request.generated_tokens - reasoning,
        "reasoning_tokens": reasoning,
        **{meter: draw.randint(1, most) for meter, most in feature.business},
    }
    return {meter: quantity for meter, quantity in usage.items() if quantity or meter == "input_tokens"}


def _void(event: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    data = event["data"]
    return {
        "specversion": "1.0",
        "type": "ai.usage.void.v1",
        "id": f"void-{event['id']}",
        "source": event["source"],
        "time": event["time"],
        "subject": event["subject"],
        "datacontenttype": "application/json",
        "data": {
            "builder": data["builder"],
            "tenant": data["tenant"],
            "target_source": event["source"],
            "target_id": event["id"],
            "reason": draw.choice(("request was retried by the client", "refunded by support", "test request")),
        },
    }


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

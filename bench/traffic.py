"""Seeded events for measuring: 400-byte structured CloudEvents as a gateway sends them, over one day.

600 tag sets (tenants, features, models) drawn with a skew, four meters, no faults: throughput is measured on traffic
that is billed. Each event's expected charge needs no rating code: `bench/verify.py` adds it up again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MODELS = (("northwind", "nw-large"), ("northwind", "nw-small"), ("lumen", "lumen-pro"))
BUILDERS = ("acme", "globex", "initech", "umbrella")
FEATURES = ("chat", "summary", "search", "agent", "report")
DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class WireEvent:
    """One Kafka record: key, value (structured JSON), and the numbers that went in."""

    key: bytes
    value: bytes
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    columns: dict[str, object]  # the same event as one row of a columnar batch


def events(count: int, *, seed: int = 7, until: datetime | None = None) -> Iterator[WireEvent]:
    """`count` events with distinct ids, in time order, over the day before `until` (default: now)."""
    draw = random.Random(seed)
    start = (until or datetime.now(UTC)) - timedelta(seconds=DAY_SECONDS)
    step = DAY_SECONDS / count
    for number in range(count):
        moment = start + timedelta(seconds=number * step)
        builder = BUILDERS[int(4 * draw.random() ** 2)]
        tenant = f"tenant-{int(10 * draw.random() ** 2):02d}"
        feature = FEATURES[int(5 * draw.random() ** 2)]
        provider, model = MODELS[int(3 * draw.random())]
        tokens_in, tokens_out, cached = draw.randrange(20, 4000), draw.randrange(7, 1000), draw.randrange(0, 500)
        columns: dict[str, object] = {
            "id": f"{seed}-{number:010d}",
            "source": f"/gateway/{tenant[-1]}",
            "time": moment,
            "builder": builder,
            "tenant": tenant,
            "feature": feature,
            "provider": provider,
            "model": model,
            "usage.input_tokens": tokens_in,
            "usage.cached_input_tokens": cached,
            "usage.output_tokens": tokens_out,
            "usage.requests": 1,
        }
        value = (
            f'{{"specversion":"1.0","id":"{columns["id"]}","source":"{columns["source"]}",'
            f'"type":"ai.usage.v1","time":"{moment.isoformat(timespec="microseconds")}",'
            f'"subject":"{builder}/{tenant}","datacontenttype":"application/json","data":{{"builder":"{builder}",'
            f'"tenant":"{tenant}","feature":"{feature}","provider":"{provider}","model":"{model}","mode":"standard",'
            f'"status":"completed","usage":{{"input_tokens":{tokens_in},"cached_input_tokens":{cached},'
            f'"output_tokens":{tokens_out},"requests":1}}}}}}'
        ).encode()
        yield WireEvent(f"{builder}/{tenant}".encode(), value, model, tokens_in, tokens_out, cached, columns)

"""A month of many tenants for bench/close.py, seeded: totals and the ledger rows that they add up, agreements, a plan.

Every total holds one ledger row, so that the closing's comparison of the two has something to compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from billing.credits import Grant
from billing.publication import RULES, BookDigest
from sinks import tables
from sinks.agreements import GRANTS, PLANS, GrantRecord, PlanRecord
from sinks.clickhouse import ClickHouseSink
from sinks.clickhouse.client import Client
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.clickhouse.writer import write_rows
from sinks.journals import append
from sinks.publishing import publish

BUILDER = "acme"
BLOCK = 20_000  # tenants stored at once
PARTITIONS = 8
PER_TENANT = 5  # totals, on average
RULE_IDS = ("quill-light", "quill-heavy")
PROVIDERS = ("northwind", "lumen", "")
FEATURES = ("chat", "summary", "search", "report")
RULE_TEXT = """
version = "bench-rules-1"
effective_from = 2020-01-01T00:00:00Z
""" + "".join(
    f"""
[[rules]]
id = "{rule_id}"
kind = "per_unit"
amount = "0.05"
meter = "tasks"
match = {{ action = "{rule_id}" }}
label = "{label}"
unit = "task"
reason = "{reason}"
"""
    for rule_id, label, reason in (
        ("quill-light", "Short tasks", "Every short task has a price of its own."),
        ("quill-heavy", "Long tasks", "Every long task has a price of its own."),
    )
)
PLAN_TEXT = """
version = "bench-plans-1"
effective_from = 2020-01-01T00:00:00Z
builder = "acme"
currency = "USD"
default_plan = "team"

[[plans]]
id = "team"
label = "Team"
fee = "9.00"
minimum = "1.50"
units = [{ meter = "tasks", one = "task", many = "tasks" }]

[[plans.allowances]]
id = "included"
label = "Included tasks"
unit = "tasks"
quantity = "20"
rollover = true

[[taxes]]
id = "vat"
label = "VAT"
rate = "0.21"
"""


@dataclass(frozen=True, slots=True)
class Month:
    """Which month, and how many tenants used something in it."""

    start: datetime
    end: datetime
    tenants: int

    @classmethod
    def last(cls, now: datetime, tenants: int) -> Month:
        """The month before this one."""
        end = datetime(now.year, now.month, 1, tzinfo=UTC)
        start = (end - timedelta(days=1)).replace(day=1)
        return cls(start, end, tenants)

    @property
    def label(self) -> str:
        return f"{self.start:%Y-%m}"


async def fill(client: Client, month: Month, told: Callable[[int], None]) -> int:
    """Store all of it; answers how many totals that are."""
    totals = 0
    for first, totals_rows, ledger_rows in _blocks(month):
        write_rows(client, "usage_ledger", ledger_rows)
        write_rows(client, "usage_totals", totals_rows)
        totals += totals_rows.num_rows
        told(min(first + BLOCK, month.tenants))
    write_rows(client, "checkpoints", _checkpoints(month, totals))
    await _agree(client, month)
    return totals


def name_of(number: int) -> str:
    """A tenant's id."""
    return f"tenant-{number:06d}"


def _blocks(month: Month) -> Iterator[tuple[int, pa.Table, pa.Table]]:
    draw = np.random.default_rng(7)
    hours = int((month.end - month.start).total_seconds()) // 3600
    offset = 0
    for first in range(0, month.tenants, BLOCK):
        some = min(BLOCK, month.tenants - first)
        owner = np.repeat(np.arange(first, first + some), draw.integers(PER_TENANT - 2, PER_TENANT + 3, some))
        count = len(owner)
        window = draw.integers(0, hours, count) * 3600 + int(month.start.timestamp())
        # One window an hour would be drawn twice for a tenant now and then: totals have one row a key.
        keys = np.unique(np.stack([owner, window], 1), axis=0)
        owner, window, count = keys[:, 0], keys[:, 1], len(keys)
        fee, reward, earnings = (draw.integers(1_000, most, count) for most in (200_000, 400_000, 3_000_000))
        amounts = {"provider_reward": reward, "platform_fee": fee, "builder_earnings": earnings}
        amounts["customer_charge"] = reward + fee + earnings
        tasks = draw.integers(1, 20, count)
        columns: dict[str, Any] = {
            "builder": _tag([BUILDER], np.zeros(count, int)),
            "tenant": _tag([name_of(first + number) for number in range(some)], owner - first),
            "window_start": pa.array(window).cast(tables.TOTALS.field("window_start").type),
            "feature": _tag(FEATURES, draw.integers(0, len(FEATURES), count)),
            "provider": _tag(PROVIDERS, draw.integers(0, len(PROVIDERS), count)),
            "model": _tag(["nw-large"], np.zeros(count, int)),
            "mode": _tag(["standard"], np.zeros(count, int)),
            "rule_id": _tag(RULE_IDS, draw.integers(0, len(RULE_IDS), count)),
            "currency": _tag(["USD"], np.zeros(count, int)),
            "topic_epoch": pa.array(np.ones(count, np.uint16)),
            "source_partition": pa.array((owner % PARTITIONS).astype(np.uint16)),
            "usage": _usage(tasks, count),
            **{name: _money(values) for name, values in amounts.items()},
        }
        places = np.arange(offset, offset + count)
        offset += count
        totals = columns | {
            "last_offset": pa.array(places),
            **{name: pa.array(np.ones(count, np.int64)) for name in ("ledger_rows", "net_events")},
            "unpriced_events": pa.array(np.zeros(count, np.int64)),
        }
        ledger = columns | {
            "source_offset": pa.array(places),
            "kind": _tag(["usage"], np.zeros(count, int)),
            "pricing": _tag(["rated"], np.zeros(count, int)),
            "base_cost": _money(reward + fee),
            "identity_low": pa.array(places.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)),
            "id": pa.array([f"call-{place}" for place in places]),
        }
        yield first, _table(totals, tables.TOTALS, count), _table(ledger, tables.LEDGER, count)


def _table(columns: dict[str, Any], schema: pa.Schema, count: int) -> pa.Table:
    found = [columns[each.name] if each.name in columns else _nothing(each.type, count) for each in schema]
    return pa.Table.from_arrays(found, schema=schema)


def _nothing(kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return _tag([""], np.zeros(count, int))
    if pa.types.is_string(kind):
        return pa.array([""] * count)
    return pa.array(np.zeros(count, np.int64)).cast(kind)


def _tag(names: Any, numbers: np.ndarray) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), pa.array(list(names)))


def _money(micros: np.ndarray) -> pa.Array:
    """Millionths of a dollar as Decimal(38, 12): its two words of 64 bits."""
    words = np.stack([micros * 1_000_000, np.zeros_like(micros)], 1).astype("<i8")
    return pa.Decimal128Array.from_buffers(tables.MONEY, len(micros), [None, pa.py_buffer(words.tobytes())])


def _usage(tasks: np.ndarray, count: int) -> pa.Array:
    words = np.stack([tasks * 1_000_000, np.zeros_like(tasks)], 1).astype("<i8")
    items = pa.Decimal128Array.from_buffers(tables.QUANTITY, count, [None, pa.py_buffer(words.tobytes())])
    return pa.MapArray.from_arrays(np.arange(count + 1, dtype=np.int32), pa.array(["tasks"] * count), items)


def _checkpoints(month: Month, offsets: int) -> pa.Table:
    rows = [
        dict.fromkeys(tables.CHECKPOINTS.names, 0)
        | {"topic_epoch": 1, "source_partition": partition, "next_offset": offsets, "worker": "bench"}
        | {"max_record_time": month.end}
        for partition in range(PARTITIONS)
    ]
    return pa.Table.from_pylist(rows, schema=tables.CHECKPOINTS)


async def _agree(client: Client, month: Month) -> None:
    """Rules, a plan book with a tenth of the tenants by name, and a credit for one in twenty."""
    digest = hashlib.sha256(RULE_TEXT.encode()).hexdigest()
    since = datetime(2020, 1, 1, tzinfo=UTC)
    sink = ClickHouseSink(client)
    book = BookDigest(RULES, "bench-rules-1", since, digest, RULE_TEXT)
    await publish(sink, [book], based_on=0, published_by="bench", reason="a measurement")
    named = "".join(
        f'\n[[tenants]]\ntenant = "{name_of(number)}"\nplan = "team"\nsince = 2025-01-01\ntax = "vat"\n'
        for number in range(0, month.tenants, 10)
    )
    text = PLAN_TEXT + named
    store = ClickHouseStatementStore(client)
    plan = PlanRecord(
        BUILDER, "bench-plans-1", since, hashlib.sha256(text.encode()).hexdigest(), text, "bench", "a measurement"
    )
    await append(store, PLANS, {"builder": BUILDER}, lambda _: [plan])
    grants = [
        GrantRecord(
            BUILDER,
            Grant("welcome", name_of(number), "promotional", "", "USD", Decimal(5), Decimal(0), month.start),
            "bench",
            "a measurement",
        )
        for number in range(0, month.tenants, 20)
    ]
    await append(store, GRANTS, {"builder": BUILDER}, lambda _: grants)

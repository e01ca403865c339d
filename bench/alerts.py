"""What watching costs: a running month of many tenants, each with an allowance and some with a credit.

    1  first look    a watcher that knows nothing looks at everybody, and publishes what is reached
    2  restart       another one reads the topic, looks at everybody, and publishes nothing
    3  idle          a look after which nothing has changed
    4  changed       a look after so many tenants have used something
Real broker and engine, embedded. Memory is this process's, which is the watcher's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console

from agents.metrics import Metrics
from bench.closing_month import BUILDER, PARTITIONS, Month, fill, name_of
from deploy.embedded.stack import EmbeddedStack
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from tollstream.alerts.watcher import Watcher, WatcherConfiguration
from topics.administration import create


def main() -> int:
    """Run it; 0 when everything was published once."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.alerts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.alerts --tenants 100000 --changed 1000",
    )  # fmt: skip
    parser.add_argument("--tenants", type=int, default=100_000, help="each with some five totals")
    parser.add_argument("--changed", type=int, default=1_000, help="tenants that use something between two looks")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tollstream-alerts-") as name, EmbeddedStack(Path(name)) as stack:
        result = asyncio.run(_measure(stack.endpoints, arguments.tenants, arguments.changed))
    print(json.dumps(result))
    return 0 if result["restart"]["published"] == 0 else 1


async def _measure(endpoints: Any, tenants: int, changed: int) -> dict[str, Any]:
    console = Console(stderr=True)
    configuration = ClickHouseConfiguration(endpoints.clickhouse_url)
    migrate(configuration)
    await create(endpoints.bootstrap_servers, 1, PARTITIONS)
    client = Client.connect(configuration)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    month = Month(datetime(now.year, now.month, 1, tzinfo=UTC), now, tenants)
    totals = await fill(client, month, lambda done: console.log(f"{done:,} tenants stored"))
    settings = WatcherConfiguration(endpoints.bootstrap_servers)
    found: dict[str, Any] = {"tenants": tenants, "totals": totals}
    watcher = Watcher(settings, client, Metrics("alerts"))
    found["first"] = await _look(watcher)
    watcher = Watcher(settings, client, Metrics("alerts"))
    found["restart"] = await _look(watcher)
    found["idle"] = await _look(watcher)
    _use(client, tenants, changed, month, totals)
    found["changed"] = await _look(watcher)
    client.close()
    return found


async def _look(watcher: Watcher) -> dict[str, Any]:
    process = psutil.Process()
    before, began = process.cpu_times(), time.monotonic()
    report = await watcher.once()
    after = process.cpu_times()
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(after.user + after.system - before.user - before.system, 2),
        "megabytes": round(process.memory_info().rss / 1e6),
        "tenants": report.tenants,
        "published": report.published,
    }


def _use(client: Client, tenants: int, changed: int, month: Month, totals: int) -> None:
    """One more task for each of some tenants, in the newest window."""
    database = client.configuration.database
    chosen = np.random.default_rng(3).choice(tenants, changed, replace=False)
    names = ", ".join(f"'{name_of(int(number))}'" for number in chosen)
    client.command(
        f"""
        INSERT INTO {database}.usage_totals
        SELECT * REPLACE ({totals} + 1 AS last_offset, mapApply((k, v) -> (k, v + 1), usage) AS usage)
        FROM {database}.usage_totals WHERE builder = '{BUILDER}' AND tenant IN ({names}) LIMIT 1 BY tenant
        """,
        doing="using something",
    )
    client.command(
        f"""
        INSERT INTO {database}.checkpoints
        SELECT * REPLACE ({totals} + 2 AS next_offset) FROM {database}.checkpoints
        """,
        doing="using something",
    )


if __name__ == "__main__":
    sys.exit(main())

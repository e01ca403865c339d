"""A month of 100,000 tenants closed: how long, and how much memory. `python -m bench.close --tenants 100000`

Fills an embedded store through the sink's own writer: for each tenant some five totals, every one with its ledger row,
of two rules, three providers and four features; a plan with a fee, an allowance and a minimum for everybody, a tenth of
the tenants by name with taxes, and a credit for one in twenty. Then runs what a person would run, `tollstream close`,
as a process of its own: the seconds are those of the whole command, Python's start included. The memory is the largest
that was seen of either process, and of the command in each third of its time, so that growth would show.
Ends with sums by the store itself: what was billed has to be the ledger, every set of postings has to add up to 0, and
the numbers have to have no gap, or exit 1.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from bench.closing_month import BUILDER, Month, fill
from deploy.embedded.clickhouse import ClickHouseServer
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate

SAMPLE_SECONDS = 0.1
SECONDS_MAX = 120  # for 100,000 tenants
DEADLINE_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run comes to."""

    tenants: int
    totals: int
    seconds: float
    client_cpu_seconds: float
    store_cpu_seconds: float
    client_megabytes: float  # the largest resident size
    client_megabytes_by_third: tuple[float, ...]
    store_megabytes: float
    statements: int
    lines: int
    residual: Decimal  # USD: what was billed against the ledger
    unbalanced: int  # documents whose postings do not add up to 0
    gaps: int  # numbers that are missing

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "residual": str(self.residual)}

    @property
    def holds(self) -> bool:
        """Whether every sum agrees."""
        return not self.residual and not self.unbalanced and not self.gaps and self.statements == self.tenants


def main() -> int:
    """Run it; 0 when the sums agree and, for 100,000 tenants, two minutes were enough."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.close", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.close --tenants 100000 --json",
    )  # fmt: skip
    parser.add_argument("--tenants", type=int, default=100_000, help="each with some five totals")
    parser.add_argument("--data", type=Path, help="where to put the store's folder (some 100 MB)")
    parser.add_argument("--keep", type=Path, help="use this folder for the store, and leave it there")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="tollstream-close-", dir=arguments.data) as name,
        _store(arguments.keep or Path(name)) as store,
    ):
        configuration = ClickHouseConfiguration(store.url)
        migrate(configuration)
        client = Client.connect(configuration)
        month = Month.last(datetime.now(UTC), arguments.tenants)
        totals = asyncio.run(fill(client, month, lambda done: console.log(f"{done:,} tenants stored")))
        console.log("the month is stored; closing")
        result = _measure(client, store, month, totals)
        client.close()
    if arguments.json:
        print(json.dumps(result.as_dict()))
    else:
        _print(result)
    in_time = arguments.tenants < 100_000 or result.seconds <= SECONDS_MAX * arguments.tenants / 100_000
    return 0 if result.holds and in_time else 1


@contextmanager
def _store(folder: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(folder / "clickhouse", port=0, log=folder / "clickhouse.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _measure(client: Client, store: ClickHouseServer, month: Month, totals: int) -> Measurement:
    own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    # No broker here: who closes says so on record.
    verb = [
        sys.executable, "-m", "tollstream", "close", "--json", "--builder", BUILDER, "--period", month.label,
        "--accept-lag", "--by", "bench", "--reason", "no broker in this measurement",
    ]  # fmt: skip
    environment = {**own, "TOLLSTREAM_CLICKHOUSE_URL": store.url, "TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9"}
    server = psutil.Process(store.pid)
    before = server.cpu_times()
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(verb, env=environment, stdout=output)
        sizes: list[tuple[float, int, int]] = []
        cpu = 0.0
        while process.poll() is None:
            if time.monotonic() - started > DEADLINE_SECONDS:
                process.kill()
            try:
                times = process.cpu_times()
                sizes.append((time.monotonic() - started, process.memory_info().rss, server.memory_info().rss))
                cpu = times.user + times.system
            except psutil.NoSuchProcess:
                break
            time.sleep(SAMPLE_SECONDS)
        if process.wait() != 0:
            raise subprocess.CalledProcessError(process.returncode, verb)
        seconds = time.monotonic() - started
        output.seek(0)
        found = json.loads(output.read())
    after = server.cpu_times()
    thirds = [[size for at, size, _ in sizes if third <= 3 * at / seconds < third + 1] for third in range(3)]
    database = client.configuration.database
    [ledger] = client.query_rows(f"SELECT sum(customer_charge) AS charge FROM {database}.usage_ledger FINAL", doing="")
    [billed] = client.query_rows(f"SELECT sum(customer_charge) AS charge FROM {database}.billed_usage", doing="")
    [numbers] = client.query_rows(
        f"""
        SELECT toInt64(count()) AS statements, toInt64(max(number) - min(number) + 1 - uniqExact(number)) AS gaps,
            toInt64(sum(lines)) AS lines
        FROM {database}.issued_statements
        """,
        doing="counting statements",
    )
    [uneven] = client.query_rows(f"SELECT toInt64(count()) AS sets FROM {database}.unbalanced_postings", doing="")
    return Measurement(
        tenants=month.tenants,
        totals=totals,
        seconds=seconds,
        client_cpu_seconds=cpu,
        store_cpu_seconds=after.user + after.system - before.user - before.system,
        client_megabytes=max(size for _, size, _ in sizes) / 1e6,
        client_megabytes_by_third=tuple(max(third, default=0) / 1e6 for third in thirds),
        store_megabytes=max(size for _, _, size in sizes) / 1e6,
        statements=min(found["statements"], numbers["statements"]),
        lines=numbers["lines"],
        residual=abs(ledger["charge"] - billed["charge"]),
        unbalanced=uneven["sets"],
        gaps=numbers["gaps"],
    )


def _print(result: Measurement) -> None:
    table = Table(title=f"A month of {result.tenants:,} tenants closed", show_header=False)
    table.add_row("totals", f"{result.totals:,}")
    table.add_row("statements, lines", f"{result.statements:,}, {result.lines:,}")
    table.add_row("seconds, the whole command", f"{result.seconds:.1f}")
    table.add_row("client CPU, seconds", f"{result.client_cpu_seconds:.1f}")
    table.add_row("store CPU, seconds", f"{result.store_cpu_seconds:.1f}")
    table.add_row("client memory, largest", f"{result.client_megabytes:.0f} MB")
    by_third = " / ".join(f"{size:.0f} MB" for size in result.client_megabytes_by_third)
    table.add_row("client memory, by third of the time", by_third)
    table.add_row("store memory, largest", f"{result.store_megabytes:.0f} MB")
    table.add_row("billed against the ledger, USD", str(result.residual))
    table.add_row("documents that do not balance", str(result.unbalanced))
    table.add_row("numbers that are missing", str(result.gaps))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())

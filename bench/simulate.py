"""Ten million ledger rows under other rules: how long, and how much memory. `python -m bench.simulate --rows 10000000`

Fills an embedded store with a month of ledger rows (bench/ledger.py) through the sink's own writer, then runs the
command that a person would run, `tollstream rules simulate`, as a process of its own: the seconds are those of the
whole command, Python's start included. The memory is the largest that was seen of either process, and of the command
in each third of its time, so that growth would show.
Ends with a sum over the ledger by the store itself: it has to be the simulation's `before`, or exit 1.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.ledger import BOOKS, MONTH, ledger_blocks
from deploy.embedded.clickhouse import ClickHouseServer
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.writer import write_rows

SAMPLE_SECONDS = 0.05
SUM = "SELECT toString(sum(customer_charge)) AS charge, toInt64(countIf(kind = 'usage')) AS usage"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run comes to."""

    rows: int
    seconds: float
    client_cpu_seconds: float
    store_cpu_seconds: float
    client_megabytes: float  # the largest resident size
    client_megabytes_by_third: tuple[float, ...]
    store_megabytes: float
    residual: Decimal  # USD, the store's own sum against the simulation's

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "residual": str(self.residual)}


def main() -> int:
    """Run it; 0 when the sums agree."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.simulate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.simulate --rows 10000000 --html simulation.html",
    )  # fmt: skip
    parser.add_argument("--rows", type=int, default=10_000_000, help="ledger rows, corrections among them")
    parser.add_argument("--data", type=Path, help="where to put the store's folder (about 90 bytes a row)")
    parser.add_argument("--html", type=Path, help="keep the simulation's page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="tollstream-simulate-", dir=arguments.data) as name:
        folder = Path(name)
        with _store(folder) as store:
            configuration = ClickHouseConfiguration(store.url)
            migrate(configuration)
            client = Client.connect(configuration)
            _fill(client, arguments.rows, console)
            console.log("the month is stored; simulating")
            result = _measure(client, store, arguments.rows, arguments.html)
            client.close()
    if arguments.json:
        print(json.dumps(result.as_dict()))
    else:
        _print(result)
    return 0 if result.residual == 0 else 1


@contextmanager
def _store(folder: Path) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(folder / "clickhouse", port=0, log=folder / "clickhouse.log")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _fill(client: Client, rows: int, console: Console) -> None:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("filling the ledger", total=rows)
        for block in ledger_blocks(rows):
            write_rows(client, "usage_ledger", block.table)
            progress.advance(task, block.rows)


def _measure(client: Client, store: ClickHouseServer, rows: int, html: Path | None) -> Measurement:
    table = f"{client.configuration.database}.usage_ledger"
    own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    verb = [
        sys.executable, "-m", "tollstream", "rules", "simulate", "--json",
        "--rules", str(BOOKS / "rules-after.toml"), "--prices", str(BOOKS / "prices.toml"),
        "--from", f"{MONTH:%Y-%m-%d}", "--to", "2026-02-01", *(["--html", str(html)] if html else []),
    ]  # fmt: skip
    server = psutil.Process(store.pid)
    before = server.cpu_times()
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(verb, env={**own, "TOLLSTREAM_CLICKHOUSE_URL": store.url}, stdout=output)
        sizes: list[tuple[float, int, int]] = []
        cpu = 0.0
        while process.poll() is None:
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
    [ledger] = client.query_rows(f"{SUM} FROM {table} FINAL", doing="adding up the ledger")
    if found["events"]["read"] != ledger["usage"]:
        raise RuntimeError(f"{found['events']['read']} events were read, and the ledger has {ledger['usage']}")
    thirds = [[size for at, size, _ in sizes if third <= 3 * at / seconds < third + 1] for third in range(3)]
    return Measurement(
        rows=rows,
        seconds=seconds,
        client_cpu_seconds=cpu,
        store_cpu_seconds=after.user + after.system - before.user - before.system,
        client_megabytes=max(size for _, size, _ in sizes) / 1e6,
        client_megabytes_by_third=tuple(max(third, default=0) / 1e6 for third in thirds),
        store_megabytes=max(size for _, _, size in sizes) / 1e6,
        # Voids cancel in the ledger's own sum, and are on neither side of the simulation.
        residual=abs(Decimal(ledger["charge"]) - Decimal(found["totals"][0]["before"]["customer_charge"])),
    )


def _print(result: Measurement) -> None:
    table = Table(title=f"{result.rows:,} ledger rows under other rules", show_header=False)
    table.add_row("seconds, the whole command", f"{result.seconds:.1f}")
    table.add_row("rows a second", f"{result.rows / result.seconds:,.0f}")
    table.add_row("client CPU, seconds", f"{result.client_cpu_seconds:.1f}")
    table.add_row("store CPU, seconds", f"{result.store_cpu_seconds:.1f}")
    table.add_row("client memory, largest", f"{result.client_megabytes:.0f} MB")
    by_third = " / ".join(f"{size:.0f} MB" for size in result.client_megabytes_by_third)
    table.add_row("client memory, by third of the time", by_third)
    table.add_row("store memory, largest", f"{result.store_megabytes:.0f} MB")
    table.add_row("residual against the store's own sum, USD", str(result.residual))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())

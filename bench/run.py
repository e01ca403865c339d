"""`make bench`: one worker, end to end, on the real broker and store: throughput, stage costs, memory, restart.

Publishes first, so that the worker is never short of records; then starts one worker and follows the store's own
checkpoints. The rate is that of the middle of the run (10 % to 90 % of the events): start-up and the last, partly
filled block are no throughput. Ends with an addition of every charge in plain integers: residual 0, or exit 1.
The restart figure is the time from starting a second worker, with the whole day stored, to its first new block.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.measure import Measurement, measure
from deploy.embedded.stack import EmbeddedStack


def main() -> int:
    """Run the benchmark; 0 when every amount was right."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.run --events 5000000 --encoding columnar --json",
    )  # fmt: skip
    parser.add_argument("--events", type=int, default=1_000_000, help="how many to publish before the worker starts")
    parser.add_argument("--encoding", choices=("json", "columnar"), default="json")
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--data", type=Path, help="folder for the servers' data; default: a temporary one")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="tollstream-bench-", dir=arguments.data) as folder,
        EmbeddedStack(Path(folder) / "stack") as stack,
    ):
        result = asyncio.run(
            measure(
                stack.endpoints,
                Path(folder),
                events=arguments.events,
                encoding=arguments.encoding,
                partitions=arguments.partitions,
                say=console.log,
                servers=(stack.kafka.pid, stack.clickhouse.pid),
            )
        )
    if arguments.json:
        print(json.dumps(result.as_dict()))
    else:
        _print(result)
    return 0 if result.residual == 0 else 1


def _print(result: Measurement) -> None:
    table = Table(title=f"{result.events:,} events, {result.encoding}, one worker", show_header=False)
    table.add_row("events a second, end to end", f"{result.events_per_second:,.0f}")
    table.add_row("seconds", f"{result.seconds:.1f}")
    table.add_row("worker CPU per event", f"{result.worker_cpu_microseconds:.2f} µs")
    table.add_row("broker CPU per event", f"{result.broker_cpu_microseconds:.2f} µs")
    table.add_row("store CPU per event", f"{result.store_cpu_microseconds:.2f} µs")
    for stage, microseconds in result.stage_microseconds.items():
        table.add_row(f"  stage {stage}, wall per event", f"{microseconds:.2f} µs")
    table.add_row("worker memory at 20 / 60 / 100 %", " / ".join(f"{size:.0f} MB" for size in result.memory_megabytes))
    table.add_row("restart to first new block", f"{result.restart_seconds:.1f} s")
    table.add_row("residual against plain addition", str(result.residual))
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())

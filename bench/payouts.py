"""Payouts out of many statements: how long, and how much memory. `python -m bench.payouts --statements 100000`

Fills an embedded store with the postings of so many statements a month, as closings write them, closes the months, and
runs what a person would run, `tollstream payouts --builder acme --period …`, for each, as processes of their own: the
seconds are those of the whole command, Python's start included. Every payout adds up all postings there ever were, so
the last one is the dearest. Ends with the sum of all postings, which has to be 0, and of all payouts, which has to be
what the Builder has earned, or exits with 1.
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
from decimal import Decimal
from pathlib import Path

import psutil

from billing.periods import MONTHS, Period, parse_period
from billing.postings import Posting
from deploy.embedded.clickhouse import ClickHouseServer
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from sinks.closings import CLOSED, CLOSING_JOURNAL, Closing, Inputs
from sinks.journals import append
from sinks.payouts import PAYOUT_JOURNAL
from sinks.statements import PostingSet, reference_of

BUILDER = "acme"
PORTION = 5_000
FEE, EARNED, REWARD, SUBSCRIPTION, ALLOWANCE = map(Decimal, ("0.2", "0.534567890123", "0.5", "9", "0.3"))
DUE = Decimal("9.93")
EXACT = FEE + EARNED + REWARD + SUBSCRIPTION - ALLOWANCE


def main() -> int:
    """Run it; 0 when the sums agree."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.payouts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m bench.payouts --statements 100000 --months 3",
    )  # fmt: skip
    parser.add_argument("--statements", type=int, default=100_000, help="a month")
    parser.add_argument("--months", type=int, default=3, help="closed, and paid out one after the other")
    arguments = parser.parse_args()
    months = [parse_period(MONTHS, f"2026-{number:02d}") for number in range(1, arguments.months + 1)]
    with tempfile.TemporaryDirectory(prefix="tollstream-payouts-") as name:
        server = ClickHouseServer(Path(name) / "clickhouse", port=0, log=Path(name) / "clickhouse.log")
        server.start()
        try:
            configuration = ClickHouseConfiguration(server.url)
            migrate(configuration)
            for month in months:
                asyncio.run(_close(configuration, month, arguments.statements))
            runs = [_payout(server, month) for month in months]
            residual, paid = asyncio.run(_sums(configuration))
        finally:
            server.stop()
    earned = (EARNED + SUBSCRIPTION - ALLOWANCE) * arguments.statements * len(months)
    print(json.dumps({"statements": arguments.statements, "runs": runs, "residual": str(residual), "paid": str(paid)}))
    return 0 if not residual and paid == earned else 1


async def _close(configuration: ClickHouseConfiguration, month: Period, statements: int) -> None:
    store = await ClickHouseSettlementStore.connect(configuration)
    entry = Closing(
        BUILDER, f"{BUILDER}-{month.label}", month, MONTHS, 1, CLOSED, "bench",
        inputs=Inputs(currency="USD"), statements=statements,
    )  # fmt: skip
    for first in range(0, statements, PORTION):
        await store.write_postings(
            _postings(entry, number) for number in range(first, min(first + PORTION, statements))
        )
    await append(store, CLOSING_JOURNAL, {"builder": BUILDER}, lambda _: [entry])
    await store.close()


def _postings(entry: Closing, number: int) -> PostingSet:
    """As many as a statement with a fee, usage and an allowance has."""
    tenant, month = f"tenant-{number:06d}", entry.period
    rows = [
        Posting("provider_payable", ("north", "lumen")[number % 2], "USD", "usage", -REWARD),
        Posting("platform_fee", "platform", "USD", "usage", -FEE),
        Posting("builder_payable", BUILDER, "USD", "usage", -EARNED),
        Posting("builder_payable", BUILDER, "USD", "subscription", -SUBSCRIPTION),
        Posting("builder_funding", BUILDER, "USD", "allowance", ALLOWANCE),
        Posting("tenant_receivable", tenant, "USD", "statement", DUE),
        Posting("rounding_difference", "platform", "USD", "statement", EXACT - DUE),
    ]
    return PostingSet(
        BUILDER, "statement", reference_of(BUILDER, number + 1), rows, month.end, tenant, month.label, month.start,
        entry.closing_id,
    )  # fmt: skip


def _payout(server: ClickHouseServer, month: Period) -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    verb = [
        sys.executable, "-m", "tollstream", "payouts", "--builder", BUILDER, "--period", month.label, "--json",
    ]  # fmt: skip
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = psutil.Popen(verb, env={**environment, "TOLLSTREAM_CLICKHOUSE_URL": server.url}, stdout=output)
        largest = 0
        while process.poll() is None:
            largest = max(largest, process.memory_info().rss)
            time.sleep(0.05)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, verb)
    return {
        "period": month.label,
        "seconds": round(time.monotonic() - started, 2),
        "megabytes": round(largest / 1e6),
        "store_megabytes": round(psutil.Process(server.pid).memory_info().rss / 1e6),
    }


async def _sums(configuration: ClickHouseConfiguration) -> tuple[Decimal, Decimal]:
    """Of all postings; and what was paid, with what is carried last."""
    store = await ClickHouseSettlementStore.connect(configuration)
    residual = sum((each.residual for each in await store.read_balance()), Decimal(0))
    records = await store.read_journal(PAYOUT_JOURNAL, {"builder": BUILDER})
    await store.close()
    return residual, sum((each.amount for each in records), records[-1].carried)


if __name__ == "__main__":
    sys.exit(main())

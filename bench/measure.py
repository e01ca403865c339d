"""One measured run: publish, let one worker catch up, read what it cost, check every amount."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import clickhouse_connect
import psutil
from clickhouse_connect.driver.client import Client
from prometheus_client.parser import text_string_to_metric_families

from bench.publish import Expected, publish
from deploy.embedded.stack import Endpoints
from topics.catalogue import raw_topic_name

BOOKS = Path(__file__).parent / "books"
STEADY = (0.1, 0.9)  # the part of the run that counts as throughput
WAIT_SECONDS_MAX = 900.0
RESTART_EVENTS = 10_000
EVENTS_STORED = "SELECT sum(events) FROM (SELECT max(events) AS events FROM checkpoints GROUP BY source_partition)"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What `make bench` prints."""

    events: int
    encoding: str
    seconds: float
    events_per_second: float
    worker_cpu_microseconds: float  # per event, like the next two and the stages
    broker_cpu_microseconds: float
    store_cpu_microseconds: float
    stage_microseconds: dict[str, float]
    memory_megabytes: tuple[float, ...]
    restart_seconds: float
    residual: Decimal  # USD, over all parties' amounts

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "residual": str(self.residual)}


@dataclass(frozen=True, slots=True)
class _Sample:
    moment: float
    events: int
    worker_cpu: float
    broker_cpu: float
    store_cpu: float
    memory: float


async def measure(
    endpoints: Endpoints,
    folder: Path,
    *,
    events: int,
    encoding: str,
    partitions: int,
    say: Callable[[str], None],
    servers: tuple[int, int],
) -> Measurement:
    """Run the benchmark against a running stack; `servers` are the process ids of broker and store."""
    environment = _environment(endpoints, partitions)
    for verb in (["schema", "migrate"], ["topics", "create"]):
        made = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tollstream", *verb, env=environment, stdout=sys.stderr
        )
        if await made.wait():
            raise RuntimeError(f"tollstream {' '.join(verb)} failed")
    topic = raw_topic_name(1)
    say(f"publishing {events:,} events ({encoding})")
    expected = await publish(endpoints.bootstrap_servers, topic, events, encoding, partitions)
    client = clickhouse_connect.get_client(dsn=endpoints.clickhouse_url, database="tollstream")
    say("one worker, from nothing to the end of the log")
    with (folder / "worker.log").open("wb") as log:
        worker = _start(environment, log)
        try:
            samples = await _follow(client, worker, servers, events)
            stages = _stage_seconds(_metrics_port(folder / "worker.log"))
        finally:
            _stop(worker)
    say(f"a day of {events:,} events is stored: another worker, and {RESTART_EVENTS:,} events more")
    more = await publish(endpoints.bootstrap_servers, topic, RESTART_EVENTS, encoding, partitions, seed=8)
    with (folder / "restarted.log").open("wb") as log:
        started = time.monotonic()
        worker = _start(environment, log)
        try:
            samples_after = await _follow(client, worker, servers, events + RESTART_EVENTS, above=events)
        finally:
            _stop(worker)
    restart = next(sample.moment for sample in samples_after if sample.events > events) - started
    first, last = _steady(samples, events)
    counted = last.events - first.events
    return Measurement(
        events=events,
        encoding=encoding,
        seconds=samples[-1].moment - samples[0].moment,
        events_per_second=counted / (last.moment - first.moment),
        worker_cpu_microseconds=(last.worker_cpu - first.worker_cpu) / counted * 1e6,
        broker_cpu_microseconds=(last.broker_cpu - first.broker_cpu) / counted * 1e6,
        store_cpu_microseconds=(last.store_cpu - first.store_cpu) / counted * 1e6,
        stage_microseconds={stage: seconds / events * 1e6 for stage, seconds in stages.items()},
        memory_megabytes=tuple(_memory_at(samples, share * events) for share in (0.2, 0.6, 1.0)),
        restart_seconds=restart,
        residual=_residual(client, expected.plus(more)),
    )


def _environment(endpoints: Endpoints, partitions: int) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
    return {
        **own,
        "TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS": endpoints.bootstrap_servers,
        "TOLLSTREAM_CLICKHOUSE_URL": endpoints.clickhouse_url,
        "TOLLSTREAM_PARTITIONS": str(partitions),
        "TOLLSTREAM_PRICES": str(BOOKS / "prices.toml"),
        "TOLLSTREAM_RULES": str(BOOKS / "rules.toml"),
        "TOLLSTREAM_METRICS_PORT": "0",
    }


def _start(environment: dict[str, str], log: Any) -> psutil.Popen:
    return psutil.Popen(
        [sys.executable, "-m", "tollstream", "worker", "--json"], env=environment, stdout=log, stderr=subprocess.STDOUT
    )


def _stop(worker: psutil.Popen) -> None:
    worker.terminate()
    try:
        worker.wait(30)
    except psutil.TimeoutExpired:
        worker.kill()


async def _follow(
    client: Client, worker: psutil.Popen, servers: tuple[int, int], events: int, above: int = 0
) -> list[_Sample]:
    """Samples four times a second until the checkpoints cover all events."""
    broker, store = (psutil.Process(pid) for pid in servers)
    samples: list[_Sample] = []
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not samples or samples[-1].events < events:
        if worker.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the worker stopped or hangs at {samples[-1].events if samples else 0:,} events")
        await asyncio.sleep(0.25)
        done = await asyncio.to_thread(client.query, EVENTS_STORED)
        samples.append(
            _Sample(
                time.monotonic(), int(done.result_rows[0][0]), _cpu(worker), _cpu(broker), _cpu(store),
                worker.memory_info().rss / 1e6,
            )
        )  # fmt: skip
    begun = [sample for sample in samples if sample.events > above]
    return [samples[max(0, len(samples) - len(begun) - 1)], *begun]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _steady(samples: list[_Sample], events: int) -> tuple[_Sample, _Sample]:
    first = next(sample for sample in samples if sample.events >= STEADY[0] * events)
    last = next(sample for sample in samples if sample.events >= STEADY[1] * events)
    return first, last


def _memory_at(samples: list[_Sample], events: float) -> float:
    return next(sample.memory for sample in samples if sample.events >= events)


def _metrics_port(log: Path) -> int:
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{"):
            start = json.loads(line)
            if "metrics_port" in start:
                return int(start["metrics_port"])
    raise RuntimeError(f"the worker did not say its metrics port; see {log}")


def _stage_seconds(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        text = response.read().decode()
    stages: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if family.name == "tollstream_stage_seconds" and sample.name.endswith(("_sum", "_total")):
                stages[sample.labels["stage"]] = sample.value
    return stages


def _residual(client: Client, expected: Expected) -> Decimal:
    row = client.query(
        "SELECT sum(customer_charge), sum(provider_reward), sum(platform_fee), sum(builder_earnings) "
        "FROM usage_totals FINAL"
    ).result_rows[0]
    wanted = (expected.customer_charge, expected.provider_reward, expected.platform_fee, expected.builder_earnings)
    return sum((abs(Decimal(found) - right) for found, right in zip(row, wanted, strict=True)), Decimal(0))

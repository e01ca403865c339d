"""Real worker processes over an installation of their own: the building blocks of integration and chaos tests.

An installation is a topic epoch, a database, a consumer group, two books and a settings file; any number of them live
side by side on one broker and one store. A worker is `tollstream worker` in its own process, with everything an
operator or a crash can do to it.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
from prometheus_client.parser import text_string_to_metric_families

from deploy.embedded import tether
from gateway.emitter import Emitter
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.migrate import migrate
from topics.administration import create
from topics.catalogue import raw_topic_name

REPOSITORY = Path(__file__).parents[2]
PRICES = """
version = "test-prices-1"
effective_from = 2020-01-01T00:00:00Z
currency = "USD"
default_reward_share = "0.70"

[[prices]]
provider = "openai"
model = "gpt-5-mini"
[prices.meters]
input_tokens = { price = "0.25", per = 1_000_000 }
output_tokens = { price = "2", per = 1_000_000 }
"""
RULES = """
version = "test-rules-1"
effective_from = 2020-01-01T00:00:00Z

[[rules]]
id = "everybody"
kind = "markup"
percent = "25"
label = "AI usage"
unit = "token"
reason = "What the model costs, plus 25 %."
"""


@dataclass
class Installation:
    """Where the workers of one test read and write."""

    bootstrap_servers: str
    clickhouse_url: str
    folder: Path
    partitions: int = 4
    settings: dict[str, Any] = field(default_factory=dict)  # over the ones below
    topic_epoch: int = field(default_factory=lambda: random.randint(2, 65_535))
    name: str = field(default_factory=lambda: f"test_{uuid.uuid4().hex[:8]}")

    @property
    def topic(self) -> str:
        """The raw topic."""
        return raw_topic_name(self.topic_epoch)

    @property
    def settings_file(self) -> Path:
        """What the workers are started with."""
        return self.folder / "tollstream.toml"

    async def prepare(self) -> None:
        """Books, settings, topics and tables."""
        (self.folder / "prices.toml").write_text(PRICES, encoding="utf-8")
        (self.folder / "rules.toml").write_text(RULES, encoding="utf-8")
        self.write_settings()
        await create(self.bootstrap_servers, self.topic_epoch, self.partitions)
        migrate(ClickHouseConfiguration(self.clickhouse_url, database=self.name))

    def write_settings(self, **changes: Any) -> None:
        """Write the settings file, with these changes from now on."""
        self.settings |= changes
        values: dict[str, Any] = {
            "kafka_bootstrap_servers": self.bootstrap_servers,
            "clickhouse_url": self.clickhouse_url,
            "clickhouse_database": self.name,
            "consumer_group": self.name,
            "topic_epoch": self.topic_epoch,
            "partitions": self.partitions,
            "session_timeout_seconds": 6,
            "block_seconds": 0.2,
            "reconcile_seconds": 1,
            "metrics_port": 0,
            "prices": str(self.folder / "prices.toml"),
            "rules": str(self.folder / "rules.toml"),
        }
        chosen = values | self.settings  # None: not set, whatever it is above
        lines = [f"{name} = {json.dumps(value)}" for name, value in chosen.items() if value is not None]
        self.settings_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def emitter(self, **settings: Any) -> Emitter:
        """A gateway's emitter into the raw topic."""
        return Emitter(bootstrap_servers=self.bootstrap_servers, topic=self.topic, **settings)

    def worker(self, *, tag: str = "") -> WorkerProcess:
        """One more worker, started."""
        worker = WorkerProcess(self, self.folder / f"worker-{tag or uuid.uuid4().hex[:6]}.log")
        worker.start()
        return worker

    def rows(self, query: str) -> list[dict[str, Any]]:
        """An analyst's query, its tables without the database's name; values with full precision."""
        parts = urlsplit(self.clickhouse_url)
        client = clickhouse_connect.get_client(host=parts.hostname, port=parts.port, database=self.name)
        try:
            return list(client.query(query).named_results())
        finally:
            client.close()

    def next_offsets(self) -> dict[int, int]:
        """Of each partition with a checkpoint, up to where it is stored."""
        query = "SELECT source_partition, max(next_offset) AS next_offset FROM checkpoints GROUP BY source_partition"
        return {row["source_partition"]: row["next_offset"] for row in self.rows(query)}

    def totals(self) -> dict[str, Any]:
        """Events and amounts over all totals."""
        [row] = self.rows(
            "SELECT sum(ledger_rows) AS ledger_rows, sum(customer_charge) AS customer_charge, "
            "sum(provider_reward) AS provider_reward, sum(platform_fee) AS platform_fee, "
            "sum(builder_earnings) AS builder_earnings FROM usage_totals FINAL"
        )
        return row

    def wait_caught_up(self, ends: Mapping[int, int], *workers: WorkerProcess, seconds: float = 120.0) -> None:
        """Wait until everything before `ends` is stored; fails when time is up or one of `workers` has ended."""
        deadline = time.monotonic() + seconds
        while True:
            stored = self.next_offsets()
            if all(stored.get(partition, 0) >= end for partition, end in ends.items()):
                return
            for worker in workers:
                assert worker.exit_code is None, f"worker ended with {worker.exit_code}:\n{worker.log_text}"
            logs = "".join(worker.log_text for worker in workers)
            assert time.monotonic() < deadline, f"stored {stored} of {dict(ends)} after {seconds} s\n{logs}"
            time.sleep(0.1)


@dataclass
class WorkerProcess:
    """`tollstream worker` with the installation's settings file; its log is a file, its first line of output JSON."""

    installation: Installation
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again; does not wait."""
        assert self.process is None or self.exit_code is not None
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLSTREAM_")}
        environment |= {"TOLLSTREAM_CONFIG": str(self.installation.settings_file), "PYTHONPATH": str(REPOSITORY)}
        self._output = self.log.with_suffix(".out")
        with self.log.open("ab") as log, self._output.open("wb") as output:
            self.process = subprocess.Popen(
                # The tether ends it when the tests end, however they do.
                [
                    sys.executable,
                    tether.__file__,
                    str(os.getpid()),
                    sys.executable,
                    "-m",
                    "tollstream",
                    "worker",
                    "--json",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=environment,
                cwd=self.installation.folder,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self.process is not None
        return self.process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; -9 after SIGKILL."""
        assert self.process is not None
        return self.process.poll()

    @property
    def log_text(self) -> str:
        """What it has logged so far, over all its starts."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def facts(self, seconds: float = 90.0) -> dict[str, Any]:
        """Its line of JSON: worker, topic, group, metrics_port, books. Waits until it is in the group."""
        deadline = time.monotonic() + seconds
        while not (lines := self._output.read_text(encoding="utf-8").splitlines(keepends=True)):
            assert self.exit_code is None, f"ended with {self.exit_code}:\n{self.log_text}"
            assert time.monotonic() < deadline, self.log_text
            time.sleep(0.05)
        facts: dict[str, Any] = json.loads(lines[0])
        return facts

    def kill(self) -> None:
        """SIGKILL, and gone."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def terminate(self, seconds: float = 90.0) -> int:
        """SIGTERM, at whatever it is; the exit code: -15 while Python is still importing it."""
        assert self.process is not None
        if self.exit_code is None:
            self._signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def stop(self, seconds: float = 90.0) -> int:
        """SIGTERM once it listens; the exit code."""
        if self.exit_code is None:
            self.facts()
        return self.terminate(seconds)

    def wait_ended(self, seconds: float = 90.0) -> int:
        """The exit code, once it has ended by itself."""
        assert self.process is not None
        return self.process.wait(seconds)

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections, and does nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT: a zombie, if its session has run out."""
        self._signal(signal.SIGCONT)

    def metrics(self) -> dict[tuple[str, ...], float]:
        """A scrape: (sample name, *label values in the order of label names) -> value."""
        url = f"http://127.0.0.1:{self.facts()['metrics_port']}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
            return {
                (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
                for family in families
                for sample in family.samples
            }

    def metrics_once(self, condition: Callable[[dict[tuple[str, ...], float]], bool]) -> dict[tuple[str, ...], float]:
        """The first scrape for which `condition` holds."""
        deadline = time.monotonic() + 60
        while not condition(samples := self.metrics()):
            assert time.monotonic() < deadline, samples
            time.sleep(0.1)
        return samples

    def end(self) -> None:
        """For the end of a test: gone, whatever state it is in."""
        if self.process is not None and self.exit_code is None:
            self.process.kill()
            self.process.wait(10)

    def _signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

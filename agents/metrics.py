"""Every metric of ours, in one list: name, kind, labels, what it says, what is healthy, what to do if it is not.

The names are literal types, so one that is not declared does not type-check; `docs/metrics.md` is written from the list
(`python -m agents.metrics > docs/metrics.md`, a test compares). Units are in the names. No label ever holds a tenant.
The registry belongs to one process; besides these it has the process's own figures (memory, CPU, files).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client import start_http_server as serve

CounterName = Literal[
    "tollstream_records_total",
    "tollstream_events_total",
    "tollstream_dead_letters_total",
    "tollstream_corrections_total",
    "tollstream_unpriced_events_total",
    "tollstream_negative_earnings_events_total",
    "tollstream_fenced_blocks_total",
    "tollstream_alerts_published_total",
    "tollstream_alerts_tenants_total",
    "tollstream_alerts_passed_over_total",
]
GaugeName = Literal[
    "tollstream_owned_partitions",
    "tollstream_lag_records",
    "tollstream_stalled_seconds",
    "tollstream_reconciliation_residual",
    "tollstream_reconciliation_age_seconds",
    "tollstream_books_age_seconds",
    "tollstream_books_unusable",
    "tollstream_book_info",
    "tollstream_alerts_turn",
    "tollstream_alerts_look_age_seconds",
]
HistogramName = Literal[
    "tollstream_freshness_seconds",
    "tollstream_stage_seconds",
    "tollstream_block_records",
]

ProcessName = Literal["worker", "alerts"]  # whose figure it is: `tollstream worker` or `tollstream alerts`

STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
FRESHNESS_BUCKETS = (0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14_400, 86_400)
BLOCK_BUCKETS = (1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000, 100_000)


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the list; `help` says what is healthy and what to do otherwise (R1 to R9: docs/operators.md)."""

    name: CounterName | GaugeName | HistogramName
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    process: ProcessName = "worker"


METRICS: tuple[Metric, ...] = (
    Metric(
        "tollstream_records_total",
        "counter",
        (),
        "Kafka records stored and committed. Healthy: grows while producers send. Otherwise: R2.",
    ),
    Metric(
        "tollstream_events_total",
        "counter",
        ("outcome",),
        "Events stored and committed: accepted, duplicate or dead_lettered; their sum is every event read. "
        "Healthy: nearly all accepted; duplicates are retries and cost nothing. Otherwise: R6.",
    ),
    Metric(
        "tollstream_dead_letters_total",
        "counter",
        ("reason",),
        "Events that cannot be billed, by reason code. Healthy: near 0. Otherwise: R6.",
    ),
    Metric(
        "tollstream_corrections_total",
        "counter",
        ("kind",),
        "Accepted voids and adjustments. Healthy: what people asked for. Otherwise: find who publishes them.",
    ),
    Metric(
        "tollstream_unpriced_events_total",
        "counter",
        (),
        "Accepted events that wait for a price, a rule or a model. Healthy: 0. Otherwise: R5.",
    ),
    Metric(
        "tollstream_negative_earnings_events_total",
        "counter",
        (),
        "Events on which a Builder pays more than the customer does. Healthy: 0, or what `included` rules and caps "
        "intend. Otherwise: R8.",
    ),
    Metric(
        "tollstream_fenced_blocks_total",
        "counter",
        (),
        "Blocks dropped because Kafka had given the partitions to another worker. Healthy: 0, or a few at a "
        "rebalance; nothing is lost or doubled. Otherwise: pauses longer than session_timeout_seconds; look at the "
        "machine.",
    ),
    Metric(
        "tollstream_owned_partitions",
        "gauge",
        (),
        "Partitions this worker has loaded. Healthy: over all workers, the topic's number of them. Otherwise: R1.",
    ),
    Metric(
        "tollstream_lag_records",
        "gauge",
        ("partition",),
        "Records of an owned partition that are not stored yet. Healthy: under a block's worth. Otherwise: R2.",
    ),
    Metric(
        "tollstream_stalled_seconds",
        "gauge",
        (),
        "How long there has been lag without a block being stored; at stall_seconds the worker exits. "
        "Healthy: under 5. Otherwise: R7.",
    ),
    Metric(
        "tollstream_reconciliation_residual",
        "gauge",
        ("figure",),
        "Ledger minus totals of this worker's partitions over recent windows, compared as Decimals before they are "
        "exported: amounts (money), usage (quantities), rows (counts). Healthy: 0, always. Otherwise: R4, page.",
    ),
    Metric(
        "tollstream_reconciliation_age_seconds",
        "gauge",
        (),
        "Time since ledger and totals were last compared. Healthy: under twice reconcile_seconds while partitions are "
        "owned. Otherwise: R7.",
    ),
    Metric(
        "tollstream_books_age_seconds",
        "gauge",
        (),
        "Time since the published price books and rules were last read from the store. Healthy: under 20; at 50 the "
        "worker stops. Otherwise: R3.",
    ),
    Metric(
        "tollstream_books_unusable",
        "gauge",
        (),
        "Published versions that this worker cannot rate with, and that begin later: shortly before one does, the "
        "worker stops. Healthy: 0. Otherwise: R3.",
    ),
    Metric(
        "tollstream_book_info",
        "gauge",
        ("kind", "version"),
        "1 for every published version of prices and rules this worker has. Healthy: the same on all workers, 15 s "
        "after a publication. Otherwise: R3.",
    ),
    Metric(
        "tollstream_freshness_seconds",
        "histogram",
        (),
        "From a block's newest record entering Kafka to that block being committed. Healthy: 95 % under 5 s. "
        "Otherwise: R2.",
        FRESHNESS_BUCKETS,
    ),
    Metric(
        "tollstream_stage_seconds",
        "histogram",
        ("stage",),
        "What a block's stages take: decode, rate, admit, window, encode, ledger, dead_letters, totals, checkpoint, "
        "commit. Healthy: together under block_seconds. Otherwise: the stage that grew says where; ledger, totals and "
        "checkpoint are the store's (R7).",
        STAGE_BUCKETS,
    ),
    Metric(
        "tollstream_block_records",
        "histogram",
        (),
        "Records per block. Healthy: small while idle, near block_records while catching up. Otherwise: R2.",
        BLOCK_BUCKETS,
    ),
    Metric(
        "tollstream_alerts_turn",
        "gauge",
        (),
        "1 while this watcher publishes alerts, 0 while it stands by. Healthy: 1 over all watchers together. "
        "Otherwise: R9.",
        process="alerts",
    ),
    Metric(
        "tollstream_alerts_look_age_seconds",
        "gauge",
        (),
        "Time since the watcher that has the turn last looked at what has changed; 0 of others. Healthy: under 30, "
        "longer at its start, when it looks at everybody. Otherwise: R9.",
        process="alerts",
    ),
    Metric(
        "tollstream_alerts_published_total",
        "counter",
        ("kind",),
        "Alerts published: allowance, credit, cap. Healthy: what tenants use. Otherwise: of a burst of caps find out "
        "whether usage or a plan book has changed.",
        process="alerts",
    ),
    Metric(
        "tollstream_alerts_tenants_total",
        "counter",
        (),
        "Tenants looked at, each time. Healthy: grows while there is usage of Builders with plans or credits. "
        "Otherwise: R9.",
        process="alerts",
    ),
    Metric(
        "tollstream_alerts_passed_over_total",
        "counter",
        (),
        "Times that a tenant or Builder got no alerts because there is no balance. Healthy: 0. Otherwise: R9.",
        process="alerts",
    ),
)


class Metrics:
    """The list as live figures of one process: those that are its own."""

    def __init__(self, process: ProcessName = "worker") -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}
        for metric in METRICS:
            if metric.process != process:
                continue
            labels = list(metric.labels)
            if metric.kind == "counter":
                self._counters[metric.name] = Counter(metric.name, metric.help, labels, registry=self.registry)
            elif metric.kind == "gauge":
                self._gauges[metric.name] = Gauge(metric.name, metric.help, labels, registry=self.registry)
            else:
                self._histograms[metric.name] = Histogram(
                    metric.name, metric.help, labels, registry=self.registry, buckets=metric.buckets
                )

    def count(self, name: CounterName, amount: float, **labels: str) -> None:
        """Add to a counter; 0 makes it visible."""
        counter = self._counters[name]
        (counter.labels(**labels) if labels else counter).inc(amount)

    def set(self, name: GaugeName, value: float, **labels: str) -> None:
        """Set a gauge."""
        gauge = self._gauges[name]
        (gauge.labels(**labels) if labels else gauge).set(value)

    def follow(self, name: GaugeName, value: Callable[[], float]) -> None:
        """Let a gauge ask for its value at every scrape, so that it goes on when nothing else does."""
        self._gauges[name].set_function(value)

    def clear(self, name: GaugeName) -> None:
        """Forget all values of a gauge with labels."""
        self._gauges[name].clear()

    def observe(self, name: HistogramName, value: float, **labels: str) -> None:
        """Add an observation to a histogram."""
        histogram = self._histograms[name]
        (histogram.labels(**labels) if labels else histogram).observe(value)


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A scrape target in a thread of its own: it answers while the event loop is busy."""

    server: WSGIServer
    thread: threading.Thread

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server.server_port)

    def stop(self) -> None:
        """Close the port."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def start_server(metrics: Metrics, host: str, port: int) -> MetricsServer:
    """Answer scrapes on host:port, 0 for a free one. Raises OSError when the port is taken."""
    server, thread = serve(port, host, registry=metrics.registry)
    return MetricsServer(server, thread)


PAGE_HEAD = """# Metrics

Every worker answers Prometheus on `metrics_host:metrics_port` (127.0.0.1:9464), every watcher of alerts
(`tollstream_alerts_…`) on the port that `tollstream alerts --metrics-port` says. This page is written from
`agents/metrics.py`; R1 to R9 are the runbooks in [operators.md](operators.md). The process's own figures
(`process_resident_memory_bytes` and others) come with them. No label holds a tenant.

| metric | kind | labels | what it says, what is healthy, what to do |
|---|---|---|---|
"""


def page() -> str:
    """docs/metrics.md."""
    rows = (
        f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels) or 'none'} | {metric.help} |\n"
        for metric in METRICS
    )
    return PAGE_HEAD + "".join(rows)


if __name__ == "__main__":
    sys.stdout.write(page())

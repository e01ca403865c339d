"""What a worker has to be told, in one frozen object; the command line fills it from settings."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.clickhouse import ClickHouseConfiguration
    from sinks.contract import EpochParameters


def worker_name() -> str:
    """host:pid, as checkpoints and Kafka's group description show it."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, slots=True)
class WorkerConfiguration:
    """Durations are seconds, sizes bytes; defaults are those of `tollstream worker`."""

    bootstrap_servers: str
    store: ClickHouseConfiguration
    epoch: EpochParameters
    dead_letter_topic: str
    prices: Path | None = None  # a file or a folder of dated versions, published where the store lacks them
    rules: Path | None = None
    meters: Path | None = None
    consumer_group: str = "tollstream-meter"
    worker: str = field(default_factory=worker_name)
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464  # 0 takes a free one
    session_timeout_seconds: int = 12
    fetch_bytes: int = 4 * 1024 * 1024  # per partition and request
    block_records: int = 50_000
    block_bytes: int = 24 * 1024 * 1024
    block_seconds: float = 1.0
    flush_seconds_max: float = 60.0
    revoke_seconds_max: float = 20.0  # how long a rebalance may wait for the block in flight
    stall_seconds: float = 60.0
    reconcile_seconds: float = 30.0
    dead_letter_percent_max: int = 100  # of the last 100,000 events; 100 never stops

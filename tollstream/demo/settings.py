"""The demonstration's own settings: a tollstream.toml in its data folder, used by its workers and by whoever looks on.

Shorter waits than in production: a killed worker's partitions are to be taken over while somebody is watching.
"""

from __future__ import annotations

import json
from pathlib import Path

from deploy.embedded.stack import Endpoints

FILE_NAME = "tollstream.toml"
DATABASE = "tollstream"
CONSUMER_GROUP = "tollstream-meter"
TOPIC_EPOCH = 1
PARTITIONS = 8
WINDOW_SECONDS = 3600
SESSION_TIMEOUT_SECONDS = 6


def write_settings(path: Path, endpoints: Endpoints, prices: Path, rules: Path) -> None:
    """Write the file."""
    values: dict[str, str | int | float] = {
        "kafka_bootstrap_servers": endpoints.bootstrap_servers,
        "clickhouse_url": endpoints.clickhouse_url,
        "clickhouse_database": DATABASE,
        "consumer_group": CONSUMER_GROUP,
        "topic_epoch": TOPIC_EPOCH,
        "partitions": PARTITIONS,
        "window_seconds": WINDOW_SECONDS,
        "session_timeout_seconds": SESSION_TIMEOUT_SECONDS,
        "block_seconds": 0.5,
        "reconcile_seconds": 5,
        "metrics_port": 0,
        "prices": str(prices),
        "rules": str(rules),
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]  # JSON strings are TOML strings
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

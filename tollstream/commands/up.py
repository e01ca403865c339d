"""`tollstream up`: the embedded Kafka and ClickHouse, until somebody stops them."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import click

from deploy.embedded.stack import EmbeddedStack

EXAMPLES = """
\b
Examples:
  tollstream up
  tollstream up --data /tmp/stack --kafka-port 0 --clickhouse-port 0 --json
"""
WATCH_SECONDS = 0.5
DEFAULT_DATA = Path(".tollstream/stack")


class Stopped(BaseException):
    """SIGINT or SIGTERM, wherever the main thread stands; no handler for errors may take it for one."""


@click.command("up", epilog=EXAMPLES)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DATA,
    show_default=True,
    help="Folder of data and logs; it survives restarts, and one stack at a time can use it.",
)
@click.option(
    "--kafka-port", type=click.IntRange(0, 65_535), default=29_092, show_default=True, help="0 = any free one."
)
@click.option(
    "--clickhouse-port", type=click.IntRange(0, 65_535), default=18_123, show_default=True, help="0 = any free one."
)
@click.option(
    "--json", "as_json", is_flag=True, help="When ready, print one line of JSON: endpoints, pids, data folder."
)
def command(data: Path, kafka_port: int, clickhouse_port: int, as_json: bool) -> int:
    """Start a real Kafka broker and a real ClickHouse engine on this machine's loopback, and stay.

    Both are ready when this says so. Ctrl-C (or SIGTERM) stops them cleanly; they never outlive this process. The
    first start fetches Kafka (45 MB). Nothing is installed on the machine; there is no Docker and no root in it.
    """
    before = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _serve(EmbeddedStack(data, kafka_port=kafka_port, clickhouse_port=clickhouse_port), as_json=as_json)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _serve(stack: EmbeddedStack, *, as_json: bool) -> int:
    try:
        if not as_json:
            click.echo(f"Starting Kafka and ClickHouse, data in {stack.data_dir} …", err=True)
        stack.start()
        click.echo(json.dumps(_facts(stack)) if as_json else _text(stack))
        while True:
            failure = stack.failure()
            if failure is not None:
                raise failure
            threading.Event().wait(WATCH_SECONDS)
    except Stopped:
        if not as_json:
            click.echo("Stopping …", err=True)
        return 0
    finally:
        # From here on a second Ctrl-C must not leave the servers half stopped.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()


def _facts(stack: EmbeddedStack) -> dict[str, Any]:
    return {
        "kafka_bootstrap_servers": stack.endpoints.bootstrap_servers,
        "clickhouse_url": stack.endpoints.clickhouse_url,
        "kafka_pid": stack.kafka.pid,
        "clickhouse_pid": stack.clickhouse.pid,
        "data": str(stack.data_dir),
    }


def _text(stack: EmbeddedStack) -> str:
    facts = _facts(stack)
    return "\n".join(
        (
            f"Kafka       {facts['kafka_bootstrap_servers']}",
            f"ClickHouse  {facts['clickhouse_url']}    curl '{facts['clickhouse_url']}' --data 'SELECT version()'",
            f"Logs        {stack.data_dir / 'logs'}",
            "Ready. Ctrl-C stops both.",
        )
    )


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped

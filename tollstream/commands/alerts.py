"""`tollstream alerts`: publish each threshold that a tenant passes, once."""

from __future__ import annotations

import asyncio
import json
import logging
import signal

import click

from tollstream.errors import UserError
from tollstream.settings import Settings, load_settings
from tollstream.store import clickhouse_configuration

EPILOG = """\b
Examples:
  tollstream alerts
  tollstream alerts --once --json
"""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
METRICS_PORT = 9465


@click.command("alerts", epilog=EPILOG)
@click.option("--once", is_flag=True, help="Look at everybody once, publish what is new, and end: for cron.")
@click.option("--poll-seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True, help="Between looks.")
@click.option(
    "--metrics-port",
    type=click.IntRange(0, 65_535),
    default=METRICS_PORT,
    show_default=True,
    help="Port for Prometheus; 0 takes a free one.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON: what runs, or with --once what was done."
)
def command(once: bool, poll_seconds: float, metrics_port: int, as_json: bool) -> int:
    """Publish an alert on usage.alerts whenever a tenant passes 50, 80 or 100 % of an allowance, a credit or a cap.

    Each crossing is published exactly once, through crashes and restarts. Any number of watchers may run: one of them
    looks, the others stand by and take over within seconds. After the first look only tenants whose usage, plans or
    credits have changed are looked at. Runs until SIGTERM or Ctrl-C; the log goes to stderr.

    \b
    Exit code 0: stopped as asked, or --once and everything is published.
    Exit code 2: a sentence says what to mend; nothing is published twice,
    whoever runs it again.
    """
    settings = load_settings()
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    asyncio.run(_run(settings, once, poll_seconds, metrics_port, as_json))
    return 0


async def _run(settings: Settings, once: bool, poll_seconds: float, metrics_port: int, as_json: bool) -> None:
    from agents.metrics import Metrics, start_server
    from sinks.clickhouse.client import Client
    from tollstream.alerts.watcher import Watcher, WatcherConfiguration

    client = await asyncio.to_thread(Client.connect, clickhouse_configuration(settings))
    metrics = Metrics("alerts")
    configuration = WatcherConfiguration(
        settings.kafka_bootstrap_servers,
        settings.alerts_topic,
        poll_seconds=poll_seconds,
        session_seconds=settings.session_timeout_seconds,
    )
    watcher = Watcher(configuration, client, metrics)
    try:
        if once:
            report = await watcher.once()
            if as_json:
                click.echo(json.dumps({"tenants": report.tenants, "published": report.published}))
            else:
                click.echo(f"{report.published:,} alerts published, {report.tenants:,} tenants looked at.")
            return
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        try:
            server = start_server(metrics, settings.metrics_host, metrics_port)
        except OSError as error:
            raise UserError(
                f"Metrics cannot be answered on {settings.metrics_host}:{metrics_port} ({error}): give each process of "
                "a machine a --metrics-port of its own, or 0 for any free one."
            ) from error
        try:
            await watcher.run(stop, lambda: _say(configuration.topic, server.port, as_json))
        finally:
            server.stop()
    finally:
        client.close()


def _say(topic: str, port: int, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"topic": topic, "metrics_port": port}))
    logging.getLogger(__name__).info("watching for %s; metrics on port %d", topic, port)

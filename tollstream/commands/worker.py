"""`tollstream worker`: one worker in this process, until it is told to stop."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from agents.configuration import WorkerConfiguration
from sinks.contract import EpochParameters
from tollstream.settings import Settings, load_settings
from tollstream.store import clickhouse_configuration
from topics.catalogue import DEAD_LETTER_TOPIC, raw_topic_name

EXAMPLES = """
\b
Examples:
  tollstream worker
  tollstream worker --prices books/prices --rules books/rules \\
      --metrics-port 0 --json
"""
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@click.command("worker", epilog=EXAMPLES)
@click.option("--prices", type=click.Path(path_type=Path), help="Price books to publish if the store lacks them.")
@click.option("--rules", type=click.Path(path_type=Path), help="Rule books to publish if the store lacks them.")
@click.option("--metrics-port", type=click.IntRange(0, 65_535), help="Port for Prometheus; 0 takes a free one.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once this worker is in the group.")
def command(prices: Path | None, rules: Path | None, metrics_port: int | None, as_json: bool) -> int:
    """Decode, admit, rate and store usage events, until SIGTERM or Ctrl-C.

    One worker uses about one core; start more of them, up to one per partition, each with a metrics port of its own.
    They share the partitions, and take over each other's when one ends. The log goes to stderr.

    It rates with the prices and rules that are published in the store, and follows what is published while it runs.
    Files are not needed for that: a version in --prices or --rules that the store does not have is published first,
    as with `tollstream prices publish` and `tollstream rules publish`.

    \b
    Exit code 0: stopped as asked, everything in hand stored and committed.
    Exit code 1: something failed that a new start may mend; nothing is lost.
    Run it under a supervisor.
    Exit code 2: refused to start, with a sentence that says what to mend.
    """
    configuration = configuration_from(load_settings(prices=prices, rules=rules, metrics_port=metrics_port))
    _log_to_stderr()
    from agents.worker import Started, run_worker  # the engine takes a second to import: not before --help

    def started(facts: Started) -> None:
        if as_json:
            books = [{"kind": kind, "version": version} for kind, version in facts.books]
            line = {
                "worker": facts.worker,
                "topic": facts.topic,
                "group": facts.group,
                "metrics_port": facts.metrics_port,
                "books": books,
            }
            click.echo(json.dumps(line))
        logging.getLogger("tollstream").info(
            "worker %s reads %s in group %s; metrics on port %d",
            facts.worker,
            facts.topic,
            facts.group,
            facts.metrics_port,
        )

    return run_worker(configuration, started)


def configuration_from(settings: Settings) -> WorkerConfiguration:
    """What these settings mean for a worker."""
    return WorkerConfiguration(
        bootstrap_servers=settings.kafka_bootstrap_servers,
        store=clickhouse_configuration(settings),
        epoch=EpochParameters(
            topic_epoch=settings.topic_epoch,
            topic=raw_topic_name(settings.topic_epoch),
            partitions=settings.partitions,
            window_seconds=settings.window_seconds,
            dedup_horizon_seconds=settings.dedup_horizon_seconds,
            future_skew_seconds=settings.future_skew_seconds,
        ),
        prices=settings.prices,
        rules=settings.rules,
        meters=settings.meters,
        dead_letter_topic=DEAD_LETTER_TOPIC,
        consumer_group=settings.consumer_group,
        metrics_host=settings.metrics_host,
        metrics_port=settings.metrics_port,
        session_timeout_seconds=settings.session_timeout_seconds,
        block_records=settings.block_records,
        block_seconds=settings.block_seconds,
        flush_seconds_max=float(settings.flush_seconds_max),
        stall_seconds=float(settings.stall_seconds),
        reconcile_seconds=float(settings.reconcile_seconds),
        dead_letter_percent_max=settings.dead_letter_percent_max,
    )


def _log_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    for chatty in ("aiokafka", "faust", "mode"):
        logging.getLogger(chatty).setLevel(logging.WARNING)

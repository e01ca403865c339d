"""`tollstream topics`: the Kafka topics."""

from __future__ import annotations

import asyncio
import json

import click
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.pins import read_epoch
from sinks.errors import SinkTerminalError, SinkTransientError
from tollstream.settings import Settings, load_settings
from tollstream.store import clickhouse_configuration
from topics import administration
from topics.administration import Plan, RecordedEpoch
from topics.catalogue import topic_specs

_servers = click.option("--bootstrap-servers", help="Kafka brokers; default: the setting kafka_bootstrap_servers.")
_partitions = click.option("--partitions", type=int, help="Partitions of the raw topic; default: the setting.")
_epoch = click.option("--epoch", type=int, help="Topic epoch; default: the setting topic_epoch.")
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("topics", epilog="Example: tollstream topics create")
def command() -> None:
    """Create and check the Kafka topics."""


@command.command("create", epilog="Example: tollstream topics create --partitions 8 --json")
@_servers
@_partitions
@_epoch
@_json
def create_command(bootstrap_servers: str | None, partitions: int | None, epoch: int | None, as_json: bool) -> None:
    """Create the topics that are missing. Safe to run again.

    Refused, with nothing done: fewer partitions, a changed number of partitions without a new epoch, records not
    stamped by the broker, a raw topic that is compacted.
    """
    settings = load_settings(kafka_bootstrap_servers=bootstrap_servers, partitions=partitions, topic_epoch=epoch)
    plan = asyncio.run(
        administration.create(
            settings.kafka_bootstrap_servers,
            settings.topic_epoch,
            settings.partitions,
            recorded=_recorded(settings),
            alerts_topic=settings.alerts_topic,
        )
    )
    if as_json:
        click.echo(json.dumps(_plan(plan)))
        return
    for spec in plan.create:
        click.echo(f"created {spec.name} with {spec.partitions} partitions")
    for note in plan.notes:
        click.echo(note)
    click.echo(
        f"{len(plan.create) + len(plan.unchanged)} topics are as they should be, {len(plan.create)} of them new."
    )


@command.command("show", epilog="Example: tollstream topics show --json")
@_servers
@_partitions
@_epoch
@_json
@click.pass_context
def show_command(
    context: click.Context, bootstrap_servers: str | None, partitions: int | None, epoch: int | None, as_json: bool
) -> None:
    """Compare the topics with what they should be. Exit code 1 when one is missing or wrong."""
    settings = load_settings(kafka_bootstrap_servers=bootstrap_servers, partitions=partitions, topic_epoch=epoch)
    wanted = topic_specs(settings.topic_epoch, settings.partitions, settings.alerts_topic)
    existing = asyncio.run(administration.inspect(settings.kafka_bootstrap_servers, [spec.name for spec in wanted]))
    plan = administration.plan(wanted, existing, _recorded(settings))
    if as_json:
        click.echo(json.dumps(_plan(plan)))
    else:
        found = {topic.name: topic for topic in existing}
        table = Table(title=f"Topics at {settings.kafka_bootstrap_servers}", title_justify="left")
        for heading in ("topic", "partitions", "wanted", "retention.ms", "timestamps", "state"):
            table.add_column(heading)
        for spec in wanted:
            topic = found.get(spec.name)
            wrong = any(refusal.startswith(spec.name) for refusal in plan.refusals)
            state = "[bold red]missing[/]" if topic is None else "[bold red]wrong[/]" if wrong else "right"
            given = {} if topic is None else topic.settings
            table.add_row(
                spec.name,
                "" if topic is None else str(topic.partitions),
                str(spec.partitions),
                given.get("retention.ms", ""),
                given.get("message.timestamp.type", ""),
                state,
            )
        Console().print(table)
        for sentence in (*plan.refusals, *plan.notes):
            click.echo(sentence)
    context.exit(1 if plan.create or plan.refusals else 0)


def _recorded(settings: Settings) -> RecordedEpoch | None:
    """What the store has pinned for the epoch; None where it cannot be asked: topics come before the store."""
    try:
        client = Client.connect(clickhouse_configuration(settings))
    except (SinkTransientError, SinkTerminalError):
        return None
    try:
        pinned = read_epoch(client, settings.topic_epoch)
    except (SinkTransientError, SinkTerminalError):
        return None
    finally:
        client.close()
    return None if pinned is None else RecordedEpoch(pinned.topic_epoch, pinned.topic, pinned.partitions)


def _plan(plan: Plan) -> dict[str, object]:
    return {
        "create": [spec.name for spec in plan.create],
        "unchanged": list(plan.unchanged),
        "notes": list(plan.notes),
        "refusals": list(plan.refusals),
    }

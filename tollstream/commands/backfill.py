"""`tollstream backfill`: let events in that are older than the deduplication horizon, for a reason and on record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.contract import BackfillGrant
from sinks.grants import LEAD, record_backfill_grant
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

Answer = TypeVar("Answer")
MARGIN = timedelta(seconds=10)  # between asking for the earliest moment and the store's answer


class Moment(click.ParamType):
    """RFC 3339 with an offset."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no time: write RFC 3339, such as 2026-01-31T00:00:00Z", param, ctx)
        if moment.utcoffset() is None:
            whole = value if "T" in str(value) else f"{value}T00:00:00"
            self.fail(f"{value!r} has no offset: write {whole}Z if it is UTC", param, ctx)
        return moment


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("backfill", epilog="Example: tollstream backfill list")
def command() -> None:
    """Grant exceptions from the deduplication horizon. Every grant names who, why, a source and a range, for ever."""


@command.command(
    "grant",
    epilog="\b\nExample: tollstream backfill grant --source /gateway/7 \\\n"
    "             --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --by ada \\\n"
    "             --why 'disk of gateway 7 restored, ticket 812'",
)
@click.option("--source", required=True, help="The events' CloudEvents source.")
@click.option("--from", "event_time_from", type=Moment(), required=True, help="Event times from here on,")
@click.option("--to", "event_time_to", type=Moment(), required=True, help="and before this.")
@click.option("--by", "granted_by", required=True, help="Who grants it.")
@click.option("--why", "reason", required=True, help="The reason, for whoever audits it.")
@click.option("--valid-from", type=Moment(), help="Records appended from here on; default: as soon as allowed.")
@click.option("--valid-hours", type=click.IntRange(1, 24 * 31), default=24, show_default=True, help="For how long.")
@as_json
def grant_command(
    source: str,
    event_time_from: datetime,
    event_time_to: datetime,
    granted_by: str,
    reason: str,
    valid_from: datetime | None,
    valid_hours: int,
    as_json: bool,
) -> None:
    """Let events of a source, with times in a range, in although they are too late. Publish them once it is valid.

    It becomes valid a good minute after it is recorded, so that every worker knows it before the first such event.
    """
    start = valid_from or (datetime.now(UTC) + LEAD + MARGIN).replace(microsecond=0)
    grant = asyncio.run(
        _with_sink(
            clickhouse_configuration(load_settings()),
            lambda sink: record_backfill_grant(
                sink,
                source=source,
                event_time_from=event_time_from,
                event_time_to=event_time_to,
                valid_from=start,
                valid_to=start + timedelta(hours=valid_hours),
                granted_by=granted_by,
                reason=reason,
            ),
        )
    )
    if as_json:
        click.echo(json.dumps(_plain(grant)))
    else:
        click.echo(
            f"Granted as {grant.grant_id}: records appended from {grant.valid_from.isoformat()} to "
            f"{grant.valid_to.isoformat()}."
        )


@command.command("list", epilog="Example: tollstream backfill list --json")
@as_json
def list_command(as_json: bool) -> None:
    """Show every grant ever made."""
    grants = asyncio.run(
        _with_sink(clickhouse_configuration(load_settings()), lambda sink: sink.read_backfill_grants())
    )
    if as_json:
        click.echo(json.dumps([_plain(grant) for grant in grants]))
        return
    table = Table(title=f"{len(grants)} backfill grants", title_justify="left")
    for heading in ("source", "event times", "valid for records of", "by", "why"):
        table.add_column(heading)
    for grant in grants:
        table.add_row(
            grant.source,
            f"{grant.event_time_from.isoformat()} to {grant.event_time_to.isoformat()}",
            f"{grant.valid_from.isoformat()} to {grant.valid_to.isoformat()}",
            grant.granted_by,
            grant.reason,
        )
    Console().print(table)


async def _with_sink(
    configuration: ClickHouseConfiguration, ask: Callable[[ClickHouseSink], Awaitable[Answer]]
) -> Answer:
    sink = await ClickHouseSink.connect(configuration)
    try:
        return await ask(sink)
    finally:
        await sink.close()


def _plain(grant: BackfillGrant) -> dict[str, str]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(grant).items()}

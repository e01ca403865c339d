"""`tollstream grants list`: credits on record, and what is left of them."""

from __future__ import annotations

import json
from decimal import Decimal

import click
from rich.console import Console

from billing.credits import GrantBalance
from sinks.agreements import GrantRecord
from sinks.clickhouse.readers.credits import CreditScope
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import LAST_TENANT
from tollstream.agreements.layout import grant_row, plain
from tollstream.closing.periods import closed
from tollstream.closing.steps import read_entries
from tollstream.closing.store import with_statements
from tollstream.publishing.layout import add, say, table

EVERY_PLACE = 2**32 - 1


@click.command("list", epilog="Example: tollstream grants list acme/globex")
@click.argument("whose", metavar="BUILDER[/TENANT]")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="So many rows.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array: all of them, amounts as strings.")
def command(whose: str, limit: int, as_json: bool) -> None:
    """List credits, newest first, with what closed statements have drawn of them; who granted them and why."""
    builder, _, tenant = whose.partition("/")

    async def ask(store: ClickHouseStatementStore) -> tuple[list[GrantRecord], dict[str, list[GrantBalance]]]:
        done = tuple(entry.closing_id for entry in closed(await read_entries(store, builder)))
        within = (tenant, tenant) if tenant else ("", LAST_TENANT)
        balances = await store.read_balances(CreditScope(builder, EVERY_PLACE, done), within)
        return await store.read_grants(builder, tenant), balances

    records, balances = with_statements(ask)
    used = {(name, each.grant.id): each.used for name, some in balances.items() for each in some}
    rows = [(record, used.get((record.grant.tenant, record.grant.id), Decimal(0))) for record in records]
    if as_json:
        told = [grant_row(record) | {"used": plain(gone)} for record, gone in rows]
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    console = Console()
    if not rows:
        say(console, f"{whose} has no credits: `tollstream grants add` grants them.")
        return
    shown = table("", "tenant", "id", "granted", "used", "from", "until", "by", "why")
    for record, gone in rows[:limit]:
        grant = record.grant
        what = f"{plain(grant.quantity)} {grant.unit or grant.currency}, {grant.kind.replace('_', '-')}"
        since, until = (f"{each:%Y-%m-%d}" if each else "" for each in (grant.granted_at, grant.expires_at))
        add(shown, grant.tenant, grant.id, what, plain(gone), since, until, record.recorded_by, record.reason)
    console.print(shown)
    if len(rows) > limit:
        say(console, f"and {len(rows) - limit:,} more: --limit shows them, --json has all.")

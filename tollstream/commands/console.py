"""`tollstream console`: the web page for people, and the tokens that open it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.console import tokens
from tollstream.console.access import Role
from tollstream.console.figures import machine_time, time
from tollstream.console.serving import serve
from tollstream.console.tokens import Token
from tollstream.console.view import utc_now
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration
from topics.meters import load_catalogue

T = TypeVar("T")
EPILOG = """\b
Example: tollstream console token create --role operator --label ana \\
             --by ana --reason "first token"
         tollstream console
"""


@click.group("console", invoke_without_command=True, epilog=EPILOG)
@click.option("--host", help="Address to listen on; default 127.0.0.1, which nobody else reaches.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one.")
@click.option("--https", is_flag=True, help="A proxy in front speaks HTTPS: cookies go nowhere else.")
@click.pass_context
def command(context: click.Context, /, host: str | None, port: int | None, https: bool) -> None:
    """Show statements, usage, earnings and payouts on a web page, and explain each cent down to its events.

    A token opens what its role may see: an operator everything, a Builder and a tenant their own. Nothing is changed
    through the console.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load_settings(console_host=host, console_port=port)
    asyncio.run(
        serve(
            clickhouse_configuration(settings),
            load_catalogue(settings.meters),
            settings.console_host,
            settings.console_port,
            https=https,
            say=click.echo,
        )
    )


@command.group("token", epilog="Example: tollstream console token list --json")
def token() -> None:
    """Create, list and revoke the tokens that open the console."""


@token.command(
    "create",
    epilog="\b\nExample: tollstream console token create --role builder --builder acme \\\n"
    "             --label 'Acme finance' --expires 90d --by ana \\\n"
    "             --reason 'monthly payouts'",
)
@click.option("--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may see.")
@click.option("--builder", default="", help="Of a Builder's or a tenant's token: which Builder.")
@click.option("--tenant", default="", help="Of a tenant's token: which tenant of the Builder.")
@click.option("--label", required=True, help="Who or what uses it.")
@click.option("--expires", default="90d", show_default=True, help="90d, 12h, a day (UTC) such as 2027-01-31, or never.")
@click.option("--by", required=True, help="Who creates it.")
@click.option("--reason", required=True, help="Why, for whoever audits it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(role: str, builder: str, tenant: str, label: str, expires: str, by: str, reason: str, as_json: bool) -> None:
    """Create a token and print it, this once: the store keeps its hash alone."""
    expires_at = tokens.expiry(expires, utc_now())
    made, record = _with_store(
        lambda store: tokens.create(
            store, Role(role), builder, tenant, label=label, expires_at=expires_at, by=by, reason=reason
        )
    )
    if as_json:
        click.echo(json.dumps({"token": made, **_record(Token(record, None))}))
        return
    until = f"until {time(record.expires_at)}" if record.expires_at else "for ever"
    click.echo(f"Token {record.token_id} opens the console {until}. It is shown this once:\n\n{made}")


@token.command("list", epilog="Example: tollstream console token list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List every token that was ever created: whose, since when, and whether it still opens anything."""
    found = _with_store(tokens.listed)
    if as_json:
        click.echo(json.dumps([_record(each) for each in found]))
        return
    if not found:
        click.echo("No token was created yet.")
        return
    table = Table(title="Tokens of the console", title_justify="left")
    for heading in ("id", "role", "Builder", "tenant", "label", "created", "expires", "state"):
        table.add_column(heading, overflow="fold")
    for each in found:
        of = each.record
        expires = time(of.expires_at) if of.expires_at else "never"
        created = f"{time(of.recorded_at)}, by {of.recorded_by}"
        table.add_row(of.token_id, of.role, of.builder, of.tenant, of.label, created, expires, each.state(utc_now()))
    Console().print(table)


@token.command(
    "revoke",
    epilog="\b\nExample: tollstream console token revoke 3f9a0c1b2d4e --by ana \\\n"
    "             --reason 'left the company'",
)
@click.argument("token_id")
@click.option("--by", required=True, help="Who revokes it.")
@click.option("--reason", required=True, help="Why, for whoever audits it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def revoke(token_id: str, by: str, reason: str, as_json: bool) -> None:
    """Revoke a token: from the next request on it opens nothing."""
    record = _with_store(lambda store: tokens.revoke(store, token_id, by=by, reason=reason))
    if as_json:
        click.echo(json.dumps({"id": record.token_id, "state": "revoked", "by": by, "reason": reason}))
    else:
        click.echo(f"Token {token_id} ({record.label}) is revoked.")


def _record(each: Token) -> dict[str, Any]:
    of, revoked = each.record, each.revoked
    return {
        "id": of.token_id,
        "role": str(of.role),
        "builder": of.builder,
        "tenant": of.tenant,
        "label": of.label,
        "created_at": machine_time(of.recorded_at),
        "created_by": of.recorded_by,
        "reason": of.reason,
        "expires_at": machine_time(of.expires_at) if of.expires_at else None,
        "state": each.state(utc_now()),
        "revoked_by": revoked.recorded_by if revoked else None,
    }


def _with_store(do: Callable[[ClickHouseStatementStore], Awaitable[T]]) -> T:
    async def run() -> T:
        store = await ClickHouseStatementStore.connect(clickhouse_configuration(load_settings()))
        try:
            return await do(store)
        finally:
            await store.close()

    return asyncio.run(run())

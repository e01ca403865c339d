"""`tollstream balance`: allowance, credits and spend so far, per tenant, in the period that runs."""

from __future__ import annotations

import asyncio
import json
from functools import partial

import click

from sinks.clickhouse.client import Client
from tollstream.balances.document import balance_record, outlook_record
from tollstream.balances.outlook import Outlook
from tollstream.balances.reading import Balance, LiveBalances
from tollstream.balances.text import builder_text, tenant_text
from tollstream.errors import UserError
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

SHOWN = 50
EPILOG = """\b
Example: tollstream balance acme/globex
         tollstream balance acme --json
"""


class UnknownTenantError(UserError):
    """A Builder or tenant of whom nothing is known."""


@click.command("balance", epilog=EPILOG)
@click.argument("who", metavar="BUILDER[/TENANT]")
@click.option(
    "--limit", type=click.IntRange(1), default=SHOWN, show_default=True, help="Of a Builder: so many tenants."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: everything, amounts as strings.")
def command(who: str, limit: int, as_json: bool) -> None:
    """Show allowances, credits, cap and spend so far, by the arithmetic that will close the period.

    The balance is the statement that would be issued if nothing more came in: plans, tiers, allowances, credits and
    caps as a closing counts them. Periods that are over and not closed yet are counted first, for what they draw of
    credits is gone. Usage is as fresh as the totals; usage that waits for a price is not in it.
    """
    outlook, found, everybody = asyncio.run(_read(who, None if as_json else limit))
    if as_json:
        one = "/" in who
        tenants = [balance_record(balance, lines=one) for balance in found]
        click.echo(json.dumps(outlook_record(outlook) | (tenants[0] if one else {"tenants": tenants})))
        return
    bold = partial(click.style, bold=True)
    if "/" in who:
        click.echo(tenant_text(outlook, found[0], emphasis=bold))
    else:
        click.echo(builder_text(outlook, found, everybody - len(found), emphasis=bold))


async def _read(who: str, limit: int | None) -> tuple[Outlook, list[Balance], int]:
    builder, slash, tenant = who.partition("/")
    if not builder or (slash and not tenant):
        raise UnknownTenantError(f"{who!r} names nobody: write BUILDER or BUILDER/TENANT, such as acme/globex.")
    client = await asyncio.to_thread(Client.connect, clickhouse_configuration(load_settings()))
    try:
        balances = LiveBalances(client)
        outlook = await balances.outlook(builder)
        known = [tenant] if slash else await balances.tenants(outlook)
        reading = balances.read_all if not slash and limit is None else balances.read
        found = [balance async for portion in reading(outlook, known[:limit]) for balance in portion]
        if slash and not _is_known(found[0]):
            raise UnknownTenantError(
                f"{who} has neither usage nor credits nor a plan in {outlook.running.label}: check both names; "
                f"`tollstream balance {builder}` lists who has."
            )
        return outlook, found, len(known)
    finally:
        client.close()


def _is_known(balance: Balance) -> bool:
    given = balance.given
    return bool(given.usage or given.grants or given.segments or given.earlier)

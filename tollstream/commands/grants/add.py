"""`tollstream grants add`: a credit for a tenant, on record."""

from __future__ import annotations

import json
from datetime import datetime
from uuid import uuid4

import click

from billing.credits import PRIORITY, Grant
from billing.errors import BillingError
from sinks.agreements import GrantRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.grants import (
    KINDS,
    GrantRefusedError,
    Outcome,
    amount,
    charge_currency,
    made,
    record_grant,
    refuse_unknown_unit,
    top_up_of,
)
from tollstream.agreements.layout import grant_row, plain
from tollstream.agreements.who import by_option, reason_option, who
from tollstream.closing.agreed import read_agreements
from tollstream.closing.store import with_statements
from tollstream.commands.backfill import Moment
from tollstream.payouts.refusal import one_line
from tollstream.settings import load_settings
from topics.meters import load_catalogue

EPILOG = """\b
Example: tollstream grants add acme/globex --top-up tasks-500 \\
             --id order-7113 --by ada --reason 'order 7113'
         tollstream grants add acme/globex --kind prepaid --quantity 200 \\
             --price 200 --settled --reason 'invoice 9'
         tollstream grants add acme/globex --kind goodwill --quantity 50 \\
             --unit tasks --expires 2027-01-01T00:00:00Z \\
             --reason 'outage of 12 October'
"""


@click.command("add", epilog=EPILOG)
@click.argument("tenant", metavar="BUILDER/TENANT")
@click.option("--top-up", "top_up_id", help="What the tenant bought, of its plan's top-ups.")
@click.option("--kind", type=click.Choice(KINDS), help="Or what it is,")
@click.option("--quantity", metavar="NUMBER", help="how much,")
@click.option("--unit", default="", help="of which meter; without: money, in the currency of the plans,")
@click.option("--price", default="0", show_default=True, help="and what the tenant pays for it.")
@click.option("--currency", help="Of money and price, where the Builder has no plans.")
@click.option("--expires", type=Moment(), help="Until when it may be used; default: for ever.")
@click.option("--granted-at", type=Moment(), help="Since when; default: now.")
@click.option("--priority", type=int, default=PRIORITY, show_default=True, help="Smaller ones are used first.")
@click.option("--funding", type=click.Choice(["builder", "platform"]), default="builder", show_default=True)
@click.option("--settled", is_flag=True, help="The price was collected already: no statement asks for it.")
@click.option("--label", default="", help="In the words of the customer.")
@click.option("--id", "grant_id", help="Unique within the tenant: granting it twice is granting it once.")
@by_option
@reason_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    tenant: str,
    top_up_id: str | None,
    kind: str | None,
    quantity: str | None,
    unit: str,
    price: str,
    currency: str | None,
    expires: datetime | None,
    granted_at: datetime | None,
    priority: int,
    funding: str,
    settled: bool,
    label: str,
    grant_id: str | None,
    by: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Grant a credit to a tenant. It stands for ever; what is left of it is what statements have not drawn.

    Give it an --id of your own, such as that of the order: then a command that is repeated grants nothing twice.
    """
    builder, slash, name = tenant.partition("/")
    if not (slash and builder and name):
        raise GrantRefusedError(f"{tenant!r} is no BUILDER/TENANT.")
    if (top_up_id is None) == (kind is None):
        raise GrantRefusedError("Say what is granted: --top-up ID, or --kind and --quantity.")
    if kind is not None and quantity is None:
        raise GrantRefusedError("--quantity is missing: how much is granted?")
    recorded_by, why = who(by, reason)
    label = one_line("--label", label, needed=False)
    given_id = one_line("--id", grant_id or "", needed=False)
    catalogue = load_catalogue(load_settings().meters)

    async def run(store: ClickHouseStatementStore) -> Outcome:
        agreements = await read_agreements(store, builder)
        plans = agreements.plans(agreements.plans_place)
        now = granted_at or await store.clock()
        charged = charge_currency(plans, now)
        if charged is None and currency is None:
            raise GrantRefusedError(f"{builder} has no plans that name a currency: give --currency, as prices do.")
        if charged is not None and currency not in (None, charged):
            raise GrantRefusedError(f"{builder}'s plans are in {charged}: a credit cannot be in {currency}.")
        in_currency = charged or currency or ""
        identity = given_id or f"{(top_up_id or kind or '').replace('_', '-')}-{uuid4().hex[:8]}"
        try:
            if top_up_id is not None:
                bought = top_up_of(plans, name, top_up_id, now)
                grant = bought.bought(identity, tenant=name, currency=in_currency, at=now, settled=settled)
            else:
                refuse_unknown_unit(unit, plans, catalogue)
                grant = made(
                    Grant(
                        identity, name, kind, unit, in_currency, amount(quantity or "", "quantity"),  # type: ignore[arg-type]
                        amount(price, "price"), now, expires, priority, funding, settled, label,  # type: ignore[arg-type]
                    )
                )  # fmt: skip
        except BillingError as error:
            raise GrantRefusedError(f"{error}.") from None
        return await record_grant(store, GrantRecord(builder, grant, recorded_by, why))

    outcome = with_statements(run)
    if as_json:
        click.echo(json.dumps(grant_row(outcome.record) | {"stood_before": outcome.stood}, ensure_ascii=False))
        return
    grant = outcome.record.grant
    words = "stands already" if outcome.stood else "granted"
    what = f"{plain(grant.quantity)} {grant.unit or grant.currency}"
    price_words = f", for {plain(grant.price_paid)} {grant.currency}" if grant.price_paid else ""
    click.echo(f"{grant.id}: {what} ({grant.kind}{price_words}) {words}, by {outcome.record.recorded_by}.")

"""`tollstream notes`: what was noted on closed statements, and what is left open of one."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import click

from billing.settled import Settled
from sinks.payable import SettlementStore
from sinks.payouts import NOTE_JOURNAL, NoteRecord
from tollstream.disputes.documents import note_json
from tollstream.disputes.layout import list_text, note_text
from tollstream.disputes.recording import notes_on, read_statement
from tollstream.errors import UserError
from tollstream.payouts.desk import with_store
from tollstream.payouts.documents import text


@click.command("notes", epilog="Example: tollstream notes acme-000042 --json")
@click.argument("statement", required=False, metavar="[STATEMENT-NUMBER]")
@click.option("--builder", default="", help="All notes of this Builder.")
@click.option("--tenant", default="", help="Only this tenant's.")
@click.option("--json", "prints_json", is_flag=True, help="Print JSON, amounts as strings.")
def command(statement: str | None, builder: str, tenant: str, prints_json: bool) -> None:
    """List credit notes, refunds, write-offs, chargebacks and payments, of a statement, a Builder or a tenant."""
    if statement and (builder or tenant):
        raise UserError("A statement's number says which Builder and tenant: leave --builder and --tenant out.")
    if not statement and not builder:
        raise UserError("Give the number of a statement, or --builder.")

    async def run(store: SettlementStore) -> tuple[list[NoteRecord], Settled | None]:
        if statement:
            return await notes_on(store, await read_statement(store, statement))
        found = await store.read_journal(NOTE_JOURNAL, {"builder": builder})
        return [record for record in found if tenant in ("", record.tenant)], None

    records, left = with_store(run)
    if prints_json:
        shown: dict[str, Any] = {"notes": [note_json(record) for record in records]}
        click.echo(json.dumps(shown | ({"open": text(left.open)} if left else {}), ensure_ascii=False))
        return
    bold = partial(click.style, bold=True)
    if not records:
        click.echo("No notes.")
    elif statement:
        click.echo("\n\n".join(note_text(record, None, bold) for record in records))
    else:
        click.echo(list_text(records, bold))
    if left is not None:
        click.echo(f"Open: {text(left.open)} {left.currency}")

"""Verbs that record a note, made for one kind: credit-note, refund, write-off, chargeback, payment."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Literal, cast

import click

from billing.settled import NoteKind
from sinks.payable import SettlementStore
from tollstream.disputes.documents import note_json
from tollstream.disputes.layout import note_text
from tollstream.disputes.recording import Result, note
from tollstream.disputes.request import NoteRefusedError, NoteRequest, amount_of
from tollstream.payouts.desk import with_store
from tollstream.payouts.documents import text
from tollstream.payouts.refusal import one_line

WHAT = {
    "credit_note": """Credit a tenant a part of a closed statement, or all of it: it was billed, and is not owed.

    Its tax is taken back in proportion. It is carried by the Builder, in the next payout, or by the platform.""",
    "refund": """Give money back to a tenant who is owed it, by a credit note or by a statement below 0.""",
    "write_off": """Write off what a tenant will never pay: the platform's loss, with its tax taken back.""",
    "chargeback": """Record that a bank has taken a payment back, and its fee.

    The Builder carries the part that its payout terms say (all of it without terms), in the next payout.""",
    "payment": """Record that a tenant has paid a statement, or a part of it.""",
}
ALSO = """

    Never more than what the statement still takes. Under one --key it is recorded once, however often it is asked for.
    Exit code 0, or 2 with a sentence when nothing was recorded.
    """


def note_command(kind: NoteKind) -> click.Command:
    """`tollstream <kind>`."""
    verb = kind.replace("_", "-")

    @click.command(
        verb,
        epilog=f"\b\nExample: tollstream {verb} acme-000042 --amount 12.50 \\\n"
        "             --reason 'ticket 812' --by ada --key t812",
        help=WHAT[kind] + ALSO,
    )
    @click.argument("statement", metavar="STATEMENT-NUMBER")
    @click.option("--amount", required=True, help="In the statement's currency, tax included, such as 12.50.")
    @click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever audits it.")
    @click.option("--by", required=True, metavar="NAME", help="Who says so.")
    @click.option("--key", default="", metavar="TEXT", help="Of your choice: asked again, it is the same note.")
    @click.option("--reference", default="", metavar="REF", help="What it is called outside, such as the bank's case.")
    @click.option("--line", default="", metavar="KEY", help="The line of the statement that it is about.")
    @click.option("--dry-run", is_flag=True, help="Show what would be recorded, record nothing.")
    @click.option("--json", "prints_json", is_flag=True, help="Print one JSON object, amounts as strings.")
    def command(
        statement: str, amount: str, reason: str, by: str, key: str, reference: str, line: str, dry_run: bool,
        prints_json: bool, fee: str = "0", carried_by: str = "builder", reopens: bool = False,
    ) -> None:  # fmt: skip
        request = NoteRequest(
            kind,
            statement.strip(),
            amount_of("--amount", amount),
            one_line("--by", by),
            one_line("--reason", reason),
            one_line("--key", key, needed=False),
            one_line("--reference", reference, needed=False),
            one_line("--line", line, needed=False),
            amount_of("--fee", fee),
            cast("Literal['builder', 'platform']", carried_by),
            reopens,
        )
        if not request.amount:
            raise NoteRefusedError("--amount is above 0.")

        async def run(store: SettlementStore) -> Result:
            return await note(store, request, now=datetime.now(UTC), dry_run=dry_run)

        result = with_store(run)
        if prints_json:
            more = {"new": result.new and not dry_run, "dry_run": dry_run, "open": text(result.left.open)}
            click.echo(json.dumps(note_json(result.record) | more, ensure_ascii=False))
            return
        click.echo(note_text(result.record, result.left, partial(click.style, bold=True)))
        if dry_run:
            click.echo("Nothing was recorded: this is what would be.")
        elif not result.new:
            click.echo(f"Recorded before, under the key {key!r}: nothing was changed.")

    if kind == "chargeback":
        command.params.append(click.Option(["--fee"], default="0", help="What the bank asks for it."))
    if kind == "refund":
        helps = "The payment did not stand (it came back, or was a mistake): the tenant owes it again."
        command.params.append(click.Option(["--reopens"], is_flag=True, help=helps))
    if kind == "credit_note":
        carriers = click.Choice(["builder", "platform"])
        command.params.append(
            click.Option(
                ["--carried-by"], type=carriers, default="builder", show_default=True, help="Out of whose part."
            )
        )
    return command

"""`tollstream statement`: a statement as the tenant gets it, and for each line the command that explains it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from billing.periods import Period
from billing.settled import Settled
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.payouts import NoteRecord
from sinks.statements import StatementHead, StatementQuery, StoredStatement, number_of
from tollstream.closing.explaining import explained
from tollstream.closing.periods import closed
from tollstream.closing.report import written
from tollstream.closing.steps import read_entries
from tollstream.closing.store import with_statements
from tollstream.disputes.documents import note_json
from tollstream.disputes.layout import list_text
from tollstream.disputes.recording import notes_on
from tollstream.errors import UserError
from tollstream.payouts.documents import text
from tollstream.rendering import Form, StatementDocument, render
from tollstream.rendering.record import parse

EPILOG = """\b
Example: tollstream statement acme-000042
         tollstream statement acme/globex --period 2026-10 --format pdf \\
             --output globex.pdf
         tollstream statement acme --period 2026-10
"""
LISTED = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A statement, what explains its lines, and what was noted on it since."""

    stored: StoredStatement
    document: StatementDocument
    commands: dict[str, str]
    notes: list[NoteRecord]
    left: Settled


@click.command("statement", epilog=EPILOG)
@click.argument("what", metavar="NUMBER|BUILDER/TENANT|BUILDER")
@click.option("--period", default="", metavar="LABEL", help="Which period; needed where several are closed.")
@click.option("--format", "form", type=click.Choice([str(each) for each in Form]), default="text", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=LISTED, show_default=True, help="Of a list: so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the document, amounts as strings.")
def command(what: str, period: str, form: str, output: Path | None, limit: int, as_json: bool) -> None:
    """Show a statement of a closed period, by its number, or by tenant and period; of a Builder alone a list of them.

    As text and with --json, each line of usage names the command that explains it down to its events.
    """

    async def ask(store: ClickHouseStatementStore) -> Found | list[StatementHead]:
        query = _query(what, period, limit)
        if query.number is None and not query.tenant:
            return await store.read_heads(query)
        return await _find(store, query, what)

    found = with_statements(ask)
    if isinstance(found, list):
        _list(found, what, period, limit, as_json=as_json)
        return
    if as_json:
        click.echo(json.dumps(_record(found), ensure_ascii=False))
        return
    content = render(found.document, Form(form))
    if output is not None:
        output.write_bytes(content)
        click.echo(f"{found.stored.head.reference} was written to {output} ({len(content):,} bytes).", err=True)
        return
    if form == Form.PDF and sys.stdout.isatty():
        raise UserError("A PDF is not for a terminal: give --output FILE.")
    click.echo(content, nl=False)
    if form == Form.TEXT and found.commands:
        click.echo("\nEvery line of usage, down to its events:")
        for each in dict.fromkeys(found.commands.values()):
            click.echo(f"  {each}")
    if form == Form.TEXT and found.notes:
        click.echo(f"\nWhat happened to it since:\n{list_text(found.notes)}")
        click.echo(f"Open: {text(found.left.open)} {found.left.currency}")


def _query(what: str, period: str, limit: int) -> StatementQuery:
    builder, slash, tenant = what.partition("/")
    if slash:
        return StatementQuery(builder=builder, tenant=tenant, period=period, limit=limit)
    numbered = number_of(what)
    if numbered is not None:
        return StatementQuery(builder=numbered[0], number=numbered[1], limit=1)
    return StatementQuery(builder=what, period=period, limit=limit + 1)


async def _find(store: ClickHouseStatementStore, query: StatementQuery, what: str) -> Found:
    heads = await store.read_heads(query)
    if not heads:
        of = f" for {query.period}" if query.period else ""
        raise UserError(
            f"There is no statement {what}{of}: `tollstream statement {query.builder}` lists those there are; a period "
            "that is not closed has none, `tollstream balance` shows what stands."
        )
    if len(heads) > 1:
        periods = ", ".join(head.period for head in heads[-12:])
        raise UserError(f"{what} has statements for {periods}: say which with --period.")
    head = heads[0]
    [stored] = await store.read_statements(StatementQuery(builder=head.builder, number=head.number, limit=1))
    document = parse(stored.document)
    statement = document.statement
    periods_closed: dict[str, Period] = {
        entry.period.label: entry.period for entry in closed(await read_entries(store, head.builder))
    }
    commands = explained(statement.builder, statement.tenant, statement.period, statement.lines, periods_closed)
    return Found(stored, document, commands, *await notes_on(store, head))


def _record(found: Found) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(found.stored.document)
    for line in document["lines"]:
        line["explain"] = found.commands.get(line["key"])
    return document | {"notes": [note_json(each) for each in found.notes], "open": text(found.left.open)}


def _list(heads: list[StatementHead], builder: str, period: str, limit: int, *, as_json: bool) -> None:
    shown = heads[:limit]
    if as_json:
        fields = ("reference", "number", "builder", "tenant", "period", "currency")
        amounts = ("net", "tax", "total", "paid", "due")
        click.echo(
            json.dumps(
                [
                    {name: getattr(head, name) for name in fields}
                    | {name: written(getattr(head, name), head.currency) for name in amounts}
                    | {"issued_at": head.issued_at.isoformat(), "lines": head.lines}
                    for head in shown
                ],
                ensure_ascii=False,
            )
        )
        return
    if not heads:
        which, label = (f" for {period}", period) if period else ("", "LABEL")
        raise UserError(
            f"{builder} has no statements{which}: `tollstream close --builder {builder} --period {label}` makes them."
        )
    for head in shown:
        click.echo(
            f"{head.reference}  {head.period}  {head.tenant}  {written(head.due, head.currency)} {head.currency}"
        )
    if len(heads) > limit:
        click.echo(f"and more: --limit {limit * 10} shows more, --period narrows them.", err=True)

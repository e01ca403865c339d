"""`tollstream plans check`: is a file a valid plan book, and could it be published?"""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from billing.errors import BillingError
from sinks.agreements import PLANS
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.errors import SinkError
from tollstream.agreements.layout import book_words
from tollstream.agreements.plans import cut_windows, objection, read_file, same, warnings
from tollstream.closing.rules import published_rules
from tollstream.closing.steps import read_entries
from tollstream.closing.store import with_statements
from tollstream.publishing.layout import say
from tollstream.settings import load_settings


@click.command("check", epilog="Example: tollstream plans check plans.toml")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--offline", is_flag=True, help="Look at the file alone; do not ask the store.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(context: click.Context, path: Path, offline: bool, as_json: bool) -> None:
    """Validate a plan book: every amount exact, every unit known, no tenant with two plans on one day.

    Asks the store too, if there is one: whether the version could be published beside what is, and whether rules that
    it names exist. Exit code 0, or 1 when it could not be published.
    """
    errors: list[str] = []
    notes: list[str] = []
    try:
        book = read_file(path)
    except BillingError as error:
        book, errors = None, [str(error)]
    if book is not None and not offline:
        checked = book

        async def ask(store: ClickHouseStatementStore) -> None:
            records = await store.read_journal(PLANS, {"builder": checked.builder})
            standing = same(checked, records)
            if standing is not None:
                notes.append(f"published by {standing.recorded_by}")
                return
            settings = load_settings()
            whys = (
                objection(checked, records, await read_entries(store, checked.builder)),
                await cut_windows(store, checked, settings.window_seconds),
            )
            errors.extend(why for why in whys if why is not None)
            notes.extend(warnings(checked, await published_rules(settings)))

        try:
            with_statements(ask)
        except SinkError as error:
            notes.append(f"Not compared with what is published: {error}")
    if as_json:
        told = {"ok": not errors, "file": str(path), "errors": errors, "notes": notes}
        told |= {"builder": book.builder, "version": book.version, "digest": book.digest} if book is not None else {}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        console = Console()
        say(console, f"{path}{': ' + book_words(book) if book is not None else ''}")
        say(console, *(f"error: {each}" for each in errors), style="bold red")
        say(console, *(f"note: {each}" for each in notes), style="dim")
        say(console, "It cannot be published." if errors else "Valid.", style="bold red" if errors else "green")
    context.exit(1 if errors else 0)

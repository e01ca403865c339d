"""`tollstream plans publish`: a version of a Builder's plans becomes part of history."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from sinks.agreements import PLANS
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.layout import book_words, plan_row
from tollstream.agreements.plans import Outcome, PlanRefusedError, cut_windows, publish, read_file, same
from tollstream.agreements.who import by_option, reason_option, who
from tollstream.closing.store import with_statements
from tollstream.publishing.layout import say, second
from tollstream.settings import load_settings


@click.command(
    "publish",
    epilog="\b\nExample: tollstream plans publish plans.toml --by ada \\\n             --reason 'ticket 812' --dry-run",
)
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE")
@by_option
@reason_option
@click.option("--dry-run", is_flag=True, help="Judge it, record nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(path: Path, by: str | None, reason: str, dry_run: bool, as_json: bool) -> None:
    """Publish a plan book. It cannot be taken back or changed; a later version replaces it from its effective_from on.

    Periods that are closed are never touched: the version has to begin where the last one ends, or later. Publishing
    the same text again does nothing. Exit code 0, or 2 with a sentence when nothing was published.
    """
    book = read_file(path)
    name, why = who(by, reason)

    async def run(store: ClickHouseStatementStore) -> Outcome:
        standing = same(book, await store.read_journal(PLANS, {"builder": book.builder}))
        why_not = await cut_windows(store, book, load_settings().window_seconds) if standing is None else None
        if why_not is not None:
            raise PlanRefusedError(f"{why_not} Nothing was published.")
        return await publish(store, book, name, why, dry_run=dry_run)

    outcome = with_statements(run)
    if as_json:
        click.echo(json.dumps(plan_row(outcome.record) | {"stood_before": outcome.stood, "dry_run": dry_run}))
        return
    record, console = outcome.record, Console()
    if outcome.stood:
        at = second(record.recorded_at)
        say(
            console,
            f"Version {record.version} of {record.builder}'s plans is published, by {record.recorded_by} at {at}.",
        )
    elif dry_run:
        say(console, f"Would be published: {book_words(book)}. Nothing was recorded.")
    else:
        say(
            console,
            f"Published as number {record.sequence}, by {record.recorded_by}: {book_words(book)}.",
            style="green",
        )

"""`tollstream explain`: why an event or a line costs what it costs, to the last digit."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import click

from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.lines import read_months
from tollstream.explanation.answers import EventAnswer, LineAnswer
from tollstream.explanation.document import event_document, line_document
from tollstream.explanation.layout import WIDTH
from tollstream.explanation.line_text import line_text
from tollstream.explanation.question import Question, question
from tollstream.explanation.reading import NotExplainedError, explain_event, explain_line
from tollstream.explanation.text import event_text
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration
from topics.meters import load_catalogue

ROWS_SHOWN = 50
WIDTH_MIN, WIDTH_MAX = 60, 160
EPILOG = """\b
Example: tollstream explain call-1 --source gateway/eu-1
         tollstream explain acme/globex --period 2026-10 --feature chat
         tollstream explain acme/globex --window 2026-10-03T14:00:00Z
"""


@click.command("explain", epilog=EPILOG)
@click.argument("words", nargs=-1, required=True, metavar="[event|line] ID|BUILDER/TENANT")
@click.option("--source", help="Of an event: the CloudEvents source, where several have the id.")
@click.option(
    "--period", metavar="YYYY[-MM[-DD]]", help="Of a line: the month, day or year (UTC) in which windows start."
)
@click.option("--from", "since", metavar="TIME", help="Of a line: the windows that start at or after this.")
@click.option("--to", "until", metavar="TIME", help="Of a line: and before this.")
@click.option("--window", metavar="TIME", help="Of a line: the events of the window that starts then.")
@click.option("--workspace", help="Of a line: this workspace only; '' for usage without one, as below.")
@click.option("--feature", help="Of a line: this feature only.")
@click.option("--provider", help="Of a line: this provider only.")
@click.option("--model", help="Of a line: this model, as served, only.")
@click.option("--mode", help="Of a line: this mode only.")
@click.option("--rule", "rule_id", help="Of a line: what this surcharge rule charged.")
@click.option("--currency", help="Of a line: this currency only.")
@click.option("--limit", type=click.IntRange(1), help=f"Show so many rows (default {ROWS_SHOWN}; with --json all).")
@click.option("--skip", type=click.IntRange(0), default=0, show_default=True, help="Leave out so many rows first.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: everything, amounts as strings.")
@click.pass_context
def command(
    context: click.Context,
    /,
    words: tuple[str, ...],
    source: str | None,
    period: str | None,
    since: str | None,
    until: str | None,
    window: str | None,
    limit: int | None,
    skip: int,
    as_json: bool,
    **narrowing: str | None,
) -> None:
    """Explain an event, or a line of a bill, to the last digit.

    An event, by its id: quantities, prices with their version and origin, the rule and why it won, each product and its
    rounding, the split three ways, what the ledger holds, and every void and adjustment since. A line, BUILDER/TENANT
    and a period: its windows, and with --window the events of one of them. What is shown, and the row that says what is
    not, always add up exactly.

    Exit code 0 when ledger, totals and books agree to the last digit, 1 when they do not, 2 when there is nothing to
    explain.
    """
    narrowed = {name: value for name, value in narrowing.items() if value is not None}
    asked = question(words, source, period, since, until, window, narrowed)
    if not as_json and limit is None:
        limit = ROWS_SHOWN
    settings = load_settings()
    client = Client.connect(clickhouse_configuration(settings))
    try:
        answer = _answer(client, asked, settings.meters, skip, limit)
    finally:
        client.close()
    if as_json:
        document = event_document(answer) if isinstance(answer, EventAnswer) else line_document(answer)
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        bold = partial(click.style, bold=True)
        if isinstance(answer, EventAnswer):
            click.echo(event_text(answer, width=_width(), emphasis=bold))
        else:
            click.echo(line_text(answer, width=_width(), emphasis=bold))
    context.exit(0 if answer.holds else 1)


def _answer(
    client: Client, asked: Question, meters: Path | None, skip: int, limit: int | None
) -> EventAnswer | LineAnswer:
    catalogue = load_catalogue(meters)
    if asked.line is not None:
        return explain_line(client, catalogue, asked.line, asked.window, skip=skip, limit=limit)
    try:
        return explain_event(client, catalogue, asked.what, asked.source)
    except NotExplainedError:
        builder, slash, tenant = asked.what.partition("/")
        months = read_months(client, builder, tenant) if slash and asked.kind == "" else []
        if not months:
            raise
        raise NotExplainedError(
            f"{asked.what} is a tenant with usage in {', '.join(months)}: a line needs its period, such as "
            f"--period {months[-1]}."
        ) from None


def _width() -> int:
    """Of the terminal; a file or a pipe gets the width that every page fits."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(WIDTH_MIN, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH_MAX))

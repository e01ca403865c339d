"""`tollstream rate`: what a file of events would cost under given books."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import click

from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tollstream.offline import Note, rate_lines
from tollstream.settings import load_settings
from topics.meters import load_catalogue

EPILOG = """\b
Example: tollstream rate --prices prices.toml --rules rules/ \\
             --events events.jsonl > ledger.jsonl
         tollstream rate --prices new-prices.toml --rules rules.toml \\
             --events - < events.jsonl
"""


@click.command("rate", epilog=EPILOG)
@click.option("--prices", type=click.Path(path_type=Path), required=True, help="Price book: a file, or a folder.")
@click.option("--rules", type=click.Path(path_type=Path), required=True, help="Surcharge rules: a file, or a folder.")
@click.option("--events", type=click.File("rb"), required=True, metavar="FILE|-", help="One CloudEvent as JSON a line.")
@click.option("--json", "as_json", is_flag=True, help="Write the notes on standard error as JSON objects, too.")
@click.pass_context
def command(context: click.Context, prices: Path, rules: Path, events: BinaryIO, as_json: bool) -> None:
    """Rate events offline: no Kafka, no ClickHouse, the same code and the same amounts as in the stream.

    Standard output gets one ledger row as JSON for every accepted event, in the order of the lines: amounts are
    strings with 12 places, null where the usage is unpriced. Lines without a row (duplicates, and events that would be
    dead-lettered, with the reason) are noted on standard error, and counted at the end. Lateness is not judged.
    Exit code 0, or 1 when a line would be dead-lettered.
    """
    settings = load_settings()
    meters = load_catalogue(settings.meters)
    rater = Rater(PriceBooks.load(prices), RuleBooks.load(rules), meters)
    counts: Counter[str] = Counter()
    for rated in rate_lines(events, rater, meters, settings.window_seconds, lambda count: None):
        for row in rated.rows:
            click.echo(json.dumps(row, ensure_ascii=False))
            counts["unpriced" if row["pricing"] == "unpriced" else "rated"] += 1
        for note in rated.notes:
            _tell(note, as_json)
            counts[note.outcome] += 1
    summary = {name: counts[name] for name in ("rated", "unpriced", "duplicate", "dead_lettered")}
    words = ", ".join(f"{number} {name.replace('_', '-')}" for name, number in summary.items())
    click.echo(json.dumps(summary) if as_json else f"{words}.", err=True)
    context.exit(1 if counts["dead_lettered"] else 0)


def _tell(note: Note, as_json: bool) -> None:
    if as_json:
        told = {"line": note.line, "outcome": note.outcome, "reason": note.reason, "detail": note.detail}
        click.echo(json.dumps(told, ensure_ascii=False), err=True)
    else:
        click.echo(f"line {note.line}: {note.reason or note.outcome}: {note.detail}", err=True)

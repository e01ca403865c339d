"""`tollstream rules simulate`: last month's ledger under other rules or prices, and who wins and who loses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from billing.rating import Rater
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.usage import UsageRange
from tollstream.books import load_published
from tollstream.errors import UserError
from tollstream.settings import Settings, load_settings
from tollstream.simulation.books import trial_books
from tollstream.simulation.page import page
from tollstream.simulation.period import DayOrMoment, period
from tollstream.simulation.report import Report, as_json
from tollstream.simulation.run import simulate
from tollstream.simulation.table import print_report
from tollstream.store import clickhouse_configuration
from topics.meters import load_catalogue

EPILOG = """\b
Example: tollstream rules simulate --rules new-rules.toml \\
             --html new-rules.html
         tollstream rules simulate --prices new-prices.toml \\
             --from 2026-01-01 --to 2026-02-01 --builder acme --json
"""


@click.command("simulate", epilog=EPILOG)
@click.option("--rules", metavar="FILE|VERSION", help="The rule book to try; default: those that are published.")
@click.option("--prices", metavar="FILE|VERSION", help="The price book to try; default: those that are published.")
@click.option("--from", "start", type=DayOrMoment(), help="Event times from here on; default: last month's first day,")
@click.option("--to", "end", type=DayOrMoment(), help="and before this; default: this month's first day (UTC).")
@click.option("--builder", default="", help="Only this Builder's usage; default: all.")
@click.option(
    "--html", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with charts, self-contained."
)
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="Lines of each table.")
@click.option("--json", "as_json_", is_flag=True, help="Print one JSON object with every line, amounts as strings.")
def command(
    rules: str | None,
    prices: str | None,
    start: datetime | None,
    end: datetime | None,
    builder: str,
    html: Path | None,
    top: int,
    as_json_: bool,
) -> None:
    """Rate past usage under other rules or prices, and show who wins and who loses. Changes nothing.

    Every event of the range is rated once more, one by one, as it would have been in the stream. A new book applies to
    the whole range, whatever its effective_from says; what is not given is as published, by each event's own time, or
    as it was last re-rated.
    Before is what the ledger says today, adjustments included. Usage without a price on one of the sides, in another
    currency, or voided is left out of both, and listed.
    """
    if html is not None and not html.parent.is_dir():
        raise UserError(f"{html}: there is no folder {html.parent}; make it, or name another file.")
    settings = load_settings()
    usage = UsageRange(*period(start, end, datetime.now(UTC)), builder)
    report = asyncio.run(_simulate(settings, clickhouse_configuration(settings), usage, prices, rules))
    if html is not None:
        html.write_text(page(report, datetime.now(UTC)), encoding="utf-8")
        click.echo(f"Written: {html}", err=True)
    if as_json_:
        click.echo(json.dumps(as_json(report), ensure_ascii=False))
    else:
        print_report(Console(), report, top)


async def _simulate(
    settings: Settings, store: ClickHouseConfiguration, usage: UsageRange, prices: str | None, rules: str | None
) -> Report:
    sink = await ClickHouseSink.connect(store)
    try:
        books = await trial_books(prices, rules, lambda: load_published(sink))
        catalogue = load_catalogue(settings.meters)
        rater, of_versions = Rater(books.prices, books.rules, catalogue), books.of_versions(catalogue)
        with Progress(
            TextColumn("rating"), BarColumn(), MofNCompleteColumn(), TextColumn("ledger rows"), TimeElapsedColumn(),
            console=Console(stderr=True), transient=True,
        ) as progress:  # fmt: skip
            comparison = await simulate(sink, rater, usage, books.tags, _told(progress), of_versions=of_versions)
        return Report(usage, books, comparison)
    finally:
        await sink.close()


def _told(progress: Progress) -> Callable[[int, int], None]:
    task = progress.add_task("", total=None)
    return lambda done, rows: progress.update(task, completed=done, total=rows)

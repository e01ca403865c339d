"""`tollstream fx add`: exchange rates on record."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sinks.agreements import RateRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.layout import rate_row
from tollstream.agreements.rates import RateRefusedError, rate, read_rates, record_rates
from tollstream.agreements.who import by_option, reason_option, who
from tollstream.closing.store import with_statements

EPILOG = """\b
Example: tollstream fx add --day 2026-10-30 --base USD --quote EUR \\
             --rate 0.9182 --source ECB --reason 'October'
         tollstream fx add --file rates.csv --source ECB \\
             --reason 'rates of October'
"""


@click.command("add", epilog=EPILOG)
@click.option("--day", metavar="DAY", help="Day of the rate, 2026-10-30.")
@click.option("--base", metavar="CODE", help="One unit of this currency")
@click.option("--quote", metavar="CODE", help="is worth so many units of this one:")
@click.option("--rate", "value", metavar="NUMBER", help="exact, at most 12 places.")
@click.option("--file", "path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Many, from CSV.")
@click.option("--source", default="", help="Who publishes it, such as ECB; of a file: unless it has a column source.")
@by_option
@reason_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    day: str | None,
    base: str | None,
    quote: str | None,
    value: str | None,
    path: Path | None,
    source: str,
    by: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Record exchange rates. A pair and day has one rate, for ever; recording the same again does nothing.

    A rate holds on its day and, where no later one is given, in the week after it. None is inverted and none is made
    of two others, for both would have to round: record the pair that statements need, prices to statement.
    """
    name, why = who(by, reason)
    if path is not None and (day or base or quote or value):
        raise RateRefusedError("Give --file, or one rate by --day, --base, --quote and --rate: not both.")
    if path is not None:
        rates = read_rates(path, source, name, why)
    elif day and base and quote and value:
        rates = [rate(day, base, quote, value, source, name, why)]
    else:
        raise RateRefusedError("Give --day, --base, --quote, --rate and --source, or --file.")

    async def run(store: ClickHouseStatementStore) -> list[RateRecord]:
        return await record_rates(store, rates)

    recorded = with_statements(run)
    if as_json:
        click.echo(json.dumps({"recorded": [rate_row(each) for each in recorded], "given": len(rates)}))
        return
    stood = len(rates) - len(recorded)
    click.echo(f"{len(recorded)} recorded{f', {stood} stood already' if stood else ''}.")

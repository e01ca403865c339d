"""`tollstream fx list`: the exchange rates on record."""

from __future__ import annotations

import json

import click
from rich.console import Console

from sinks.agreements import RATES, RateRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.layout import plain, rate_row
from tollstream.closing.store import with_statements
from tollstream.publishing.layout import add, say, second, table


@click.command("list", epilog="Example: tollstream fx list --base USD --quote EUR")
@click.option("--base", default="", metavar="CODE", help="Only of this currency.")
@click.option("--quote", default="", metavar="CODE", help="Only into this currency.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The newest so many days.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array: all of them, rates as strings.")
def command(base: str, quote: str, limit: int, as_json: bool) -> None:
    """List exchange rates, newest day first, with who recorded them and who publishes them."""

    async def ask(store: ClickHouseStatementStore) -> list[RateRecord]:
        where = {name: value for name, value in (("base", base), ("quote", quote)) if value}
        return await store.read_journal(RATES, where)

    rates = sorted(with_statements(ask), key=lambda each: (each.day, each.base, each.quote), reverse=True)
    if as_json:
        click.echo(json.dumps([rate_row(each) for each in rates], ensure_ascii=False))
        return
    console = Console()
    if not rates:
        say(console, "No exchange rates are recorded: `tollstream fx add` records them.")
        return
    rows = table("", "day", "base", "quote", "rate", "source", "recorded", "by", "why")
    for each in rates[:limit]:
        at = second(each.recorded_at)
        add(
            rows, each.day.isoformat(), each.base, each.quote, plain(each.rate), each.source, at, each.recorded_by,
            each.reason,
        )  # fmt: skip
    console.print(rows)

"""`tollstream plans history`: every version of a Builder's plans, from when to when, by whom and why."""

from __future__ import annotations

import itertools
import json

import click
from rich.console import Console

from sinks.agreements import PLANS, PlanRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.layout import plan_row
from tollstream.closing.store import with_statements
from tollstream.publishing.layout import add, moment, say, second, table


@click.command("history", epilog="Example: tollstream plans history --builder acme --json")
@click.option("--builder", required=True, help="Whose plans.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def command(builder: str, as_json: bool) -> None:
    """List the published versions of a Builder's plans, in the order in which they apply."""

    async def ask(store: ClickHouseStatementStore) -> list[PlanRecord]:
        return await store.read_journal(PLANS, {"builder": builder})

    records = sorted(with_statements(ask), key=lambda record: record.effective_from)
    if as_json:
        click.echo(json.dumps([plan_row(record) for record in records], ensure_ascii=False))
        return
    console = Console()
    if not records:
        say(console, f"{builder} has no plans: publish a plan book with `tollstream plans publish FILE`.")
        return
    rows = table(f"plans of {builder}", "version", "from", "until", "number", "published", "by", "why")
    for record, after in itertools.zip_longest(records, records[1:]):
        until = moment(after.effective_from) if after else ""
        at = second(record.recorded_at)
        add(
            rows, record.version, moment(record.effective_from), until, str(record.sequence), at, record.recorded_by,
            record.reason,
        )  # fmt: skip
    console.print(rows)

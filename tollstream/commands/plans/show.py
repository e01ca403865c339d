"""`tollstream plans show`: the text of a published version."""

from __future__ import annotations

import json

import click

from sinks.agreements import PLANS, PlanRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.agreements.layout import plan_row
from tollstream.closing.store import with_statements
from tollstream.errors import UserError
from tollstream.publishing.layout import moment, second


@click.command("show", epilog="Example: tollstream plans show --builder acme > plans.toml")
@click.argument("version", required=False)
@click.option("--builder", required=True, help="Whose plans.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, the text in it.")
def command(version: str | None, builder: str, as_json: bool) -> None:
    """Print a version of a Builder's plans, by default the one that applies now. Who published it is told on standard
    error.
    """

    async def ask(store: ClickHouseStatementStore) -> PlanRecord:
        records = await store.read_journal(PLANS, {"builder": builder})
        if version is not None:
            found = [record for record in records if record.version == version]
        else:
            now = await store.clock()
            applying = [record for record in records if record.effective_from <= now]
            found = sorted(applying, key=lambda record: record.effective_from)[-1:]
        if not found:
            which = f"published as {version!r}" if version is not None else "that applies now"
            raise UserError(
                f"{builder} has no version of its plans {which}: `tollstream plans history --builder {builder}` lists "
                "those there are."
            )
        return found[0]

    record = with_statements(ask)
    if as_json:
        click.echo(json.dumps(plan_row(record) | {"content": record.content}, ensure_ascii=False))
        return
    click.echo(
        f"version {record.version} of {builder}'s plans, from {moment(record.effective_from)}; published "
        f"{second(record.recorded_at)} by {record.recorded_by}: {record.reason}",
        err=True,
    )
    click.echo(record.content, nl=False)

"""`tollstream schema`: the tables and views in ClickHouse."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table

from sinks.clickhouse.migrate import MigrationState, migrate, schema_state
from tollstream.settings import load_settings
from tollstream.store import clickhouse_configuration

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group("schema", epilog="Example: tollstream schema migrate")
def command() -> None:
    """Create and check the ClickHouse tables and views."""


@command.command("migrate", epilog="Example: tollstream schema migrate --json")
@as_json
def migrate_command(as_json: bool) -> None:
    """Apply what this database lacks. Safe to run again, by several processes at once, while workers run."""
    configuration = clickhouse_configuration(load_settings())
    before = {state.version for state in schema_state(configuration) if state.applied_at is not None}
    states = migrate(configuration)
    if as_json:
        click.echo(_json(configuration.database, states))
        return
    new = [state.name for state in states if state.version not in before]
    for name in new:
        click.echo(f"applied {name}")
    click.echo(f"Database {configuration.database} is up to date: {len(states)} migrations, {len(new)} of them new.")


@command.command("show", epilog="Example: tollstream schema show --json")
@as_json
@click.pass_context
def show_command(context: click.Context, as_json: bool) -> None:
    """Show which migrations this database has. Exit code 1 when it lacks one."""
    configuration = clickhouse_configuration(load_settings())
    states = schema_state(configuration)
    missing = [state.name for state in states if state.applied_at is None]
    if as_json:
        click.echo(_json(configuration.database, states))
    else:
        table = Table(title=f"Schema of {configuration.database} at {configuration.url}", title_justify="left")
        for heading in ("migration", "sha256", "applied at (UTC)"):
            table.add_column(heading)
        for state in states:
            applied = f"{state.applied_at:%Y-%m-%d %H:%M:%S}" if state.applied_at else "[bold red]not yet[/]"
            table.add_row(state.name, state.sha256[:12], applied)
        Console().print(table)
        if missing:
            click.echo(f"{len(missing)} missing: run `tollstream schema migrate`.")
    context.exit(1 if missing else 0)


def _json(database: str, states: Sequence[MigrationState]) -> str:
    migrations = [
        {
            "version": state.version,
            "name": state.name,
            "sha256": state.sha256,
            "applied_at": state.applied_at.isoformat() if state.applied_at else None,
        }
        for state in states
    ]
    complete = all(state.applied_at is not None for state in states)
    return json.dumps({"database": database, "complete": complete, "migrations": migrations})

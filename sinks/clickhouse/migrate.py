"""Numbered migrations: applied in order, recorded with the hash of their file, refused when a file has changed.

A file may hold several statements, separated by a line that reads exactly `-- next statement`. `${database}`,
`${on_cluster}` and `${replicated}` are filled in; the hash is of the file as it stands. ClickHouse has no lock to hold
and no transaction around DDL, so every statement is written to be safe to run twice and by two processes at once:
whoever was interrupted, or raced, simply runs all of it again. See migrations/README.md.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.errors import SchemaMissingError, SinkTerminalError

DELIMITER = "-- next statement"
_FILE = re.compile(r"(?P<version>\d{4})-[a-z0-9-]+\.sql")


class MigrationError(SinkTerminalError):
    """The migrations of this version and of the database do not fit together; nothing was applied."""


class MigrationChangedError(MigrationError):
    """A file is not what it was when it was applied: what the database looks like is anybody's guess."""

    def __init__(self, *, name: str, recorded: str, found: str) -> None:
        self.name, self.recorded, self.found = name, recorded, found
        super().__init__(
            f"Migration {name} has changed since it was applied (sha256 {recorded[:12]}… then, {found[:12]}… now). "
            "Restore the file; to change the schema, add a new migration."
        )


class MigrationUnknownError(MigrationError):
    """The database is ahead of this version of tollstream."""

    def __init__(self, *, version: int, name: str) -> None:
        self.version, self.name = version, name
        super().__init__(
            f"The database has migration {name}, which this version of tollstream does not know. "
            "Upgrade tollstream to the version that applied it."
        )


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered file, its statements as they stand there, and those that take it back."""

    version: int
    name: str
    sha256: str
    statements: tuple[str, ...]
    undo: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MigrationState:
    """A migration and when this database got it; None: not yet."""

    version: int
    name: str
    sha256: str
    applied_at: datetime | None


def split_statements(text: str) -> tuple[str, ...]:
    """Statements between delimiter lines; nothing is read into semicolons."""
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip() == DELIMITER:
            parts.append([])
        else:
            parts[-1].append(line)
    return tuple(statement for part in parts if (statement := "\n".join(part).strip()))


def load_migrations(folder: Traversable | None = None) -> list[Migration]:
    """Every migration of this version, in order. `MigrationError` for a gap, a double number or a missing undo."""
    folder = folder if folder is not None else files("sinks.clickhouse") / "migrations"
    found = {path.name: path for path in folder.iterdir()}
    migrations = []
    for name in sorted(found):
        match = _FILE.fullmatch(name)
        if match is None:
            continue
        undo = found.get(name.replace(".sql", ".undo.sql"))
        if undo is None:
            raise MigrationError(f"Migration {name} has no undo file beside it.")
        content = found[name].read_bytes()
        migrations.append(
            Migration(
                version=int(match["version"]),
                name=name,
                sha256=hashlib.sha256(content).hexdigest(),
                statements=split_statements(content.decode()),
                undo=split_statements(undo.read_text(encoding="utf-8")),
            )
        )
    if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
        raise MigrationError("Migrations are not numbered 0001, 0002, … without gaps: the files are not complete.")
    return migrations


def fill_in(statement: str, configuration: ClickHouseConfiguration) -> str:
    """A statement for this database; on a cluster, for every server of it and with replicated tables."""
    return Template(statement).substitute(
        database=configuration.database,
        on_cluster=f"ON CLUSTER '{configuration.cluster}'" if configuration.cluster else "",
        replicated="Replicated" if configuration.cluster else "",
    )


def migrate(
    configuration: ClickHouseConfiguration, migrations: Sequence[Migration] | None = None
) -> list[MigrationState]:
    """Apply what is missing and answer the state of all; creates the database. Blocking. Safe to run at any time."""
    migrations = load_migrations() if migrations is None else migrations
    client = Client.connect(configuration)
    try:
        _check(migrations, _applied(client))  # First, so that a refused database is left as it is.
        client.command(
            fill_in("CREATE DATABASE IF NOT EXISTS ${database} ${on_cluster}", configuration),
            doing="creating the database",
        )
        applied = _applied(client)
        for migration in migrations:
            if migration.version not in applied:
                for statement in migration.statements:
                    client.command(fill_in(statement, configuration), doing=f"applying {migration.name}")
                _record(client, migration)
        return _states(migrations, _applied(client))
    finally:
        client.close()


def undo_all(configuration: ClickHouseConfiguration, migrations: Sequence[Migration] | None = None) -> None:
    """Drop every table and view, the newest migration first, ALL DATA INCLUDED: for tests and for starting over."""
    client = Client.connect(configuration)
    try:
        for migration in reversed(load_migrations() if migrations is None else migrations):
            for statement in migration.undo:
                client.command(fill_in(statement, configuration), doing=f"undoing {migration.name}")
    finally:
        client.close()


def schema_state(configuration: ClickHouseConfiguration) -> list[MigrationState]:
    """Every migration of this version, applied or not. Blocking. Raises as `migrate` does, and changes nothing."""
    client = Client.connect(configuration)
    try:
        migrations, applied = load_migrations(), _applied(client)
        _check(migrations, applied)
        return _states(migrations, applied)
    finally:
        client.close()


def _applied(client: Client) -> dict[int, MigrationState]:
    database = client.configuration.database
    sql = f"SELECT version, name, sha256, applied_at FROM {database}.schema_migrations FINAL ORDER BY version"
    try:
        rows = client.query_rows(sql, doing="reading schema_migrations")
    except SchemaMissingError:
        return {}
    return {row["version"]: MigrationState(**row) for row in rows}


def _check(migrations: Sequence[Migration], applied: dict[int, MigrationState]) -> None:
    known = {migration.version: migration for migration in migrations}
    for version, state in applied.items():
        if version not in known:
            raise MigrationUnknownError(version=version, name=state.name)
        if known[version].sha256 != state.sha256:
            raise MigrationChangedError(name=state.name, recorded=state.sha256, found=known[version].sha256)


def _record(client: Client, migration: Migration) -> None:
    row = pa.table(
        {
            "version": pa.array([migration.version], pa.uint32()),
            "name": pa.array([migration.name]),
            "sha256": pa.array([migration.sha256]),
        }
    )
    client.insert_arrow("schema_migrations", row, doing=f"recording {migration.name}")


def _states(migrations: Sequence[Migration], applied: dict[int, MigrationState]) -> list[MigrationState]:
    return [
        applied.get(migration.version) or MigrationState(migration.version, migration.name, migration.sha256, None)
        for migration in migrations
    ]

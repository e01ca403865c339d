"""Migrations: all of them, none of them, twice, by two at once, and never changed behind the database's back."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.types as pt
import pytest

from sinks import tables
from sinks.access import TOKEN_JOURNAL
from sinks.agreements import GRANTS, PLANS, RATES
from sinks.clickhouse import ClickHouseConfiguration
from sinks.clickhouse.client import Client
from sinks.clickhouse.migrate import (
    MigrationChangedError,
    MigrationError,
    MigrationUnknownError,
    fill_in,
    load_migrations,
    migrate,
    schema_state,
    split_statements,
    undo_all,
)
from sinks.clickhouse.readers import books, pins
from sinks.clickhouse.readers.statements import SCHEMAS as STATEMENT_SCHEMAS
from sinks.closings import CLOSING_JOURNAL, CLOSING_USAGE
from sinks.payout_terms import SEND_JOURNAL, TERMS_JOURNAL
from sinks.payouts import MARK_JOURNAL, NOTE_JOURNAL, PAYOUT_JOURNAL
from sinks.rerates import RERATES

JOURNALS = (
    PLANS,
    RATES,
    GRANTS,
    CLOSING_JOURNAL,
    PAYOUT_JOURNAL,
    MARK_JOURNAL,
    NOTE_JOURNAL,
    TOKEN_JOURNAL,
    TERMS_JOURNAL,
    SEND_JOURNAL,
)

# Released files never change: a new migration adds its line here, no line is ever edited or removed.
RELEASED: Mapping[str, str] = {
    "0001-schema-migrations.sql": "c0f2321799d2a2da",
    "0002-usage-ledger.sql": "9ed7dc8ecb87d73c",
    "0003-usage-totals.sql": "c43c41815d3e4608",
    "0004-dead-letters.sql": "82da393eed1a15c4",
    "0005-checkpoints.sql": "57adf5faddc29b0d",
    "0006-topic-epochs.sql": "6a4e57fd00fdc8fd",
    "0007-books.sql": "d682f452150c33fa",
    "0008-backfill-grants.sql": "8df4224a22e398f7",
    "0009-billing-views.sql": "0a2c9f13b8105e1d",
    "0010-quarantine-views.sql": "fdc5f57271a2cb85",
    "0011-reconciliation-views.sql": "e88bd2da4adf4f0b",
    "0012-publications.sql": "8cf8ee4b2ea3ffb2",
    "0013-rerates.sql": "3bea4c552ea8be50",
    "0014-agreements.sql": "1f4054d55c66a276",
    "0015-closings.sql": "9690945f85c4894e",
    "0016-statements.sql": "647c9e27dce92987",
    "0017-payouts.sql": "7d59255f24566d0c",
    "0018-console-tokens.sql": "00d628d6e343ee71",
    "0019-payout-terms.sql": "d7252931300f5a08",
    "0020-grants-of-rules.sql": "1a435aa7dd57aeff",
    "0021-usage-since-last-statement.sql": "b8fece4e46805c8e",
    "0022-live-balances.sql": "d2ffa64372a33b26",
}


def tables_in(configuration: ClickHouseConfiguration) -> set[str]:
    client = Client.connect(configuration)
    sql = f"SELECT name FROM system.tables WHERE database = '{configuration.database}'"
    names = {row["name"] for row in client.query_rows(sql, doing="listing tables")}
    client.close()
    return names


def test_released_migrations_are_never_changed() -> None:
    found = {path.name: path.sha256[:16] for path in load_migrations()}
    for name, sha256 in RELEASED.items():
        assert found.get(name) == sha256, f"{name} was released and has changed: restore it, add a new migration"
    assert found.keys() == RELEASED.keys(), f"add the new migrations to RELEASED: {found}"


def test_all_applied_then_all_undone_leaves_an_empty_database(empty_database: ClickHouseConfiguration) -> None:
    states = migrate(empty_database)
    assert all(state.applied_at is not None for state in states)
    assert {"usage_ledger", "usage_totals", "billable_totals", "reconciliation"} <= tables_in(empty_database)
    undo_all(empty_database)
    assert tables_in(empty_database) == set()
    assert migrate(empty_database)[-1].applied_at is not None


def test_a_second_run_applies_nothing(database: ClickHouseConfiguration) -> None:
    first = schema_state(database)
    assert migrate(database) == first


def test_every_statement_may_run_twice(client: Client) -> None:
    for migration in load_migrations():
        for statement in migration.statements:
            client.command(fill_in(statement, client.configuration), doing=f"repeating {migration.name}")


def test_two_processes_may_migrate_at_once(empty_database: ClickHouseConfiguration) -> None:
    failures: list[Exception] = []

    def run() -> None:
        try:
            migrate(empty_database)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert all(state.applied_at is not None for state in schema_state(empty_database))


def test_a_run_that_was_interrupted_is_finished_by_the_next(empty_database: ClickHouseConfiguration) -> None:
    migrations = load_migrations()
    migrate(empty_database, migrations[:3])
    client = Client.connect(empty_database)
    client.command(fill_in(migrations[3].statements[0], empty_database), doing="applying without recording")
    client.close()
    assert next(state.version for state in schema_state(empty_database) if state.applied_at is None) == 4
    assert all(state.applied_at is not None for state in migrate(empty_database))


def test_a_changed_file_is_refused_before_anything_is_applied(empty_database: ClickHouseConfiguration) -> None:
    migrations = load_migrations()
    migrate(empty_database, migrations[:2])
    before = tables_in(empty_database)
    edited = [migrations[0], replace(migrations[1], sha256="0" * 64), *migrations[2:]]
    with pytest.raises(MigrationChangedError, match=r"0002-usage-ledger\.sql has changed"):
        migrate(empty_database, edited)
    assert tables_in(empty_database) == before


def test_a_database_that_is_ahead_is_refused(database: ClickHouseConfiguration) -> None:
    with pytest.raises(MigrationUnknownError, match="Upgrade tollstream"):
        migrate(database, load_migrations()[:-1])


def test_every_table_column_and_view_says_what_it_is(client: Client) -> None:
    database = client.configuration.database
    for sql in (
        f"SELECT table, name FROM system.columns WHERE database = '{database}' AND comment = ''",
        f"SELECT name FROM system.tables WHERE database = '{database}' AND comment = ''",
    ):
        assert client.query_rows(sql, doing="looking for missing comments") == []


@pytest.mark.parametrize(
    ("table", "schema", "own"),
    [
        ("usage_ledger", tables.LEDGER, ()),
        ("usage_totals", tables.TOTALS, ()),
        ("dead_letters", tables.DEAD_LETTERS, ()),
        ("checkpoints", tables.CHECKPOINTS, ()),
        ("topic_epochs", pins.EPOCHS, ("pinned_at",)),
        ("books", books.BOOKS, ("recorded_at",)),
        ("backfill_grants", pins.GRANTS, ("recorded_at",)),
        ("rerates", RERATES, ("recorded_at",)),
        *((each.table, each.schema, ("recorded_at",)) for each in JOURNALS),
        ("closing_usage", CLOSING_USAGE, ()),
        *((table, schema, ()) for table, schema in STATEMENT_SCHEMAS.items() if table != "credit_grants"),
    ],
)
def test_declared_columns_are_the_real_ones(
    client: Client, table: str, schema: pa.Schema, own: tuple[str, ...]
) -> None:
    sql = f"""
        SELECT name, type FROM system.columns
        WHERE database = '{client.configuration.database}' AND table = '{table}' ORDER BY position
    """
    real = {row["name"]: row["type"] for row in client.query_rows(sql, doing="reading columns")}
    assert list(real) == [*schema.names, *own]
    for field in schema:
        found = real[field.name].removeprefix("Nullable(").removesuffix(")" if "Nullable(" in real[field.name] else "")
        assert found in clickhouse_types(field.type), f"{table}.{field.name} is {real[field.name]}, not {field.type}"


def clickhouse_types(arrow: pa.DataType) -> tuple[str, ...]:
    """ClickHouse types that hold every value of an Arrow type, and nothing narrower."""
    if pt.is_dictionary(arrow):
        return ("LowCardinality(String)",)
    if pt.is_list(arrow):
        return tuple(f"Array({element})" for element in clickhouse_types(arrow.value_type))
    if pt.is_date(arrow):
        return ("Date",)
    if pt.is_timestamp(arrow):
        return ("DateTime('UTC')",) if arrow.unit == "s" else ("DateTime64(6, 'UTC')",)
    if pt.is_decimal(arrow):
        return (f"Decimal({arrow.precision}, {arrow.scale})",)
    if pt.is_map(arrow):
        return ("Map(LowCardinality(String), Decimal(38, 6))",)
    if pt.is_boolean(arrow):
        return ("Bool",)
    if pt.is_integer(arrow):
        return (str(arrow).replace("uint", "UInt").replace("int", "Int"),)
    return ("String", "LowCardinality(String)")


def test_money_tables_are_fsynced_before_they_are_acknowledged(client: Client) -> None:
    sql = f"""
        SELECT name FROM system.tables WHERE database = '{client.configuration.database}'
            AND engine LIKE '%MergeTree%' AND NOT create_table_query LIKE '%fsync_after_insert = 1%'
    """
    assert [row["name"] for row in client.query_rows(sql, doing="asking")] == ["schema_migrations"]


def test_statements_are_split_at_the_delimiter_line_and_nowhere_else() -> None:
    text = "SELECT ';'\n-- next statement\n\n-- next statement\nSELECT '-- next statement' ; -- next statement, too\n"
    assert split_statements(text) == ("SELECT ';'", "SELECT '-- next statement' ; -- next statement, too")


def test_on_a_cluster_tables_are_replicated_and_made_everywhere() -> None:
    configuration = ClickHouseConfiguration("http://ch:8123", database="money", cluster="main")
    for migration in load_migrations():
        for statement in (*migration.statements, *migration.undo):
            filled = fill_in(statement, configuration)
            assert "ON CLUSTER 'main'" in filled
            assert "$" not in filled
            if "ENGINE =" in filled:
                assert "ENGINE = Replicated" in filled


def test_a_gap_in_the_numbers_or_a_missing_undo_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001-a.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="no undo"):
        load_migrations(tmp_path)
    (tmp_path / "0001-a.undo.sql").write_text("SELECT 1")
    assert load_migrations(tmp_path)[0].sha256 == hashlib.sha256(b"SELECT 1").hexdigest()
    (tmp_path / "0003-c.sql").write_text("SELECT 1")
    (tmp_path / "0003-c.undo.sql").write_text("SELECT 1")
    with pytest.raises(MigrationError, match="without gaps"):
        load_migrations(tmp_path)

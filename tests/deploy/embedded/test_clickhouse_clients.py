"""clickhouse-connect's own clients, synchronous and asynchronous, in several processes, notice no difference."""

from __future__ import annotations

import asyncio
import io
import multiprocessing
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import clickhouse_connect
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from sinks.tables import LEDGER
from tests.support.plain_http import ask, packed

NAMES = ["id", "amount", "at", "usage", "tag", "note"]
AT = datetime(2026, 1, 31, 23, 59, 59, 123_456, tzinfo=UTC)
ROWS = [
    [1, Decimal("12345678901234567890.123456789012"), AT, {"input_tokens": Decimal("0.000001")}, "a", None],
    [2, Decimal("-0.000000000001"), AT, {}, "b", "tab\tquote'backslash\\newline\n"],
]


@pytest.mark.parametrize("compress", [False, True, "lz4", "zstd", "gzip"])
def test_rows_come_back_as_they_were_inserted(
    clickhouse_url: str, database: str, table: str, compress: bool | str
) -> None:
    client = clickhouse_connect.get_client(dsn=clickhouse_url, database=database, compress=compress, tz_mode="aware")

    summary = client.insert(table, ROWS, column_names=NAMES)

    assert summary.written_rows == 2
    assert [list(row) for row in client.query(f"SELECT * FROM {table} ORDER BY id").result_rows] == ROWS
    client.close()


def test_parameters_are_bound_by_the_engine(client: Client) -> None:
    awkward = "tab\tquote'backslash\\newline\nend"
    answer = client.query(
        "SELECT {text:String}, {amount:Decimal(38, 12)}, {at:DateTime64(6, 'UTC')}, {ids:Array(UInt8)}, "
        "{none:Nullable(String)}",
        parameters={"text": awkward, "amount": Decimal("1.5"), "at_64": AT, "ids": [1, 2], "none": None},
    )

    assert answer.result_rows[0][0] == awkward
    assert answer.result_rows[0][1:] == (Decimal("1.5"), AT, [1, 2], None)


def test_frames_and_arrow_go_both_ways(client: Client, table: str) -> None:
    arrow = pa.table({"id": pa.array([7, 8], pa.uint64()), "tag": ["x", "y"]})
    client.insert_arrow(table, arrow)
    client.insert_df(table, pd.DataFrame({"id": [9], "tag": ["z"]}))

    assert client.query_arrow(f"SELECT id, tag FROM {table} ORDER BY id").to_pylist() == [
        {"id": 7, "tag": "x"},
        {"id": 8, "tag": "y"},
        {"id": 9, "tag": "z"},
    ]
    assert client.query_df(f"SELECT id FROM {table} ORDER BY id")["id"].tolist() == [7, 8, 9]


def test_an_empty_result_keeps_its_columns(client: Client, table: str) -> None:
    assert client.query_arrow(f"SELECT id, amount FROM {table}").column_names == ["id", "amount"]
    assert client.query(f"SELECT id, amount FROM {table} LIMIT 0").column_names == ("id", "amount")
    assert client.query(f"SELECT id, amount FROM {table}").result_rows == []
    assert client.command(f"SELECT note FROM {table}") == ""


def test_raw_streams_of_many_blocks_arrive_whole(client: Client) -> None:
    with client.query_row_block_stream("SELECT number FROM numbers(300000)") as blocks:
        total = sum(row[0] for block in blocks for row in block)
    raw = client.raw_stream("SELECT number FROM numbers(300000)", fmt="RowBinary").read()  # type: ignore[union-attr]
    with client.query_arrow_stream("SELECT number FROM numbers(300000)") as tables:
        rows = sum(part.num_rows for part in tables)

    assert total == 299_999 * 150_000
    assert raw == b"".join(number.to_bytes(8, "little") for number in range(300_000))
    assert rows == 300_000


@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT 1 IN (SELECT map(1, 2))", 53, "TYPE_MISMATCH"),
        ("SELECT nothing FROM system.one", 47, "UNKNOWN_IDENTIFIER"),
        ("SELECT throwIf(1)", 395, "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_an_error_carries_the_engines_code_and_name(client: Client, query: str, code: int, name: str) -> None:
    with pytest.raises(DatabaseError) as failed:
        client.query(query)

    assert f"code: {code}" in str(failed.value)
    assert name in str(failed.value)


def test_an_error_in_the_middle_of_a_stream_is_an_error(client: Client) -> None:
    # The engine works ahead of what is read by a few blocks: the error has to be many blocks away.
    query = "SELECT number, throwIf(number = 900000) FROM numbers(1000000)"
    small_blocks = {"max_block_size": 5_000, "max_threads": 1}
    with (
        client.query_row_block_stream(query, settings=small_blocks) as blocks,
        pytest.raises(StreamFailureError, match="395"),
    ):
        for _ in blocks:
            pass


def test_settings_reach_the_engine_and_no_further_than_their_statement(client: Client) -> None:
    setting = "SELECT getSetting('max_block_size')"

    assert client.query(setting, settings={"max_block_size": 1_234}).result_rows == [(1_234,)]
    assert client.query(setting).result_rows != [(1_234,)]
    with pytest.raises(DatabaseError, match="115"):
        client.query("SELECT 1", settings={"no_such_setting": 1})


def test_a_session_remembers_and_another_does_not(clickhouse_url: str, client: Client) -> None:
    other = clickhouse_connect.get_client(dsn=clickhouse_url)
    client.command("CREATE TEMPORARY TABLE mine (a UInt8)")
    client.command("INSERT INTO mine VALUES (5)")
    client.command("SET max_block_size = 4321")

    assert client.query("SELECT a FROM mine", settings={"max_threads": 1}).result_rows == [(5,)]
    assert client.query("SELECT getSetting('max_block_size')").result_rows == [(4_321,)]
    assert other.query("SELECT getSetting('max_block_size')").result_rows != [(4_321,)]
    with pytest.raises(DatabaseError, match="60"):
        other.query("SELECT a FROM mine")
    other.close()


def test_external_data_is_a_table_for_one_statement(client: Client) -> None:
    external = ExternalData(
        file_name="given.csv", data=b"1,one\n2,two\n", fmt="CSV", structure=["id UInt8", "word String"]
    )

    assert client.query("SELECT word FROM given WHERE id = 2", external_data=external).result_rows == [("two",)]


@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_raw_inserts_of_every_shape_arrive(client: Client, table: str, compression: str | None) -> None:
    lines = b"".join(b'{"id": %d, "tag": "x"}\n' % number for number in range(20_000))
    block: Any = io.BytesIO(lines) if compression is None else packed(compression, lines)

    client.raw_insert(table, ["id", "tag"], block, fmt="JSONEachRow", compression=compression)

    assert client.query(f"SELECT count(), sum(id) FROM {table}").result_rows == [(20_000, 199_990_000)]


async def test_the_asynchronous_client_works_too(clickhouse_url: str, database: str, table: str) -> None:
    client = await clickhouse_connect.get_async_client(
        dsn=clickhouse_url, database=database, autogenerate_session_id=False, tz_mode="aware"
    )
    try:
        await client.insert(table, ROWS, column_names=NAMES)
        found, counted, arrow = await asyncio.gather(
            client.query(f"SELECT * FROM {table} ORDER BY id"),
            client.query(f"SELECT count() FROM {table}"),
            client.query_arrow(f"SELECT id FROM {table}"),
        )
        with pytest.raises(DatabaseError, match="code: 60"):
            await client.query("SELECT * FROM nowhere")
        stream = await client.query_row_block_stream("SELECT number FROM numbers(200000)")
        rows = 0
        async with stream:
            async for block in stream:
                rows += len(block)
    finally:
        await client.close()

    assert [list(row) for row in found.result_rows] == ROWS
    assert (counted.result_rows, arrow.num_rows, rows) == ([(2,)], 2, 200_000)


def test_the_ledger_goes_in_as_arrow(client: Client) -> None:
    columns = ", ".join(f"{field.name} {_type_of(field)}" for field in LEDGER)
    client.command(f"CREATE TABLE ledger_like ({columns}) ENGINE = Memory")
    row = {field.name: _value_of(field) for field in LEDGER}
    rows = pa.Table.from_pylist([row] * 3, schema=LEDGER)

    client.insert_arrow("ledger_like", rows)

    assert client.query_arrow("SELECT * FROM ledger_like").num_rows == 3
    assert client.query("SELECT sum(customer_charge), any(usage) FROM ledger_like").result_rows == [
        (Decimal("4.5"), {"input_tokens": Decimal("1.5")})
    ]


def _insert_and_count(url: str, table: str, first: int) -> int:
    client = clickhouse_connect.get_client(dsn=url, autogenerate_session_id=False)
    for start in range(first, first + 5):
        client.insert(table, [[start * 10 + number, str(first)] for number in range(10)], column_names=["id", "tag"])
    return int(client.query(f"SELECT count() FROM {table} WHERE tag = '{first}'").result_rows[0][0])


def test_several_processes_insert_and_read_at_once(clickhouse_url: str, database: str, table: str) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        counts = pool.starmap(
            _insert_and_count, [(clickhouse_url, f"{database}.{table}", n) for n in (0, 1_000, 2_000)]
        )

    assert counts == [50, 50, 50]
    assert ask(clickhouse_url, f"SELECT count(), uniqExact(id) FROM {database}.{table}").body == b"150\t150\n"


def test_a_slow_statement_holds_up_nobody(clickhouse_url: str) -> None:
    slow = threading.Thread(target=ask, args=(clickhouse_url, "SELECT sleepEachRow(1) FROM numbers(3) FORMAT Null"))
    slow.start()
    time.sleep(0.2)

    assert ask(clickhouse_url, "SELECT 1").body == b"1\n"
    assert slow.is_alive()
    slow.join()


def _type_of(field: pa.Field) -> str:
    if pa.types.is_dictionary(field.type):
        return "LowCardinality(String)"
    if pa.types.is_decimal(field.type):
        return "Nullable(Decimal(38, 12))"
    if pa.types.is_map(field.type):
        return "Map(LowCardinality(String), Decimal(38, 6))"
    if pa.types.is_timestamp(field.type):
        return "DateTime('UTC')" if field.type.unit == "s" else "DateTime64(6, 'UTC')"
    return "String" if pa.types.is_string(field.type) else str(field.type).replace("int", "Int").replace("uInt", "UInt")


def _value_of(field: pa.Field) -> Any:
    if pa.types.is_decimal(field.type):
        return Decimal("1.5")
    if pa.types.is_map(field.type):
        return [("input_tokens", Decimal("1.5"))]
    if pa.types.is_timestamp(field.type):
        return AT.replace(microsecond=0)
    return 1 if pa.types.is_integer(field.type) else field.name

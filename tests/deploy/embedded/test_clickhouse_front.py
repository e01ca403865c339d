"""The front speaks ClickHouse's protocol: clickhouse-connect's own clients work, and so does plain HTTP."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import multiprocessing
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

import clickhouse_connect
import cramjam
import pandas as pd
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

from deploy.embedded.clickhouse_front import native_blocks
from sinks.tables import LEDGER

COLUMNS = (
    "id UInt64, amount Decimal(38, 12), at DateTime64(6, 'UTC'), usage Map(LowCardinality(String), Decimal(38, 6)), "
    "tag LowCardinality(String), note Nullable(String)"
)
NAMES = ["id", "amount", "at", "usage", "tag", "note"]
AT = datetime(2026, 1, 31, 23, 59, 59, 123_456, tzinfo=UTC)
ROWS = [
    [1, Decimal("12345678901234567890.123456789012"), AT, {"input_tokens": Decimal("0.000001")}, "a", None],
    [2, Decimal("-0.000000000001"), AT, {}, "b", "tab\tquote'backslash\\newline\n"],
]


@pytest.fixture(scope="module")
def database(clickhouse_url: str) -> Iterator[str]:
    """A database of this module's own."""
    name = f"front_{uuid.uuid4().hex[:8]}"
    client = clickhouse_connect.get_client(dsn=clickhouse_url)
    client.command(f"CREATE DATABASE {name}")
    yield name
    client.command(f"DROP DATABASE {name} SYNC")
    client.close()


@pytest.fixture
def client(clickhouse_url: str, database: str) -> Iterator[Client]:
    connected = clickhouse_connect.get_client(dsn=clickhouse_url, database=database, tz_mode="aware")
    yield connected
    connected.close()


@pytest.fixture
def table(client: Client) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:8]}"
    client.command(f"CREATE TABLE {name} ({COLUMNS}) ENGINE = MergeTree ORDER BY id SETTINGS fsync_after_insert = 1")
    yield name
    client.command(f"DROP TABLE {name} SYNC")


class Answer:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()


def ask(
    url: str, body: Any = None, *, method: str = "POST", headers: dict[str, str] | None = None, **parameters: str
) -> Answer:
    """One plain HTTP request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    try:
        connection.request(method, "/?" + urlencode(parameters), body, headers or {})
        return Answer(connection.getresponse())
    finally:
        connection.close()


# clickhouse-connect


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
    query = "SELECT number, throwIf(number = 250000) FROM numbers(300000)"
    with pytest.raises(StreamFailureError, match="395"), client.query_row_block_stream(query) as blocks:
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
    block: Any = io.BytesIO(lines) if compression is None else _packed(compression, lines)

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


# Several at once


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
    begun = time.monotonic()

    assert ask(clickhouse_url, "SELECT 1").body == b"1\n"
    assert time.monotonic() - begun < 2
    slow.join()


# Plain HTTP


def test_ping_and_status_answer(clickhouse_url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=5)
    for path in ("/ping", "/replicas_status", "/"):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"Ok.\n")
    connection.close()


def test_headers_that_clients_look_for_are_there(clickhouse_url: str) -> None:
    fine = ask(
        clickhouse_url, "SELECT number FROM numbers(3) FORMAT JSONEachRow", query_id="mine", wait_end_of_query="1"
    )
    wrong = ask(clickhouse_url, "SELECT * FROM nowhere", query_id="yours")

    assert fine.headers["X-ClickHouse-Query-Id"] == "mine"
    assert fine.headers["X-ClickHouse-Format"] == "JSONEachRow"
    assert fine.headers["X-ClickHouse-Timezone"] == "UTC"
    assert fine.headers["X-ClickHouse-Server-Display-Name"]
    assert json.loads(fine.headers["X-ClickHouse-Summary"])["result_rows"] == "3"
    assert (wrong.status, wrong.headers["X-ClickHouse-Exception-Code"]) == (404, "60")
    assert wrong.headers["X-ClickHouse-Query-Id"] == "yours"
    assert wrong.body.startswith(b"Code: 60. DB::Exception: ")
    assert b"(UNKNOWN_TABLE) (version " in wrong.body


@pytest.mark.parametrize("wait", ["0", "1"])
def test_the_query_may_stand_in_the_url_or_the_body_or_both(clickhouse_url: str, wait: str) -> None:
    assert ask(clickhouse_url, query="SELECT 1", method="GET", wait_end_of_query=wait).body == b"1\n"
    assert ask(clickhouse_url, b"SELECT 2", wait_end_of_query=wait).body == b"2\n"
    assert ask(clickhouse_url, b"3", query="SELECT", wait_end_of_query=wait).body == b"3\n"
    assert ask(clickhouse_url, b"SELECT 4", default_format="JSONEachRow", wait_end_of_query=wait).body == b'{"4":4}\n'
    assert ask(clickhouse_url, b"SELECT {x:UInt8}", param_x="5", wait_end_of_query=wait).body == b"5\n"


DATA = {
    "Native": None,
    "RowBinary": b"".join(number.to_bytes(8, "little") + b"\x01x" for number in range(2)),
    "RowBinaryWithNamesAndTypes": b"\x02\x02id\x03tag\x06UInt64\x16LowCardinality(String)"
    + b"".join(number.to_bytes(8, "little") + b"\x01x" for number in range(2)),
    "JSONEachRow": b'{"id": 0, "tag": "x"}\n{"id": 1, "tag": "x"}\n',
    "CSV": b'0,"x"\n1,"x"\n',
    "TabSeparated": b"0\tx\n1\tx\n",
    "Values": b"(0, 'x'), (1, 'x')",
    "Parquet": None,
    "Arrow": None,
    "ArrowStream": None,
}


@pytest.mark.parametrize("place", ["url", "body", "split"])
@pytest.mark.parametrize("name", list(DATA))
def test_every_input_format_arrives_wherever_the_statement_stands(
    clickhouse_url: str, database: str, table: str, name: str, place: str
) -> None:
    data = DATA[name]
    if data is None:
        data = ask(clickhouse_url, f"SELECT number AS id, 'x' AS tag FROM numbers(2) FORMAT {name}").body
    statement = f"INSERT INTO {table} (id, tag) FORMAT {name}"
    if place == "url":
        answer = ask(clickhouse_url, data, query=statement, database=database)
    elif place == "body":
        answer = ask(clickhouse_url, statement.encode() + b"\n" + data, database=database)
    else:
        # In pieces that end in the middle of the format's name, and before the line's end.
        pieces = _slowly([statement[:-2].encode(), statement[-2:].encode(), b"\n", data[:3], data[3:]])
        answer = ask(clickhouse_url, pieces, database=database)

    assert answer.status == 200, answer.body
    assert json.loads(answer.headers["X-ClickHouse-Summary"])["written_rows"] == "2"
    assert ask(clickhouse_url, f"SELECT count(), sum(id) FROM {table}", database=database).body == b"2\t1\n"


def test_values_may_stand_in_the_statement_or_behind_it(clickhouse_url: str, database: str, table: str) -> None:
    ask(clickhouse_url, f"INSERT INTO {table} (id) VALUES (1), (2)", database=database)
    ask(clickhouse_url, b"(3), (4)", query=f"INSERT INTO {table} (id) VALUES", database=database)
    ask(clickhouse_url, f"INSERT INTO {table} (id) SELECT 5", database=database)

    assert ask(clickhouse_url, f"SELECT sum(id) FROM {table}", database=database).body == b"15\n"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd", "lz4", "br"])
@pytest.mark.parametrize("wait", ["0", "1"])
def test_every_coding_works_in_both_directions(clickhouse_url: str, coding: str, wait: str) -> None:
    query = b"SELECT number FROM numbers(200000) FORMAT RowBinary"
    plain = ask(clickhouse_url, query).body
    packed = ask(
        clickhouse_url,
        _packed(coding, query),
        headers={"Content-Encoding": coding, "Accept-Encoding": coding},
        enable_http_compression="1",
        wait_end_of_query=wait,
    )

    assert packed.headers["Content-Encoding"] == coding
    assert len(packed.body) < len(plain)
    assert _unpacked(coding, packed.body) == plain


def test_clickhouses_own_compression_works_in_both_directions(clickhouse_url: str, database: str, table: str) -> None:
    body = native_blocks.pack(memoryview(f"INSERT INTO {table} (id) FORMAT RowBinary\n".encode() + bytes(80)))
    answer = ask(clickhouse_url, body, decompress="1", database=database)
    packed = ask(clickhouse_url, f"SELECT count() FROM {table}", compress="1", database=database)

    assert answer.status == 200, answer.body
    assert bytes(native_blocks.unpack(packed.body)) == b"10\n"


def test_a_body_that_is_not_in_its_coding_is_an_error(clickhouse_url: str) -> None:
    answer = ask(clickhouse_url, b"SELECT 1", headers={"Content-Encoding": "zstd"})

    assert answer.headers["X-ClickHouse-Exception-Code"] == "271"


def test_compression_is_only_used_when_asked_for(clickhouse_url: str) -> None:
    answer = ask(clickhouse_url, b"SELECT 1", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] is None
    assert answer.body == b"1\n"


def test_a_wrong_type_in_an_insert_leaves_nothing_behind(clickhouse_url: str, database: str, table: str) -> None:
    answer = ask(clickhouse_url, b"1\nzwei\n", query=f"INSERT INTO {table} (id) FORMAT TSV", database=database)

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (400, "27")
    assert ask(clickhouse_url, f"SELECT count() FROM {table}", database=database).body == b"0\n"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Basic bm9ib2R5Og=="},  # nobody, no password
        {"X-ClickHouse-User": "nobody"},
        {"Authorization": "Bearer token"},
        {"Origin": "https://example.org"},
        {"Host": "rebound.example.org"},
    ],
)
def test_other_users_and_other_machines_pages_are_refused(clickhouse_url: str, headers: dict[str, str]) -> None:
    answer = ask(clickhouse_url, b"SELECT 1", headers=headers)

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_the_default_user_is_accepted_however_it_is_named(clickhouse_url: str) -> None:
    for headers, parameters in (
        ({"Authorization": "Basic ZGVmYXVsdDo="}, {}),
        ({"X-ClickHouse-User": "default", "X-ClickHouse-Key": ""}, {}),
        ({}, {"user": "default", "password": ""}),
    ):
        assert ask(clickhouse_url, b"SELECT 1", headers=headers, **parameters).body == b"1\n"


@pytest.mark.parametrize("wait", ["0", "1"])
def test_statements_of_every_kind_are_answered(clickhouse_url: str, database: str, table: str, wait: str) -> None:
    answers = {
        statement: ask(clickhouse_url, statement, database=database, wait_end_of_query=wait)
        for statement in (
            f"SHOW CREATE TABLE {table}",
            "SHOW TABLES",
            f"DESCRIBE {table}",
            f"EXISTS TABLE {table}",
            f"EXPLAIN SELECT * FROM {table}",
            f"CHECK TABLE {table}",
            "WITH 1 AS x SELECT x UNION ALL SELECT 2",
            "(SELECT 1) UNION ALL (SELECT 2)",
            "FROM numbers(3) SELECT number",
            "SELECT 1 FORMAT Null",
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS extra UInt8",
            f"OPTIMIZE TABLE {table} FINAL",
            f"TRUNCATE TABLE {table}",
            f"SYSTEM STOP MERGES {table}",
            f"SYSTEM START MERGES {table}",
            "SET max_threads = 1",
            "USE default",
            "KILL QUERY WHERE query_id = 'none'",
        )
    }

    assert {statement: answer.body for statement, answer in answers.items() if answer.status != 200} == {}
    with_format = {statement for statement, answer in answers.items() if answer.headers["X-ClickHouse-Format"]}
    assert with_format == {statement for statement in answers if not statement.startswith(SILENT)}


SILENT = ("ALTER", "OPTIMIZE", "TRUNCATE", "SYSTEM", "SET", "USE")


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_that_breaks_off_inserts_nothing(
    clickhouse_url: str, database: str, table: str, chunked: bool
) -> None:
    query = urlencode({"query": f"INSERT INTO {table} (id) FORMAT TSV", "database": database})
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 1000"
    body = b"4\r\n1\n2\n\r\n" if chunked else b"1\n2\n"
    with socket.create_connection(("127.0.0.1", urlsplit(clickhouse_url).port or 0)) as connection:
        connection.sendall(f"POST /?{query} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n\r\n".encode() + body)
        time.sleep(0.2)
    time.sleep(0.3)

    assert ask(clickhouse_url, f"SELECT count() FROM {table}", database=database).body == b"0\n"


def test_a_get_request_cannot_write(clickhouse_url: str) -> None:
    answer = ask(clickhouse_url, method="GET", query="CREATE DATABASE never")

    assert answer.headers["X-ClickHouse-Exception-Code"] == "164"
    assert ask(clickhouse_url, "SELECT count() FROM system.databases WHERE name = 'never'").body == b"0\n"


def test_an_unknown_database_is_an_error(clickhouse_url: str) -> None:
    answer = ask(clickhouse_url, b"SELECT 1", database="nowhere")

    assert (answer.status, answer.headers["X-ClickHouse-Exception-Code"]) == (404, "81")


def test_a_client_that_goes_away_leaves_the_front_well(clickhouse_url: str) -> None:
    for _ in range(20):
        connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=5)
        connection.request("POST", "/", b"SELECT number, repeat('x', 1000) FROM numbers(1000000) FORMAT RowBinary")
        connection.getresponse().read(10)
        connection.close()

    assert ask(clickhouse_url, "SELECT 1").body == b"1\n"


def _slowly(pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        time.sleep(0.02)


def _packed(coding: str, data: bytes) -> bytes:
    codecs = {
        "gzip": cramjam.gzip,
        "deflate": cramjam.zlib,
        "zstd": cramjam.zstd,
        "lz4": cramjam.lz4,
        "br": cramjam.brotli,
    }
    return bytes(codecs[coding].compress(data))


def _unpacked(coding: str, data: bytes) -> bytes:
    codecs = {
        "gzip": cramjam.gzip,
        "deflate": cramjam.zlib,
        "zstd": cramjam.zstd,
        "lz4": cramjam.lz4,
        "br": cramjam.brotli,
    }
    return bytes(codecs[coding].decompress(data))


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

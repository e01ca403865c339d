"""The front over plain HTTP: statements, data, codings, errors and refusals, as a ClickHouse server gives them."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

import pytest

from deploy.embedded.clickhouse_front import native_blocks
from tests.support.plain_http import ask, packed, unpacked

ROOT = Path(__file__).resolve().parents[3]


def test_ping_and_status_answer(clickhouse_url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=60)
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


@pytest.mark.parametrize("session", [{}, {"session_id": "analyst"}])
def test_no_clients_read_trusts_the_cache_of_conditions(clickhouse_url: str, session: dict[str, Any]) -> None:
    """As on a server with deploy/clickhouse/exact-reads.xml, which says why."""
    profile = ElementTree.parse(ROOT / "deploy" / "clickhouse" / "exact-reads.xml").find("./profiles/default")
    assert profile is not None
    for setting in profile:
        sql = f"SELECT value FROM system.settings WHERE name = '{setting.tag}'"
        assert ask(clickhouse_url, sql, **session).body.decode().strip() == setting.text


# Statements that answer with nothing, not even an empty result.
SILENT = ("ALTER", "OPTIMIZE", "TRUNCATE", "SYSTEM", "SET", "USE")

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
    answer = ask(
        clickhouse_url,
        packed(coding, query),
        headers={"Content-Encoding": coding, "Accept-Encoding": coding},
        enable_http_compression="1",
        wait_end_of_query=wait,
    )

    assert answer.headers["Content-Encoding"] == coding
    assert len(answer.body) < len(plain)
    assert unpacked(coding, answer.body) == plain


def test_clickhouses_own_compression_works_in_both_directions(clickhouse_url: str, database: str, table: str) -> None:
    body = native_blocks.pack(memoryview(f"INSERT INTO {table} (id) FORMAT RowBinary\n".encode() + bytes(80)))
    answer = ask(clickhouse_url, body, decompress="1", database=database)
    counted = ask(clickhouse_url, f"SELECT count() FROM {table}", compress="1", database=database)

    assert answer.status == 200, answer.body
    assert bytes(native_blocks.unpack(counted.body)) == b"10\n"


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
    for _ in range(5):
        connection = http.client.HTTPConnection(urlsplit(clickhouse_url).netloc, timeout=60)
        connection.request("POST", "/", b"SELECT number, repeat('x', 1000) FROM numbers(100000) FORMAT RowBinary")
        connection.getresponse().read(10)
        connection.close()

    assert ask(clickhouse_url, "SELECT 1").body == b"1\n"


def _slowly(pieces: list[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece
        time.sleep(0.02)

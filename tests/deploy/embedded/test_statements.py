"""What a statement is, where its data starts, which format it names."""

from __future__ import annotations

import pytest

from deploy.embedded.clickhouse_front.failures import EngineFailure
from deploy.embedded.clickhouse_front.statements import analyse

# statement, format it names
FORMATS = [
    (b"SELECT 1 FORMAT Native", "Native"),
    (b"SELECT 1\n FORMAT JSON;", "JSON"),
    (b"SELECT 1 FORMAT JSON SETTINGS max_threads = 1", "JSON"),
    (b"SELECT 1 SETTINGS max_threads = 1 FORMAT JSON", "JSON"),
    (b"SELECT 1 -- FORMAT CSV", None),
    (b"SELECT ' FORMAT CSV'", None),
    (b"SELECT 'it''s \\' FORMAT CSV' FORMAT TSV", "TSV"),
    (b"SELECT $$ FORMAT CSV $$", None),
    (b"SELECT format FROM t", None),
    (b"SELECT x format FROM t WHERE y", None),
    (b"SELECT (SELECT 1 AS format x)", None),
    (b"/* first */ select 1 format Arrow", "Arrow"),
    (b"SHOW TABLES", None),
]

# statement with data, its data
INSERTS = [
    (b"INSERT INTO t FORMAT Native\n\x01\x02", b"\x01\x02"),
    (b"INSERT INTO t (a, b) FORMAT CSV 1,2", b"1,2"),
    (b"INSERT INTO t FORMAT CSV\r\n1,2", b"1,2"),
    (b"insert into t format csv\n\n1", b"\n1"),
    (b"INSERT INTO `FORMAT` (`VALUES`) FORMAT TSV\nx", b"x"),
    (b"INSERT INTO t SETTINGS async_insert = 0 FORMAT TSV\nSELECT", b"SELECT"),
    (b"-- why\nINSERT INTO t FORMAT JSONEachRow {}", b"{}"),
]


@pytest.mark.parametrize(("text", "name"), FORMATS)
def test_the_format_of_a_result_is_the_last_clause_and_nothing_else(text: bytes, name: str | None) -> None:
    statement = analyse(text)

    assert (statement.format, statement.returns_rows, statement.data_start) == (name, True, None)


@pytest.mark.parametrize(("text", "data"), INSERTS)
def test_data_of_an_insert_starts_behind_its_format(text: bytes, data: bytes) -> None:
    statement = analyse(text)

    assert statement.data_start is not None
    assert text[statement.data_start :] == data
    assert not statement.returns_rows


@pytest.mark.parametrize(
    "text", [b"INSERT INTO t VALUES (1)", b"INSERT INTO t SELECT 1", b"INSERT INTO t VALUES ('FORMAT CSV')"]
)
def test_an_insert_without_a_format_is_left_whole(text: bytes) -> None:
    statement = analyse(text)

    assert (statement.data_start, statement.text) == (None, text)


def test_the_file_comes_before_the_settings_of_an_insert() -> None:
    statement = analyse(b"INSERT INTO t (a) SETTINGS x = 1 FORMAT CSV\n1")

    assert (
        statement.reading_from("/f")
        == b"INSERT INTO t (a) FROM INFILE '/f' COMPRESSION 'none' SETTINGS x = 1 FORMAT CSV"
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", 62),
        (b" -- nothing\n", 62),
        (b"SELECT 1; SELECT 2", 62),
        (b"SELECT 1 INTO OUTFILE '/tmp/x'", 358),
        (b"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV", 48),
    ],
)
def test_what_the_http_interface_refuses_never_reaches_the_engine(text: bytes, code: int) -> None:
    with pytest.raises(EngineFailure) as refused:
        analyse(text)

    assert refused.value.code == code


@pytest.mark.parametrize("text", [b"SELECT 1;", b"SELECT ';'", b"SELECT 1 /* ; */;  -- end"])
def test_a_semicolon_at_the_end_or_inside_is_no_second_statement(text: bytes) -> None:
    assert analyse(text).text == text


@pytest.mark.parametrize(
    ("text", "reads", "remembers"),
    [
        (b"SELECT 1", True, False),
        (b"(SELECT 1)", True, False),
        (b"SET max_threads = 1", True, True),
        (b"CREATE TEMPORARY TABLE x (a Int8)", False, True),
        (b"CREATE TABLE x (a Int8) ENGINE = Memory", False, False),
        (b"DROP TABLE x", False, False),
    ],
)
def test_reading_writing_and_remembering_are_told_apart(text: bytes, reads: bool, remembers: bool) -> None:
    statement = analyse(text)

    assert (statement.only_reads, statement.changes_session) == (reads, remembers)

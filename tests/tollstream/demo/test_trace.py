"""The trace reader against the oddities of the real file and against broken rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollstream.demo.trace import Request, TraceError, read_trace

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "trace.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_seven_fraction_digits_crlf_and_no_final_line_end_are_read(tmp_path: Path) -> None:
    text = f"{HEADER}\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109"
    assert read_trace(write(tmp_path, text)) == [Request(0, 374, 44), Request(4_314_579, 396, 109)]


def test_what_is_finer_than_a_microsecond_is_cut_off_and_fractions_may_be_short_or_absent(tmp_path: Path) -> None:
    text = f"{HEADER}\n2024-02-29 23:59:59,1,1\n2024-02-29 23:59:59.5,2,2\n2024-03-01 00:00:00.0000019,3,3\n"
    assert [request.microsecond for request in read_trace(write(tmp_path, text))] == [0, 500_000, 1_000_001]


def test_rows_out_of_order_are_sorted_by_time(tmp_path: Path) -> None:
    text = f"{HEADER}\n2023-11-16 18:15:48.0000000,2,2\n2023-11-16 18:15:47.0000000,1,1\n"
    assert read_trace(write(tmp_path, text)) == [Request(0, 1, 1), Request(1_000_000, 2, 2)]


def test_a_byte_order_mark_is_not_part_of_the_header(tmp_path: Path) -> None:
    text = f"\ufeff{HEADER}\r\n2023-11-16 18:15:46.6805900,374,44"
    assert len(read_trace(write(tmp_path, text))) == 1


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2023-11-16 18:15:46.68059001,1,1", "line 3: TIMESTAMP '2023-11-16 18:15:46.68059001' is not of the form"),
        ("2023-13-16 18:15:46.6805900,1,1", "line 3: TIMESTAMP '2023-13-16 18:15:46.6805900': month"),
        ("2023-11-16T18:15:46Z,1,1", "line 3: TIMESTAMP '2023-11-16T18:15:46Z' is not of the form"),
        ("2023-11-16 18:15:46.6805900,-1,1", "line 3: ContextTokens '-1' is not a whole number"),
        ("2023-11-16 18:15:46.6805900,1,1.5", "line 3: GeneratedTokens '1.5' is not a whole number"),
        ("2023-11-16 18:15:46.6805900,1,", "line 3: GeneratedTokens '' is not a whole number"),
        ("2023-11-16 18:15:46.6805900,1,9999999999", "line 3: GeneratedTokens '9999999999' is not a whole number"),
        ("2023-11-16 18:15:46.6805900,1", "line 3: expected 3 columns, found 2"),
        ("", "line 3: expected 3 columns, found 0"),
    ],
)
def test_a_bad_row_is_an_error_with_its_line_number(tmp_path: Path, row: str, sentence: str) -> None:
    path = write(tmp_path, f"{HEADER}\r\n2023-11-16 18:15:46.6805900,374,44\r\n{row}\r\n2023-11-16 18:15:47.0,1,1")
    with pytest.raises(TraceError, match="^" + str(path)) as raised:
        read_trace(path)
    assert sentence in str(raised.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty; expected the header TIMESTAMP,"),
        (HEADER.encode(), "has no requests after the header"),
        (b"time,in,out\n1,2,3\n", "line 1: expected the header TIMESTAMP,ContextTokens,GeneratedTokens, found 'time"),
        (HEADER.encode() + b"\n\xff\xfe,1,1\n", "not a text file in UTF-8"),
    ],
)
def test_what_is_not_a_trace_is_refused_with_what_was_expected(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(TraceError) as raised:
        read_trace(write(tmp_path, content))
    assert sentence in str(raised.value)


def test_a_file_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read: No such file"):
        read_trace(tmp_path / "none.csv")

"""Reads a request trace in the CSV format of the Azure LLM inference traces.

Format  TIMESTAMP,ContextTokens,GeneratedTokens: one request a row, `YYYY-MM-DD HH:MM:SS.fffffff` without a zone.
        Seven fraction digits (Python's %f takes six; what is finer than 1 µs is cut off), CRLF, and no line end after
        the last row. Rows out of order are sorted.
Shapes  read_trace(path) -> requests in order of time, placed relative to the first one.
Errors  TraceError names the file, the line and what was expected there.
Source  https://github.com/Azure/AzurePublicDataset, AzureLLMInferenceDataset2023.md (CC-BY 4.0).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tollstream.errors import UserError

HEADER = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"]
TOKENS_MAX = 10**9  # far beyond any model's context: a larger number is a broken row
_TIMESTAMP = re.compile(r"(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})(?:\.(\d{1,7}))?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TraceError(UserError):
    """The file is not a readable trace; the text says where and what was expected."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a trace: when it came, relative to the first (µs), and its tokens in and out."""

    microsecond: int
    context_tokens: int
    generated_tokens: int


def read_trace(path: Path) -> list[Request]:
    """Every request of the file in order of time, the first at microsecond 0. Raises TraceError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            requests = sorted(_rows(path, lines), key=lambda request: request.microsecond)
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not a text file in UTF-8 (byte {error.start}); expected a trace as CSV") from None
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not requests:
        raise TraceError(f"{path}: has no requests after the header")
    start = requests[0].microsecond
    return [Request(each.microsecond - start, each.context_tokens, each.generated_tokens) for each in requests]


def _rows(path: Path, lines: Iterable[str]) -> Iterator[Request]:
    reader = csv.reader(lines)
    try:
        header = next(reader, None)
        if header is None:
            raise TraceError(f"{path}: the file is empty; expected the header {','.join(HEADER)}")
        if header != HEADER:
            raise TraceError(f"{path}, line 1: expected the header {','.join(HEADER)}, found {','.join(header)[:80]!r}")
        for row in reader:
            try:
                yield _request(row)
            except ValueError as error:
                raise TraceError(f"{path}, line {reader.line_num}: {error}") from None
    except csv.Error as error:
        raise TraceError(f"{path}, line {reader.line_num}: not CSV: {error}") from None


def _request(row: list[str]) -> Request:
    if len(row) != len(HEADER):
        raise ValueError(f"expected {len(HEADER)} columns, found {len(row)}")
    return Request(_microsecond(row[0]), _tokens(HEADER[1], row[1]), _tokens(HEADER[2], row[2]))


def _microsecond(text: str) -> int:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"TIMESTAMP {text[:40]!r} is not of the form YYYY-MM-DD HH:MM:SS.fffffff")
    try:
        moment = datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
    except ValueError as error:
        raise ValueError(f"TIMESTAMP {text!r}: {error}") from None
    seconds = moment - _EPOCH
    return (seconds.days * 86_400 + seconds.seconds) * 1_000_000 + int((match[2] or "0").ljust(7, "0")[:6])


def _tokens(column: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) > TOKENS_MAX:
        raise ValueError(f"{column} {text[:40]!r} is not a whole number between 0 and {TOKENS_MAX}")
    return int(text)

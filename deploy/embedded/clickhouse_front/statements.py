"""Just enough of ClickHouse's grammar to route a statement: what it is, its format, where its data starts.

The engine parses; this looks at tokens outside brackets, quotes and comments, and never rewrites what is inside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.embedded.clickhouse_front.failures import EngineFailure

_TOKEN = re.compile(
    rb"""
      (?P<blank> \s+ | --[^\n]* | \#[\ !][^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | \$(\w*)\$.*?\$\3\$ )
    | (?P<word> [A-Za-z_]\w* )
    | (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<other> \d[\w.]* | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_RESULT_WORDS = frozenset(
    (b"SELECT", b"WITH", b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK", b"VALUES", b"FROM", b"KILL")
)
_READING_WORDS = _RESULT_WORDS - {b"KILL"} | {b"SET", b"USE"}
_SESSION_WORDS = frozenset((b"SET", b"USE"))


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a request."""

    text: bytes  # without the data of an insert
    first_word: bytes  # upper case; b"" when it does not start with a word
    format: str | None  # the one it names: of its result, or of its data
    data_start: int | None = None  # INSERT … FORMAT x: where its data starts, in what was read
    settings_start: int | None = None  # INSERT … SETTINGS … FORMAT x: where SETTINGS stands
    format_start: int | None = None
    makes_temporary: bool = False

    @property
    def returns_rows(self) -> bool:
        """True when a result is expected, even an empty one."""
        return self.first_word in _RESULT_WORDS or self.first_word == b""

    @property
    def only_reads(self) -> bool:
        """True when it may run in a GET request."""
        return self.first_word in _READING_WORDS or self.first_word == b""

    @property
    def changes_session(self) -> bool:
        """True when a later statement of the same session can see what this one did."""
        return self.first_word in _SESSION_WORDS or self.makes_temporary

    def reading_from(self, path: str) -> bytes:
        """The insert, with its data in a file."""
        if self.format_start is None:
            raise ValueError("not an insert with data")
        at = self.settings_start if self.settings_start is not None else self.format_start
        # Without the compression given, the engine would guess it from the file's name.
        infile = f"FROM INFILE '{path}' COMPRESSION 'none' ".encode()
        return self.text[:at] + infile + self.text[at:]


def analyse(text: bytes) -> Statement:
    """Look at one statement, data of an insert behind it or not.

    EngineFailure for what the HTTP interface refuses: several statements, files of the server's machine.
    """
    tokens = _top_level(text)
    first = next(tokens, None)
    if first is None:
        raise EngineFailure.of(62, "SYNTAX_ERROR", "Empty query")
    first_word = first["word"].upper() if first["word"] else b""
    if first_word == b"INSERT":
        return _analyse_insert(text, tokens)
    return _analyse_other(text, first_word, tokens)


def _analyse_insert(text: bytes, tokens: Iterator[re.Match[bytes]]) -> Statement:
    settings_start: int | None = None
    for token in tokens:
        word = (token["word"] or b"").upper()
        if word == b"INFILE":
            _refuse_file("INFILE")
        elif word == b"SETTINGS" and settings_start is None:
            settings_start = token.start()
        elif word in (b"VALUES", b"SELECT", b"WITH", b"EXPLAIN", b"WATCH"):
            break  # The engine reads these whole, whatever follows.
        elif word == b"FORMAT":
            name = next(tokens, None)
            if name is None or not name["word"]:
                break
            start = _skip_to_data(text, name.end())
            return Statement(
                text=text[: name.end()],
                first_word=b"INSERT",
                format=name["word"].decode(),
                data_start=start,
                settings_start=settings_start,
                format_start=token.start(),
            )
    return Statement(text=text, first_word=b"INSERT", format=None)


def _analyse_other(text: bytes, first_word: bytes, tokens: Iterator[re.Match[bytes]]) -> Statement:
    format_name: str | None = None
    words = [first_word]
    ended = awaits_name = False
    for token in tokens:
        word = (token["word"] or b"").upper()
        if ended:
            raise EngineFailure.of(
                62,
                "SYNTAX_ERROR",
                f"Syntax error (Multi-statements are not allowed): failed at position {token.start()}",
            )
        if awaits_name:
            format_name, awaits_name = (token["word"].decode() if word else None), False
        elif word == b"FORMAT":
            awaits_name = True
        elif word == b"OUTFILE" and words[-1] == b"INTO":
            _refuse_file("OUTFILE")
        elif token[0] == b";":
            ended = True
        elif word != b"SETTINGS" and format_name is not None and b"SETTINGS" not in words:
            format_name = None  # Only settings can follow the format: it was a name in the query.
        words.append(word)
    return Statement(
        text=text,
        first_word=first_word,
        format=format_name,
        makes_temporary=first_word in (b"CREATE", b"DROP") and b"TEMPORARY" in words[:4],
    )


def _top_level(text: bytes) -> Iterator[re.Match[bytes]]:
    depth = 0
    for token in _TOKEN.finditer(text):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth = max(0, depth - 1)
        elif depth or token["blank"]:
            continue
        yield token


def _skip_to_data(text: bytes, position: int) -> int:
    """Data starts after the first line break behind the format's name, or after the blanks."""
    match = re.compile(rb"[ \t\f]*;?[ \t\f]*(?:\r?\n)?").match(text, position)
    return match.end() if match else position


def _refuse_file(kind: str) -> None:
    raise EngineFailure.of(
        358 if kind == "OUTFILE" else 48,
        "INTO_OUTFILE_NOT_ALLOWED" if kind == "OUTFILE" else "NOT_IMPLEMENTED",
        f"{kind} names a file of the client, which the HTTP interface cannot see; send or receive the data itself",
    )

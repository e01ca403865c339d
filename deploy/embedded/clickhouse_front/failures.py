"""ClickHouse exceptions as the HTTP interface reports them: a code, a message, a status, a header."""

from __future__ import annotations

import re

# By name: the message of an exception ends in it. What is not listed is the server's fault (500).
_STATUS_BY_NAME: dict[str, int] = {
    **dict.fromkeys(
        (
            "BAD_ARGUMENTS",
            "CANNOT_COMPILE_REGEXP",
            "CANNOT_PARSE_DATE",
            "CANNOT_PARSE_DATETIME",
            "CANNOT_PARSE_DOMAIN_VALUE_FROM_STRING",
            "CANNOT_PARSE_ESCAPE_SEQUENCE",
            "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
            "CANNOT_PARSE_IPV4",
            "CANNOT_PARSE_IPV6",
            "CANNOT_PARSE_NUMBER",
            "CANNOT_PARSE_QUOTED_STRING",
            "CANNOT_PARSE_TEXT",
            "CANNOT_PARSE_UUID",
            "DUPLICATE_COLUMN",
            "ILLEGAL_COLUMN",
            "INCORRECT_DATA",
            "SYNTAX_ERROR",
            "THERE_IS_NO_COLUMN",
            "TOO_BIG_AST",
            "TOO_DEEP_AST",
            "TYPE_MISMATCH",
            "UNEXPECTED_AST_STRUCTURE",
            "UNKNOWN_ELEMENT_IN_AST",
            "UNKNOWN_TYPE_OF_AST_NODE",
            "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
        ),
        400,
    ),
    "REQUIRED_PASSWORD": 401,
    **dict.fromkeys(("AUTHENTICATION_FAILED", "UNKNOWN_USER", "WRONG_PASSWORD", "SET_NON_GRANTED_ROLE"), 403),
    **dict.fromkeys(
        (
            "UNKNOWN_AGGREGATE_FUNCTION",
            "UNKNOWN_DATABASE",
            "UNKNOWN_DATABASE_ENGINE",
            "UNKNOWN_DIRECTION_OF_SORTING",
            "UNKNOWN_FORMAT",
            "UNKNOWN_FUNCTION",
            "UNKNOWN_IDENTIFIER",
            "UNKNOWN_ROLE",
            "UNKNOWN_SETTING",
            "UNKNOWN_STORAGE",
            "UNKNOWN_TABLE",
            "UNKNOWN_TYPE",
            "UNKNOWN_TYPE_OF_QUERY",
        ),
        404,
    ),
    "TIMEOUT_EXCEEDED": 408,
    "QUERY_IS_TOO_LARGE": 413,
    "NOT_IMPLEMENTED": 501,
    **dict.fromkeys(("SOCKET_TIMEOUT", "CANNOT_OPEN_FILE", "CANNOT_SCHEDULE_TASK"), 503),
}
_CODE = re.compile(r"\bCode: (\d+)\.")
_NAME = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")


class EngineFailure(Exception):  # noqa: N818  it is ClickHouse's own exception, on its way to the client
    """An exception of the engine, or one that the front raises in the engine's name."""

    def __init__(self, code: int, name: str, message: str) -> None:
        self.code, self.name, self.message = code, name, message
        super().__init__(message)

    @classmethod
    def of(cls, code: int, name: str, sentence: str) -> EngineFailure:
        """An exception of the front's own, worded like the engine's."""
        return cls(code, name, f"Code: {code}. DB::Exception: {sentence} ({name})")

    @classmethod
    def parse(cls, text: str) -> EngineFailure:
        """Read the engine's message; what it cannot place is code 1001 (STD_EXCEPTION)."""
        start = text.find("Code: ")
        code = _CODE.search(text)
        names = _NAME.findall(text)
        if start < 0 or code is None:
            return cls(1001, "STD_EXCEPTION", f"Code: 1001. DB::Exception: {text.strip()} (STD_EXCEPTION)")
        return cls(int(code[1]), names[-1] if names else "", text[start:].strip())

    @property
    def status(self) -> int:
        """The HTTP status that ClickHouse answers this with."""
        return _STATUS_BY_NAME.get(self.name, 500)

    def body(self, version: str) -> bytes:
        """The response body."""
        return f"{self.message} (version {version})\n".encode()

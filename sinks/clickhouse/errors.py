"""The one place where what clickhouse-connect raises becomes an error with an answer to "try again?".

Codes are ClickHouse's ErrorCodes.cpp. A code that stands in no table here is transient: the rows are kept and written
again, and a worker that makes no progress stops by itself; taking a passing failure for a final one would stop it at
once, for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from clickhouse_connect.driver.exceptions import Error as DriverError
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, ReadTimeoutError

from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.errors import (
    CredentialsRefusedError,
    SchemaMissingError,
    SinkError,
    StoreBusyError,
    StoreRefusedError,
    StoreTimeoutError,
    StoreUnreachableError,
)

SCHEMA_MISSING = {
    8: "THERE_IS_NO_COLUMN",
    16: "NO_SUCH_COLUMN_IN_TABLE",
    47: "UNKNOWN_IDENTIFIER",
    60: "UNKNOWN_TABLE",
    81: "UNKNOWN_DATABASE",
}
CREDENTIALS_REFUSED = {
    192: "UNKNOWN_USER",
    193: "WRONG_PASSWORD",
    194: "REQUIRED_PASSWORD",
    195: "IP_ADDRESS_NOT_ALLOWED",
    497: "ACCESS_DENIED",
    516: "AUTHENTICATION_FAILED",
}
REFUSED = {
    6: "CANNOT_PARSE_TEXT",
    20: "NUMBER_OF_COLUMNS_DOESNT_MATCH",
    36: "BAD_ARGUMENTS",
    42: "NUMBER_OF_ARGUMENTS_DOESNT_MATCH",
    43: "ILLEGAL_TYPE_OF_ARGUMENT",
    44: "ILLEGAL_COLUMN",
    46: "UNKNOWN_FUNCTION",
    48: "NOT_IMPLEMENTED",
    50: "UNKNOWN_TYPE",
    53: "TYPE_MISMATCH",
    57: "TABLE_ALREADY_EXISTS",
    62: "SYNTAX_ERROR",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    73: "UNKNOWN_FORMAT",
    115: "UNKNOWN_SETTING",
    117: "INCORRECT_DATA",
    164: "READONLY",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    407: "DECIMAL_OVERFLOW",
    469: "VIOLATED_CONSTRAINT",
}


def classify(error: Exception, configuration: ClickHouseConfiguration, doing: str) -> SinkError:
    """The sink's error for one of the client library's; `doing` says what was tried, as in "writing usage_ledger"."""
    if isinstance(error, SinkError):
        return error
    causes = list(_chain(error))
    # urllib3 counts a refused connection among the timeouts; it is none.
    refused = any(isinstance(cause, NewConnectionError) for cause in causes)
    if not refused and any(
        isinstance(cause, (ReadTimeoutError, ConnectTimeoutError, TimeoutError)) for cause in causes
    ):
        return StoreTimeoutError(url=configuration.url, doing=doing, seconds=configuration.timeout_seconds)
    code = error.code if isinstance(error, DriverError) else None
    if code is None:
        return StoreUnreachableError(url=configuration.url, doing=doing, cause=_short(causes[-1]))
    detail = _short(error)
    if code in SCHEMA_MISSING:
        return SchemaMissingError(doing=doing, code=code, detail=detail)
    if code in CREDENTIALS_REFUSED:
        return CredentialsRefusedError(doing=doing, code=code, user=configuration.username)
    if code in REFUSED:
        return StoreRefusedError(doing=doing, code=code, detail=detail)
    return StoreBusyError(doing=doing, code=code, detail=detail)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; urllib3 keeps the reason of its last retry in an attribute."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        reason = getattr(at, "reason", None)
        at = reason if isinstance(reason, BaseException) else at.__cause__ or at.__context__


def _short(error: BaseException) -> str:
    """The first 300 characters of the message, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__

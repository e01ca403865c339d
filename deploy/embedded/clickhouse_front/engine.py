"""The ClickHouse engine of this process: connections, statements, results.

Each statement runs on a connection of its own (0.2 ms), with its own settings and database; they run side by side.
What a session remembers (SET, USE, temporary tables) lives on a connection that the session keeps. Blocking throughout.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb

from deploy.embedded.clickhouse_front.failures import EngineFailure

SESSION_SECONDS = 60.0  # ClickHouse's default
SESSION_SECONDS_MAX = 3_600.0
# The embedded engine is the one behind clickhouse-local; the first makes it take statements as a server does. The other
# is deploy/clickhouse/exact-reads.xml: no client's read loses rows to a cached verdict.
_SERVER_DEFAULTS: dict[str, str] = {"implicit_select": "0", "use_query_condition_cache": "0"}
# Names for Python objects that the binding takes as formats; to ClickHouse they are unknown.
_NOT_FORMATS = frozenset(("dataframe", "arrowtable", "datastore", "debug"))


@dataclass(frozen=True, slots=True)
class Call:
    """A statement and everything that its request set around it."""

    text: bytes
    default_format: str = "TabSeparated"
    database: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)  # as ClickHouse escapes them
    tables: tuple[ExternalTable, ...] = ()
    session: str = ""
    session_seconds: float = SESSION_SECONDS
    changes_session: bool = False


@dataclass(frozen=True, slots=True)
class ExternalTable:
    """A table that came with the request and lives as long as its statement."""

    name: str
    structure: str
    format: str
    path: str


@dataclass(frozen=True, slots=True)
class Summary:
    """What a statement did; `elapsed_ns` is the engine's own time."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0


class Result:
    """A whole result. `content` is the engine's own memory, valid while this object lives."""

    def __init__(self, raw: Any, *, inserts: bool) -> None:
        self._raw = raw
        self.content: memoryview = raw.get_memview().view() if raw.size() else memoryview(b"")
        rows, size = raw.rows_read(), raw.bytes_read()  # of the result; what was scanned is "storage"
        self.summary = Summary(
            read_rows=rows if inserts else raw.storage_rows_read(),
            read_bytes=size if inserts else raw.storage_bytes_read(),
            written_rows=raw.rows_written(),
            written_bytes=raw.bytes_written(),
            result_rows=raw.rows_written() if inserts else rows,
            result_bytes=raw.bytes_written() if inserts else len(self.content),
            elapsed_ns=int(raw.elapsed() * 1e9),
        )


class Engine:
    """One engine over one folder, for the life of the process. EngineFailure from every call that fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._first = self._connect()  # While it is open the engine stays.
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()
        row = bytes(self._first.query("SELECT version(), timezone(), hostName()", "TSV").bytes()).decode().split()
        self.version, self.timezone, self.display_name = row

    def run(self, call: Call, *, inserts: bool = False) -> Result:
        """Run to the end; the whole result in memory."""
        with self._connection(call) as connection, _failures():
            return Result(
                connection.query(call.text, _known(call.default_format), params=call.parameters), inserts=inserts
            )

    def stream(self, call: Call) -> Iterator[memoryview]:
        """Run, block by block. Only for formats whose blocks can be put one after the other."""
        with (
            self._connection(call) as connection,
            _failures(),
            connection.send_query(call.text, _known(call.default_format), params=call.parameters) as blocks,
        ):
            for block in blocks:
                if block.size():
                    yield memoryview(block.bytes())

    def close(self) -> None:
        """Close every connection; the engine flushes and lets go of its folder."""
        with self._lock:
            for session in self._sessions.values():
                session.connection.close()
            self._sessions.clear()
        self._first.close()

    def _connect(self) -> Any:
        return chdb.connect(self._folder)  # type: ignore[no-untyped-call]

    @contextmanager
    def _connection(self, call: Call) -> Iterator[Any]:
        session = self._session(call) if call.session else None
        if session is None:
            connection = self._connect()
            try:
                with _failures():
                    _set_up(connection, _SERVER_DEFAULTS | dict(call.settings), call.database, call.tables)
                yield connection
            finally:
                connection.close()
            return
        if not session.busy.acquire(blocking=False):
            raise EngineFailure.of(
                373, "SESSION_IS_LOCKED", f"Session {call.session} is locked by a concurrent client."
            )
        try:
            with _failures():
                before = _snapshot(session.connection, call.settings)
            try:
                with _failures():
                    _set_up(session.connection, call.settings, call.database, call.tables)
                yield session.connection
            finally:
                # What the request set is its own; what its statement set is the session's.
                if not call.changes_session:
                    with _failures():
                        _restore(session.connection, before, call.tables)
        finally:
            session.expires = time.monotonic() + call.session_seconds
            session.busy.release()

    def _session(self, call: Call) -> _Session | None:
        """The session's own state; None as long as it has none, which costs nothing then."""
        with self._lock:
            now = time.monotonic()
            for name, session in list(self._sessions.items()):
                if session.expires < now and not session.busy.locked():
                    session.connection.close()
                    del self._sessions[name]
            found = self._sessions.get(call.session)
            if found is None and call.changes_session:
                connection = self._connect()
                _set_up(connection, _SERVER_DEFAULTS, "", ())
                found = self._sessions[call.session] = _Session(connection, now + call.session_seconds)
            return found


class _Session:
    def __init__(self, connection: Any, expires: float) -> None:
        self.connection = connection
        self.expires = expires
        self.busy = threading.Lock()


def _set_up(connection: Any, settings: Mapping[str, str], database: str, tables: tuple[ExternalTable, ...]) -> None:
    if settings:
        assignments = ", ".join(f"{identifier(name)} = {literal(value)}" for name, value in settings.items())
        connection.query(f"SET {assignments}", "Null")
    if database:
        connection.query(f"USE {identifier(database)}", "Null")
    for table in tables:
        connection.query(f"CREATE TEMPORARY TABLE {identifier(table.name)} ({table.structure})", "Null")
        connection.query(
            f"INSERT INTO {identifier(table.name)} FROM INFILE {literal(table.path)} COMPRESSION 'none' "
            f"FORMAT {identifier(table.format)}",
            "Null",
        )


def _snapshot(connection: Any, settings: Mapping[str, str]) -> tuple[str, list[str]]:
    names = ", ".join(literal(name) for name in settings) or "''"
    query = f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})"
    assignments = []
    for line in bytes(connection.query(query, "TabSeparatedRaw").bytes()).decode().splitlines():
        name, value, changed = line.split("\t")
        assignments.append(f"{identifier(name)} = {literal(value) if changed == '1' else 'DEFAULT'}")
    database = bytes(connection.query("SELECT currentDatabase()", "TabSeparatedRaw").bytes()).decode().strip()
    return database, assignments


def _restore(connection: Any, before: tuple[str, list[str]], tables: tuple[ExternalTable, ...]) -> None:
    database, assignments = before
    if assignments:
        connection.query(f"SET {', '.join(assignments)}", "Null")
    connection.query(f"USE {identifier(database)}", "Null")
    for table in tables:
        connection.query(f"DROP TEMPORARY TABLE IF EXISTS {identifier(table.name)}", "Null")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, chdb.ChdbError) as error:
        raise EngineFailure.parse(str(error)) from error


def _known(format_name: str) -> str:
    if format_name.lower() in _NOT_FORMATS:
        raise EngineFailure.of(73, "UNKNOWN_FORMAT", f"Unknown format {format_name}.")
    return format_name


def identifier(name: str) -> str:
    """A name, quoted for a statement."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

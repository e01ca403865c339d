"""A request of ClickHouse's HTTP interface, read: the statement, its data, and what is set around it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from aiohttp import web

from deploy.embedded.clickhouse_front import native_blocks
from deploy.embedded.clickhouse_front.compression import decompress
from deploy.embedded.clickhouse_front.engine import SESSION_SECONDS, SESSION_SECONDS_MAX, ExternalTable
from deploy.embedded.clickhouse_front.failures import EngineFailure
from deploy.embedded.clickhouse_front.spool import Spool, Spools
from deploy.embedded.clickhouse_front.statements import Statement, analyse

# Parameters of the interface itself; any other is a setting, as in a server.
_OWN_PARAMETERS = frozenset(
    (
        "query",
        "database",
        "user",
        "password",
        "quota_key",
        "stacktrace",
        "role",
        "query_id",
        "compress",
        "decompress",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "default_format",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
    )
)
# An insert's statement is looked for in this much of a body; the data behind it may be of any size.
HEAD_BYTES = 1 << 16
STATEMENT_BYTES_MAX = 256 << 20
_TABLE_PARAMETER = re.compile(r"(.+)_(format|types|structure)")
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_USER = "default"


@dataclass(slots=True)
class Received:
    """A request, its body read to the end."""

    statement: Statement
    data: Spool | None  # of an insert
    parameters: Mapping[str, str]  # of the interface
    settings: Mapping[str, str]
    query_parameters: Mapping[str, str]
    tables: tuple[ExternalTable, ...] = field(default=())

    def flag(self, name: str) -> bool:
        """A boolean parameter."""
        return is_true(self.parameters.get(name, "0"))

    @property
    def session_seconds(self) -> float:
        """How long the session is kept without use."""
        try:
            return min(SESSION_SECONDS_MAX, float(self.parameters.get("session_timeout", SESSION_SECONDS)))
        except ValueError as error:
            raise EngineFailure.of(
                375, "INVALID_SESSION_TIMEOUT", f"Invalid session timeout: '{self.parameters['session_timeout']}'"
            ) from error


def is_true(value: str) -> bool:
    """A boolean, as clients write it."""
    return value not in ("", "0", "false")


def refuse_strangers(request: web.Request) -> None:
    """Web pages must not reach the store through the browser of whoever runs it; users must be the one there is."""
    host = urlsplit(f"//{request.headers.get('Host', 'localhost')}").hostname
    origin = request.headers.get("Origin")
    if host not in _LOOPBACK_NAMES or (origin and urlsplit(origin).hostname not in _LOOPBACK_NAMES):
        raise EngineFailure.of(516, "AUTHENTICATION_FAILED", "The embedded server answers this machine only.")
    user = _user(request)
    if user not in ("", _USER):
        raise EngineFailure.of(
            516,
            "AUTHENTICATION_FAILED",
            f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
        )


async def receive(request: web.Request, resources: ExitStack, spools: Spools) -> Received:
    """Read a request. Insert data goes to a spool that is lent as long as `resources` are held. EngineFailure."""
    parameters = dict(request.query)
    tables: tuple[ExternalTable, ...] = ()
    data: Spool | None = None
    if request.content_type == "multipart/form-data":
        parameters, tables = await _read_form(request, parameters, resources, spools)
        statement = analyse(parameters.get("query", "").encode())
    else:
        head = parameters.get("query", "").encode()
        statement, data = await _read_body(request, head + b"\n" if head else b"", resources, spools)
    if request.method != "POST" and not statement.only_reads:
        raise EngineFailure.of(
            164,
            "READONLY",
            f"Cannot execute query in readonly mode. For queries over HTTP, method {request.method} implies readonly. "
            "You should use method POST for modifying queries.",
        )
    own = {name: value for name, value in parameters.items() if name in _OWN_PARAMETERS}
    for header, name in (("X-ClickHouse-Database", "database"), ("X-ClickHouse-Format", "default_format")):
        if header in request.headers:
            own.setdefault(name, request.headers[header])
    described = {table.name for table in tables}
    return Received(
        statement=statement,
        data=data,
        parameters=own,
        settings={
            name: value
            for name, value in parameters.items()
            if name not in _OWN_PARAMETERS and not name.startswith("param_") and not _describes(name, described)
        },
        query_parameters={
            name.removeprefix("param_"): value for name, value in parameters.items() if name.startswith("param_")
        },
        tables=tables,
    )


async def _read_body(
    request: web.Request, head: bytes, resources: ExitStack, spools: Spools
) -> tuple[Statement, Spool | None]:
    """The statement (in the URL, or at the head of the body) and, for an insert in a format, the data behind it."""
    unpack = _unpacking(request)
    if unpack is not None:
        packed = await request.content.read()
        body = await asyncio.to_thread(unpack, packed)
        statement = analyse(head + bytes(body[:HEAD_BYTES]))
        if statement.data_start is None:
            return analyse(head + bytes(body)), None
        spool = _spool_of(resources, spools, memoryview(head), body, start=statement.data_start)
        spool.end()
        return statement, spool
    read = bytearray(head)
    found = _insert_with_data(read, len(head))
    while found is None and not request.content.at_eof():
        read += await request.content.readany()
        if len(read) > STATEMENT_BYTES_MAX:
            raise EngineFailure.of(307, "TOO_MANY_BYTES", f"a statement of more than {STATEMENT_BYTES_MAX} bytes")
        if len(read) <= len(head) + HEAD_BYTES:
            found = _insert_with_data(read, len(head))
    statement = found or analyse(bytes(read))
    if statement.data_start is None:
        return statement, None
    spool = _spool_of(resources, spools, memoryview(bytes(read)), start=statement.data_start)
    while not request.content.at_eof():
        spool.write(await request.content.readany())
    spool.end()
    return statement, spool


def _insert_with_data(read: bytearray, urls_bytes: int) -> Statement | None:
    """The insert that a body begins with, once enough of it has come to say where its data starts."""
    if not read[:64].lstrip().upper().startswith((b"INSERT", b"--", b"/*", b"#")):
        return None
    try:
        statement = analyse(bytes(read))
    except EngineFailure:
        return None  # perhaps only half of it is here
    start = statement.data_start
    # With nothing behind it, the last word may go on, and the line may still end, in what comes next.
    return statement if start is not None and (start <= urls_bytes or len(read) >= start + 2) else None


def _spool_of(resources: ExitStack, spools: Spools, *parts: memoryview, start: int) -> Spool:
    spool = resources.enter_context(spools.borrow())
    for part in parts:
        spool.write(part[start:])
        start = max(0, start - len(part))
    return spool


def _unpacking(request: web.Request) -> Callable[[bytes], memoryview] | None:
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        return partial(decompress, coding=coding)
    if is_true(request.query.get("decompress", "0")):
        return native_blocks.unpack
    return None


async def _read_form(
    request: web.Request, parameters: Mapping[str, str], resources: ExitStack, spools: Spools
) -> tuple[dict[str, str], tuple[ExternalTable, ...]]:
    """Form fields are parameters; files are tables, described by parameters named after them."""
    found = dict(parameters)
    files: dict[str, Spool] = {}
    async for part in await request.multipart():
        name = getattr(part, "name", None)
        if name is None or not hasattr(part, "read_chunk"):
            continue
        if part.filename is None:  # type: ignore[union-attr]
            found[name] = (await part.read()).decode()  # type: ignore[union-attr]
            continue
        files[name] = resources.enter_context(spools.borrow())
        while chunk := await part.read_chunk():  # type: ignore[union-attr]
            files[name].write(chunk)
        files[name].end()
    tables = []
    for name, spool in files.items():
        structure = found.get(f"{name}_structure")
        if structure is None:
            types = [column.strip() for column in found.get(f"{name}_types", "").split(",") if column.strip()]
            structure = ", ".join(f"_{index} {kind}" for index, kind in enumerate(types, 1))
        if not structure:
            raise EngineFailure.of(
                36, "BAD_ARGUMENTS", f"Neither structure nor types of external table {name} are given"
            )
        tables.append(ExternalTable(name, structure, found.get(f"{name}_format", "TabSeparated"), spool.path))
    return found, tuple(tables)


def _describes(name: str, tables: set[str]) -> bool:
    match = _TABLE_PARAMETER.fullmatch(name)
    return match is not None and match[1] in tables


def _user(request: web.Request) -> str:
    header = request.headers.get("Authorization", "")
    kind, _, value = header.partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise EngineFailure.of(516, "AUTHENTICATION_FAILED", "Invalid authentication header") from error
    if kind:
        raise EngineFailure.of(516, "AUTHENTICATION_FAILED", f"Authentication scheme {kind} is not supported")
    return request.headers.get("X-ClickHouse-User") or request.query.get("user", "")

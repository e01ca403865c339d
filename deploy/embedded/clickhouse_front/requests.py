"""A request of ClickHouse's HTTP interface, read: the statement, its data, and what is set around it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from deploy.embedded.clickhouse_front.compression import decompress
from deploy.embedded.clickhouse_front.engine import SESSION_SECONDS, SESSION_SECONDS_MAX, ExternalTable
from deploy.embedded.clickhouse_front.failures import EngineFailure
from deploy.embedded.clickhouse_front.spool import Spool
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
        return self.parameters.get(name, "0") not in ("", "0", "false")

    @property
    def session_seconds(self) -> float:
        """How long the session is kept without use."""
        try:
            return min(SESSION_SECONDS_MAX, float(self.parameters.get("session_timeout", SESSION_SECONDS)))
        except ValueError as error:
            raise EngineFailure.of(
                375, "INVALID_SESSION_TIMEOUT", f"Invalid session timeout: '{self.parameters['session_timeout']}'"
            ) from error


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


async def receive(request: web.Request, resources: ExitStack) -> Received:
    """Read a request. Insert data goes to a spool that lives as long as `resources`. EngineFailure."""
    parameters = dict(request.query)
    tables: tuple[ExternalTable, ...] = ()
    head = parameters.get("query", "").encode()
    if request.content_type == "multipart/form-data":
        parameters, tables = await _read_form(request, parameters, resources)
        statement, data = analyse(parameters.get("query", "").encode()), None
    elif (
        request.content_type == "application/x-www-form-urlencoded" and not head and "Content-Length" in request.headers
    ):
        statement, data = await _read_body(request, b"", parameters, resources)
    else:
        statement, data = await _read_body(request, head, parameters, resources)
    own = {name: value for name, value in parameters.items() if name in _OWN_PARAMETERS}
    if request.method != "POST" and not statement.only_reads:
        raise EngineFailure.of(
            164,
            "READONLY",
            f"Cannot execute query in readonly mode. For queries over HTTP, method {request.method} implies readonly. "
            "You should use method POST for modifying queries.",
        )
    if "X-ClickHouse-Database" in request.headers:
        own.setdefault("database", request.headers["X-ClickHouse-Database"])
    if "X-ClickHouse-Format" in request.headers:
        own.setdefault("default_format", request.headers["X-ClickHouse-Format"])
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
    request: web.Request, head: bytes, parameters: Mapping[str, str], resources: ExitStack
) -> tuple[Statement, Spool | None]:
    """The statement (in the URL, or at the head of the body) and, for an insert in a format, the data behind it."""
    coding = request.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        packed = await request.content.read()
        body = decompress(packed, coding)
        if head:
            return _split(head + b"\n", body, resources)
        return _split(b"", body, resources)
    read = bytearray(head + b"\n" if head else b"")
    urls = len(read)
    while (
        not request.content.at_eof()
        and (urls == 0 or not _is_insert_with_format(read))
        and len(read) < HEAD_BYTES + urls
    ):
        read += await request.content.readany()
    if not _is_insert_with_format(read):
        while not request.content.at_eof():
            read += await request.content.readany()
            if len(read) > STATEMENT_BYTES_MAX:
                raise EngineFailure.of(307, "TOO_MANY_BYTES", f"a statement of more than {STATEMENT_BYTES_MAX} bytes")
    statement, spool = _split(bytes(read), memoryview(b""), resources)
    if spool is not None:
        while not request.content.at_eof():
            spool.write(await request.content.readany())
    return statement, spool


def _is_insert_with_format(read: bytearray) -> bool:
    if not read.lstrip()[:16].upper().startswith((b"INSERT", b"--", b"/*", b"#")):
        return False
    try:
        return analyse(bytes(read)).data_start is not None
    except EngineFailure:
        return False


def _split(head: bytes, rest: memoryview, resources: ExitStack) -> tuple[Statement, Spool | None]:
    statement = analyse(head + bytes(rest[:HEAD_BYTES]))
    if statement.data_start is None:
        return analyse(head + bytes(rest)), None
    spool = resources.enter_context(Spool())
    if statement.data_start < len(head):
        spool.write(memoryview(head)[statement.data_start :])
        spool.write(rest)
    else:
        spool.write(rest[statement.data_start - len(head) :])
    return statement, spool


async def _read_form(
    request: web.Request, parameters: Mapping[str, str], resources: ExitStack
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
        files[name] = resources.enter_context(Spool())
        while chunk := await part.read_chunk():  # type: ignore[union-attr]
            files[name].write(chunk)
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

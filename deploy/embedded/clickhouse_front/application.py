"""The HTTP side: requests in, the engine's results out. Nothing here blocks the event loop."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import TypeVar

from aiohttp import web

from deploy.embedded.clickhouse_front.compression import Compressor, ContentCoding, choose
from deploy.embedded.clickhouse_front.engine import Call, Engine, Summary
from deploy.embedded.clickhouse_front.failures import EngineFailure
from deploy.embedded.clickhouse_front.native_blocks import NativeBlocks
from deploy.embedded.clickhouse_front.requests import Received, is_true, receive, refuse_strangers
from deploy.embedded.clickhouse_front.spool import Spool, Spools

T = TypeVar("T")

log = logging.getLogger(__name__)

# Statements that run at once; more wait in the order they came.
STATEMENTS_MAX = 16
PIECE_BYTES = 1 << 18
# The engine encodes each block by itself; in these formats, and only in these, blocks in a row are the whole result.
_STREAMED_FORMATS = frozenset(
    (
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "CSV",
        "RowBinary",
        "JSONEachRow",
        "NDJSON",
        "JSONCompactEachRow",
        "LineAsString",
    )
)
_STREAMED_WORDS = frozenset((b"SELECT", b"WITH", b""))  # b"" begins with a bracket
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "RowBinary": "application/octet-stream",
    "Arrow": "application/octet-stream",
    "ArrowStream": "application/octet-stream",
    "Parquet": "application/octet-stream",
}


class Front:
    """Handlers over one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._spools = Spools()
        self._threads = ThreadPoolExecutor(STATEMENTS_MAX, thread_name_prefix="statement")

    def application(self) -> web.Application:
        """The aiohttp application."""
        application = web.Application()
        application.router.add_get("/ping", _ok)
        application.router.add_get("/replicas_status", _ok)
        application.router.add_route("*", "/", self._handle)
        return application

    def close(self) -> None:
        """Wait for statements under way."""
        self._threads.shutdown(wait=True)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = {
            "X-ClickHouse-Server-Display-Name": self._engine.display_name,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Query-Id": request.query.get("query_id") or str(uuid.uuid4()),
        }
        if request.method in ("GET", "HEAD") and "query" not in request.query and not request.body_exists:
            return web.Response(text="Ok.\n", headers=headers)
        with ExitStack() as resources:
            try:
                refuse_strangers(request)
                received = await receive(request, resources, self._spools)
                if received.data is not None:
                    return await self._insert(received, received.data, headers)
                if _streams(received):
                    return await self._stream(request, received, headers)
                return await self._answer(request, received, headers)
            except EngineFailure as failure:
                log.warning("%s %s", failure.code, failure.message[:2_000])
                return self._refusal(failure, headers)
            except ConnectionError as error:
                # Half an upload is no insert: the statement was never run.
                log.info("the client went away: %s", error)
                return web.Response(status=400)
            except Exception as error:
                log.exception("a defect of the front")
                return self._refusal(EngineFailure.of(1001, "STD_EXCEPTION", repr(error)), headers)

    async def _insert(self, received: Received, data: Spool, headers: dict[str, str]) -> web.StreamResponse:
        call = self._call(received, received.statement.reading_from(data.path))
        result = await self._run(lambda: self._engine.run(call, inserts=True))
        return web.Response(headers=headers | _summary_header(result.summary))

    async def _answer(self, request: web.Request, received: Received, headers: dict[str, str]) -> web.StreamResponse:
        result = await self._run(lambda: self._engine.run(self._call(received)))
        headers |= _summary_header(result.summary) | _format_headers(received)
        compressor = _compressor(request, received, headers)
        response = web.StreamResponse(headers=headers)
        if compressor is None:
            response.content_length = len(result.content)
        await response.prepare(request)
        for start in range(0, len(result.content), PIECE_BYTES):
            piece = result.content[start : start + PIECE_BYTES]
            # Compression lets other threads run, but not this one's event loop.
            await _send(response, piece if compressor is None else await self._run(partial(compressor.add, piece)))
        if compressor is not None:
            await _send(response, compressor.finish())
        await response.write_eof()
        return response

    async def _stream(self, request: web.Request, received: Received, headers: dict[str, str]) -> web.StreamResponse:
        blocks: Iterator[memoryview] = self._engine.stream(self._call(received))
        try:
            block = await self._run(lambda: next(blocks, None))  # An error up to here still is a status.
            tag = secrets.token_hex(8)
            headers |= _format_headers(received) | _summary_header(Summary()) | {"X-ClickHouse-Exception-Tag": tag}
            compressor = _compressor(request, received, headers)
            response = web.StreamResponse(headers=headers)
            response.enable_chunked_encoding()
            await response.prepare(request)
            try:
                while block is not None:
                    piece = block
                    await _send(
                        response, piece if compressor is None else await self._run(partial(compressor.add, piece))
                    )
                    block = await self._run(lambda: next(blocks, None))
            except EngineFailure as failure:
                log.warning("in the middle of a result: %s %s", failure.code, failure.message[:2_000])
                ending = memoryview(_exception_block(failure, tag, self._engine.version))
                await _send(response, ending if compressor is None else compressor.add(ending))
            if compressor is not None:
                await _send(response, compressor.finish())
            await response.write_eof()
            return response
        finally:
            await self._run(blocks.close)  # type: ignore[attr-defined]  # a generator; the client may have gone

    def _call(self, received: Received, text: bytes | None = None) -> Call:
        return Call(
            text=text if text is not None else received.statement.text,
            default_format=received.parameters.get("default_format", "TabSeparated"),
            database=received.parameters.get("database", ""),
            settings=received.settings,
            parameters=received.query_parameters,
            tables=received.tables,
            session=received.parameters.get("session_id", ""),
            session_seconds=received.session_seconds,
            changes_session=received.statement.changes_session,
        )

    def _refusal(self, failure: EngineFailure, headers: dict[str, str]) -> web.Response:
        return web.Response(
            status=failure.status,
            body=failure.body(self._engine.version),
            headers=headers
            | {
                "X-ClickHouse-Exception-Code": str(failure.code),
                "Content-Type": "text/plain; charset=UTF-8",
            },
        )

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="Ok.\n")


async def _send(response: web.StreamResponse, piece: bytes | memoryview) -> None:
    if len(piece):
        await response.write(piece)


def _streams(received: Received) -> bool:
    if received.statement.first_word not in _STREAMED_WORDS or received.flag("wait_end_of_query"):
        return False
    return _format(received) in _STREAMED_FORMATS


def _format(received: Received) -> str:
    return received.statement.format or received.parameters.get("default_format", "TabSeparated")


def _format_headers(received: Received) -> dict[str, str]:
    if not received.statement.returns_rows:
        return {}
    name = _format(received)
    return {
        "X-ClickHouse-Format": name,
        "Content-Type": _CONTENT_TYPES.get(name, "text/plain; charset=UTF-8"),
    }


def _summary_header(summary: Summary) -> dict[str, str]:
    numbers = {name: str(value) for name, value in asdict(summary).items()}
    return {"X-ClickHouse-Summary": json.dumps(numbers | {"total_rows_to_read": numbers["read_rows"]})}


def _compressor(request: web.Request, received: Received, headers: dict[str, str]) -> Compressor | None:
    """Picks the coding and writes it into the headers."""
    if received.flag("compress"):
        return NativeBlocks()  # which no header announces: the client asked for it
    if not is_true(received.settings.get("enable_http_compression", "0")):
        return None
    coding = choose(request.headers.get("Accept-Encoding", ""))
    if coding is None:
        return None
    headers["Content-Encoding"] = coding
    return ContentCoding(coding)


def _exception_block(failure: EngineFailure, tag: str, version: str) -> bytes:
    """How an error ends a result that had begun; clients look for the tag that the header announced."""
    message = failure.body(version)
    return b"\r\n__exception__\r\n%s\r\n%s%d %s\r\n__exception__\r\n" % (
        tag.encode(),
        message,
        len(message),
        tag.encode(),
    )

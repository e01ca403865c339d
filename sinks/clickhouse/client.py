"""clickhouse-connect, made fit for money: timeouts everywhere, no silent repeats, calls off the event loop.

The library is synchronous; each call runs in a thread of this client's own, so that a store which hangs never holds up
heartbeats or decoding. A cancelled await leaves its call running in the background: what it writes is idempotent.
Errors  `SinkError` subclasses only, see `sinks.clickhouse.errors`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client as Driver

from sinks.clickhouse.configuration import ClickHouseConfiguration
from sinks.clickhouse.errors import classify

T = TypeVar("T")

# Reads: each partition's rows are its own (the partition key is a function of the sort key), so FINAL need not compare
# across them, and conditions on key columns may be applied before it.
READ_SETTINGS: Mapping[str, str] = {
    "do_not_merge_across_partitions_select_final": "1",
    "optimize_move_to_prewhere_if_final": "1",
    "wait_end_of_query": "1",  # An error halfway is an error, not a short answer.
    # A join's runtime filter may write into this cache that a condition holds for no row of a granule, and from then on
    # every query with that condition loses its rows without a word (ClickHouse #119823, and others like it).
    "use_query_condition_cache": "0",
}
# Writes: acknowledged means stored and fsynced (the tables say fsync_after_insert).
WRITE_SETTINGS: Mapping[str, str] = {
    "async_insert": "0",
    "wait_end_of_query": "1",
    "input_format_null_as_default": "0",  # A null in a column that has none is a defect, not a zero.
    "input_format_parallel_parsing": "0",
}
CLUSTER_READ_SETTINGS: Mapping[str, str] = {"select_sequential_consistency": "1"}
CLUSTER_WRITE_SETTINGS: Mapping[str, str] = {"insert_quorum": "auto"}
CHUNK_BYTES = 1 << 20
# The library warns of every error that it then raises; ours say more. Whoever sets up logging still sees the warnings.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
THREADS = 4


class Client:
    """A connection pool to one ClickHouse; usable from threads (blocking methods) and, through `run`, from a loop."""

    def __init__(self, configuration: ClickHouseConfiguration, driver: Driver) -> None:
        self.configuration = configuration
        self._driver = driver
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="clickhouse")
        self._reads = {**READ_SETTINGS, **(CLUSTER_READ_SETTINGS if configuration.cluster else {})}
        self._writes = {**WRITE_SETTINGS, **(CLUSTER_WRITE_SETTINGS if configuration.cluster else {})}

    @classmethod
    def connect(cls, configuration: ClickHouseConfiguration) -> Client:
        """Blocking. The database need not exist yet: every statement names it."""
        try:
            driver = clickhouse_connect.get_client(
                host=configuration.host,
                port=configuration.port,
                interface="https" if configuration.secure else "http",
                username=configuration.username,
                password=configuration.password,
                compress="lz4" if configuration.compresses else False,
                connect_timeout=configuration.timeout_seconds,
                send_receive_timeout=configuration.timeout_seconds,
                query_retries=0,  # The caller decides, and knows for how long.
                autogenerate_session_id=False,  # A session would forbid two calls at once.
                show_clickhouse_errors=True,
                dedicated_pool=True,
                client_name="tollstream",
            )
        except Exception as error:
            raise classify(error, configuration, "connecting") from error
        return cls(configuration, driver)

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """A blocking call of this client, awaited."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def command(self, sql: str, *, doing: str) -> None:
        """Run a statement that answers nothing. Blocking."""
        self._guarded(doing, lambda: self._driver.command(sql, settings={"wait_end_of_query": "1"}))

    def query_bytes(
        self,
        sql: str,
        *,
        fmt: str,
        doing: str,
        settings: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> bytes:
        """The answer in one of ClickHouse's formats; `parameters` stand as {name:String} in `sql`. Blocking."""
        chosen = self._reads | dict(settings or {})
        bound = dict(parameters or {})
        answer: bytes = self._guarded(
            doing, lambda: self._driver.raw_query(sql, parameters=bound, fmt=fmt, settings=chosen)
        )
        return answer

    def query_arrow(
        self,
        sql: str,
        *,
        doing: str,
        settings: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> pa.Table:
        """The answer as an Arrow table, strings as strings. Blocking."""
        answer = self.query_bytes(
            sql,
            fmt="ArrowStream",
            doing=doing,
            settings={"output_format_arrow_string_as_string": "1"} | dict(settings or {}),
            parameters=parameters,
        )
        return pa.ipc.open_stream(answer).read_all()

    def query_rows(self, sql: str, *, doing: str) -> list[dict[str, Any]]:
        """A small answer as Python values, UTC times aware. Blocking."""
        rows: list[dict[str, Any]] = self.query_arrow(sql, doing=doing).to_pylist()
        return rows

    def insert_arrow(
        self, table: str, rows: pa.Table, *, doing: str, settings: Mapping[str, str] | None = None
    ) -> None:
        """Insert rows, acknowledged when durable; columns by name. One request, never repeated here. Blocking."""
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_stream(buffer, rows.schema) as stream:
            stream.write_table(rows)
        target = f"{self.configuration.database}.{table}"
        self._guarded(
            doing,
            lambda: self._driver.raw_insert(
                target,
                column_names=rows.column_names,
                # A generator keeps the statement in the URL and the body pure data.
                insert_block=_chunks(buffer.getvalue()),
                fmt="ArrowStream",
                settings=self._writes | dict(settings or {}),
            ),
        )

    def close(self) -> None:
        """Release connections; calls under way end by themselves, at the latest at their timeout."""
        self._threads.shutdown(wait=False)
        self._driver.close()

    def _guarded(self, doing: str, call: Callable[[], T]) -> T:
        try:
            return call()
        except Exception as error:
            raise classify(error, self.configuration, doing) from error


def _chunks(data: pa.Buffer) -> Generator[bytes, None, None]:
    for start in range(0, data.size, CHUNK_BYTES):
        yield data.slice(start, min(CHUNK_BYTES, data.size - start)).to_pybytes()

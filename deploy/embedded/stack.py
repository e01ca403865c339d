"""Kafka and ClickHouse as one thing: start, use, stop."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from deploy.embedded.clickhouse import ClickHouseServer
from deploy.embedded.errors import ServerFailedError
from deploy.embedded.folder import DataFolder
from deploy.embedded.kafka import KafkaServer
from deploy.embedded.ports import LOOPBACK
from deploy.embedded.server import Server


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients reach the stack."""

    bootstrap_servers: str  # 127.0.0.1:29092
    clickhouse_url: str  # http://127.0.0.1:18123


class EmbeddedStack:
    """Both servers over one data folder, which survives restarts and belongs to one stack at a time.

    A context manager. Ports given as 0 are drawn at the first start and kept by this object.
    """

    def __init__(self, data_dir: Path, *, kafka_port: int = 0, clickhouse_port: int = 0) -> None:
        self._folder = DataFolder(data_dir)
        self._ports = kafka_port, clickhouse_port
        self._kafka: KafkaServer | None = None
        self._clickhouse: ClickHouseServer | None = None

    @property
    def data_dir(self) -> Path:
        """Absolute."""
        return self._folder.path

    @property
    def kafka(self) -> Server:
        """The broker; RuntimeError before the first start."""
        return _started(self._kafka)

    @property
    def clickhouse(self) -> Server:
        """The store; RuntimeError before the first start."""
        return _started(self._clickhouse)

    @property
    def endpoints(self) -> Endpoints:
        """RuntimeError before the first start."""
        return Endpoints(
            bootstrap_servers=f"{LOOPBACK}:{self.kafka.port}",
            clickhouse_url=f"http://{LOOPBACK}:{self.clickhouse.port}",
        )

    def start(self) -> Endpoints:
        """Start both and wait until both answer. Blocking; StackError subclasses, and then nothing is left running."""
        self._folder.acquire()
        try:
            path, logs = self._folder.path, self._folder.path / "logs"
            kafka_port, clickhouse_port = self._ports
            inherited = (self._folder.descriptor,)
            self._kafka = KafkaServer(path / "kafka", port=kafka_port, log=logs / "kafka.log", inherited=inherited)
            self._clickhouse = ClickHouseServer(
                path / "clickhouse", port=clickhouse_port, log=logs / "clickhouse.log", inherited=inherited
            )
            self._kafka.resolve()  # before anything runs: this is what fails on a machine without network
            _start_together(self._kafka, self._clickhouse)
            self._ports = self._kafka.port, self._clickhouse.port
        except BaseException:
            self.stop()
            raise
        return self.endpoints

    def stop(self) -> None:
        """Stop both cleanly and free the folder. Safe to call twice, and when the start failed."""
        servers = [server for server in (self._clickhouse, self._kafka) if server is not None]
        if servers:
            with ThreadPoolExecutor(2, thread_name_prefix="stop") as threads:
                list(threads.map(Server.stop, servers))
        self._folder.release()

    def failure(self) -> ServerFailedError | None:
        """What to say when a server ended by itself; None while both live."""
        return self.kafka.failure() or self.clickhouse.failure()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _start_together(*servers: Server) -> None:
    """Side by side. When one fails, or this thread is interrupted, the others give up at once."""
    cancelled = Event()
    with ThreadPoolExecutor(len(servers), thread_name_prefix="start") as threads:
        starts = [threads.submit(server.start, cancelled) for server in servers]
        try:
            wait(starts, return_when=FIRST_EXCEPTION)
        finally:
            cancelled.set()
    failures = [failure for failure in (start.exception() for start in starts) if failure is not None]
    # A port or a folder that is wrong says more than "was not awaited any longer", which only follows from it.
    for failure in sorted(failures, key=lambda failure: isinstance(failure, ServerFailedError)):
        raise failure


def _started(server: Server | None) -> Server:
    if server is None:
        raise RuntimeError("the stack was not started")
    return server

"""Apache Kafka, one node that is broker and controller (KRaft), on loopback."""

from __future__ import annotations

import base64
import socket
import struct
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from deploy.embedded import jars
from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.server import Server

# One node: whatever Kafka would spread over three has to be satisfied with one. The internal topics have fewer
# partitions than usual, because each is a folder to open at every start. A killed broker is let in again only when its
# old session has ended, so that is short.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dirs}
auto.create.topics.enable=false
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"""
_JVM_OPTIONS = (
    "-Xms256m",
    "-Xmx1g",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--sun-misc-unsafe-memory-access=allow",  # what Kafka does; without it Java warns at every start
    "--enable-native-access=ALL-UNNAMED",
)
_LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.BrokerServer=info",
)
FORMAT_SECONDS_MAX = 120.0


class KafkaServer(Server):
    """The broker; its data is `<folder>/data`, written once formatted."""

    name = "Kafka"
    option = "--kafka-port"
    start_seconds_max = 120.0  # A cold start on a busy machine; 4 s are usual.
    stop_seconds_max = 20.0

    def __init__(self, folder: Path, *, port: int, log: Path, inherited: Sequence[int] = ()) -> None:
        super().__init__(port=port, log=log, inherited=inherited)
        self._folder = folder
        self._java: Path | None = None
        self._class_path = ""

    def resolve(self) -> None:
        """Find Java and the jars. JavaUnavailableError, JarsUnavailableError."""
        if self._java is None:
            self._java, self._class_path = jars.java(), jars.class_path()

    def _prepare(self) -> None:
        self.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(
            _PROPERTIES.format(
                host=LOOPBACK,
                port=self.port,
                controller_port=free_port(),  # only this node uses it
                log_dirs=self._data,
            )
        )
        # The folder is formatted once: a second time would be another cluster, on top of this one's data. Kafka makes
        # this file last and in one step.
        if not (self._data / "meta.properties").exists():
            self._format()

    def _command(self) -> Sequence[str]:
        return [*self._jvm(), *_JVM_OPTIONS, *_LOG_OPTIONS, "kafka.Kafka", str(self._properties)]

    def _is_ready(self) -> bool:
        return is_serving(self.port)

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _jvm(self) -> list[str]:
        return [str(self._java), "-cp", self._class_path]

    def _format(self) -> None:
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        command = [
            *self._jvm(),
            "-XX:TieredStopAtLevel=1",
            *_LOG_OPTIONS,
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            f"--config={self._properties}",
        ]
        process = self._spawn(command)
        try:
            code = process.wait(FORMAT_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code:
            raise self._failed(f"could not format its folder {self._data}")


def is_serving(port: int, *, timeout_seconds: float = 2.0) -> bool:
    """True when the broker on the loopback port knows itself as a live member of its cluster, with a controller.

    Listening is not enough: a broker listens before it takes topics and writes.
    """
    client = b"readiness"
    # Metadata (key 3), version 1, correlation 1, no topics.
    body = struct.pack(">hhih", 3, 1, 1, len(client)) + client + struct.pack(">i", 0)
    try:
        with socket.create_connection((LOOPBACK, port), timeout_seconds) as connection:
            if connection.getsockname() == connection.getpeername():
                return False  # connected to itself: nobody listens
            connection.sendall(struct.pack(">i", len(body)) + body)
            (length,) = struct.unpack(">i", _read(connection, 4))
            answer = _read(connection, length)
    except OSError:
        return False
    _, brokers = struct.unpack_from(">ii", answer)
    if brokers < 1:
        return False
    position = 8
    for _ in range(brokers):  # node id, host, port, rack (null is length -1)
        position += 4
        position += 2 + struct.unpack_from(">h", answer, position)[0]
        position += 4
        position += 2 + max(0, struct.unpack_from(">h", answer, position)[0])
    controller: int = struct.unpack_from(">i", answer, position)[0]
    return controller >= 0


def _read(connection: socket.socket, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = connection.recv(length - len(parts))
        if not part:
            raise ConnectionError("closed before the answer was complete")
        parts += part
    return bytes(parts)

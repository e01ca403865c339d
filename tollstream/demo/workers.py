"""The demonstration's workers: real processes, started as an operator starts them, and who of them owns what."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError

from deploy.embedded import tether
from tollstream.errors import UserError
from tollstream.settings import CONFIG_VARIABLE, PREFIX

TETHER = str(Path(tether.__file__))  # a worker does not outlive the demonstration, however that ends
STOP_SECONDS_MAX = 20.0
LOG_LINES_SHOWN = 15


@dataclass(frozen=True)
class WorkerProcess:
    """One `tollstream worker`; its log is a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def require_running(self) -> None:
        """Raises UserError with the end of its log when the worker is gone."""
        if self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES_SHOWN:]
            told = "\n".join(["", *lines])
            raise UserError(f"worker {self.pid} stopped with exit code {self.process.returncode}; its log ends:{told}")

    def kill(self) -> int:
        """SIGKILL; answers the exit code, -9 when the signal is what ended it."""
        self.process.kill()
        return self.process.wait(STOP_SECONDS_MAX)

    def ask_to_stop(self) -> None:
        """SIGTERM, as a supervisor stops it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask, wait, insist; answers the exit code."""
        self.ask_to_stop()
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            return self.kill()


def start_worker(settings_file: Path, log: Path) -> WorkerProcess:
    """Start `tollstream worker` with nothing but this settings file. Call from a thread that stays: the worker is
    killed when the thread that started it ends."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    here = str(Path(__file__).resolve().parents[2])  # found also where the packages are not installed
    search = os.pathsep.join(filter(None, (here, environment.get("PYTHONPATH"))))
    environment |= {CONFIG_VARIABLE: str(settings_file), "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, TETHER, str(os.getpid()), sys.executable, "-m", "tollstream", "worker"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=settings_file.parent,
            start_new_session=True,  # Ctrl-C is for the demonstration, which then stops its workers
        )
    return WorkerProcess(process, log)


async def owned_partitions(admin: AIOKafkaAdminClient, group: str, topic: str) -> dict[int, list[int]]:
    """Process id of a worker -> partitions of the topic that the consumer group has given it."""
    try:
        [description] = await admin.describe_consumer_groups([group])
    except KafkaError as error:
        if not error.retriable:
            raise
        return {}  # a young broker has no coordinator yet
    members = description.groups[0][5]  # (error, group, state, protocol type, protocol, members, …)
    return {
        int(client_id.rpartition(":")[2]): _partitions(assignment, topic)
        for _, client_id, _, _, assignment in members
        if client_id.rpartition(":")[2].isdigit()
    }


def _partitions(assignment: bytes, topic: str) -> list[int]:
    if not assignment:
        return []
    decoded = ConsumerProtocolMemberAssignment.decode(assignment)
    return sorted(partition for name, partitions in decoded.assignment if name == topic for partition in partitions)


async def wait_for_owners(
    admin: AIOKafkaAdminClient, group: str, topic: str, workers: Mapping[int, WorkerProcess], seconds_max: float
) -> dict[int, list[int]]:
    """Wait until exactly these workers own partitions, each some. Raises UserError."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds_max
    while True:
        for worker in workers.values():
            worker.require_running()
        owned = await owned_partitions(admin, group, topic)
        if owned.keys() == workers.keys() and all(owned.values()):
            return owned
        if clock() > deadline:
            raise UserError(
                f"after {seconds_max:g} s the group's shares are {owned}; each of {list(workers)} needs one"
            )
        await asyncio.sleep(0.2)

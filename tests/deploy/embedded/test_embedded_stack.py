"""The stack outlives crashes with its data, and never outlives whoever started it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.embedded import jars, kafka
from deploy.embedded.errors import (
    FolderTakenError,
    FolderUnusableError,
    JarsUnavailableError,
    PortTakenError,
    ServerFailedError,
)
from deploy.embedded.ports import free_port
from deploy.embedded.stack import EmbeddedStack

ROOT = Path(__file__).parents[3]
UP = [sys.executable, "-m", "tollstream", "up", "--kafka-port", "0", "--clickhouse-port", "0"]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A stack of this module's own, to be mistreated."""
    with EmbeddedStack(tmp_path_factory.mktemp("own")) as running:
        yield running


def ask(stack: EmbeddedStack, query: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", stack.clickhouse.port, timeout=30)
    try:
        connection.request("POST", "/", query)
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body
        return body
    finally:
        connection.close()


async def produce(stack: EmbeddedStack, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=stack.endpoints.bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, value, partition=0)


async def consume(stack: EmbeddedStack, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.endpoints.bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        return [(await consumer.getone(partition)).value for _ in range(end)]


async def test_records_survive_a_kill_and_a_restart_of_the_broker(own: EmbeddedStack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=own.endpoints.bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 1, 1)])
    await admin.close()
    before = own.kafka.pid, own.kafka.port
    await produce(own, "kept", b"one")
    await asyncio.to_thread(own.kafka.kill)
    await asyncio.to_thread(own.kafka.start)
    await produce(own, "kept", b"two")
    await asyncio.to_thread(own.kafka.stop)
    await asyncio.to_thread(own.kafka.start)

    assert await consume(own, "kept") == [b"one", b"two"]
    assert own.kafka.port == before[1]
    assert own.kafka.pid != before[0]


def test_rows_survive_a_kill_and_a_restart_of_the_store(own: EmbeddedStack) -> None:
    port = own.clickhouse.port
    ask(own, "CREATE TABLE kept (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS fsync_after_insert = 1")
    ask(own, "INSERT INTO kept FORMAT CSV\n1\n")
    own.clickhouse.kill()
    own.clickhouse.start()
    ask(own, "INSERT INTO kept FORMAT CSV\n2\n")
    own.clickhouse.stop()
    own.clickhouse.start()

    assert ask(own, "SELECT a FROM kept ORDER BY a") == "1\n2\n"
    assert ask(own, "SELECT value FROM system.merge_tree_settings WHERE name = 'fsync_after_insert'") == "0\n"
    assert "fsync_after_insert = 1" in ask(own, "SHOW CREATE TABLE kept")
    assert own.clickhouse.port == port


def test_a_paused_server_hangs_and_then_goes_on(own: EmbeddedStack) -> None:
    own.clickhouse.pause()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", own.clickhouse.port, timeout=0.5)
        connection.request("GET", "/ping")
        with pytest.raises(TimeoutError):
            connection.getresponse()
    finally:
        own.clickhouse.resume()

    assert ask(own, "SELECT 1") == "1\n"
    assert own.failure() is None


def test_a_server_that_ended_by_itself_is_told(own: EmbeddedStack) -> None:
    os.kill(own.clickhouse.pid, signal.SIGKILL)
    while own.clickhouse.running:
        time.sleep(0.01)
    failure = own.failure()
    own.clickhouse.start()

    assert failure is not None
    assert "ClickHouse ended (signal SIGKILL)" in str(failure)
    assert str(own.data_dir / "logs" / "clickhouse.log") in str(failure)
    assert own.failure() is None


def test_a_second_stack_on_the_same_folder_is_refused(own: EmbeddedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.embedded.folder.LOCK_WAIT_SECONDS", 0.1)

    with pytest.raises(FolderTakenError, match=f"process {os.getpid()}"):
        EmbeddedStack(own.data_dir).start()

    assert ask(own, "SELECT 1") == "1\n"


def test_a_server_started_from_a_short_thread_outlives_the_thread(own: EmbeddedStack) -> None:
    own.clickhouse.stop()
    thread = threading.Thread(target=own.clickhouse.start)
    thread.start()
    thread.join()
    time.sleep(0.3)

    assert own.clickhouse.running


@pytest.mark.parametrize("server", ["kafka", "clickhouse"])
def test_a_taken_port_is_named_with_its_option_and_nothing_is_left_running(tmp_path: Path, server: str) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        stack = EmbeddedStack(tmp_path / "data", **{f"{server}_port": port})
        with pytest.raises(PortTakenError, match=rf"{port}.*--{server}-port"):
            stack.start()

    assert not stack.kafka.running
    assert not stack.clickhouse.running


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(FolderUnusableError, match="Not a directory"):
        EmbeddedStack(tmp_path / "file" / "data").start()


def test_jars_that_cannot_be_had_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(jars.JARS_VARIABLE, str(tmp_path))
    with pytest.raises(JarsUnavailableError, match=f"set {jars.JARS_VARIABLE} to its libs folder"):
        EmbeddedStack(tmp_path / "data").start()


def test_jars_of_a_distribution_are_used_when_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kafka_2.13-4.1.0.jar").touch()
    monkeypatch.setenv(jars.JARS_VARIABLE, str(tmp_path))

    assert jars.class_path() == str(tmp_path / "*")


def test_a_broker_that_cannot_run_shows_the_end_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_JVM_OPTIONS", ("-XX:NoSuchOption",))

    with pytest.raises(ServerFailedError, match="NoSuchOption"):
        EmbeddedStack(tmp_path / "data").start()


# The command line, as a process


def start_up(data: Path, *options: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [*UP, "--data", str(data), "--json", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process, json.loads(line)


def gone(pids: list[int], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_up_serves_until_a_signal_and_again_on_the_same_data(tmp_path: Path) -> None:
    process, facts = start_up(tmp_path / "data")
    pids = [facts["kafka_pid"], facts["clickhouse_pid"]]
    assert facts["data"] == str(tmp_path / "data")
    assert all(psutil.pid_exists(pid) for pid in pids)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert gone(pids, 0.1)

    # Killed with SIGKILL, it has no chance to stop anything: the kernel does. Then the folder is free at once.
    process, facts = start_up(tmp_path / "data")
    process.kill()
    process.wait()
    assert gone([facts["kafka_pid"], facts["clickhouse_pid"]])
    with EmbeddedStack(tmp_path / "data") as stack:
        assert ask(stack, "SELECT 1") == "1\n"


def test_up_ends_with_a_sentence_when_a_server_ends(tmp_path: Path) -> None:
    process, facts = start_up(tmp_path / "data")
    os.kill(facts["kafka_pid"], signal.SIGKILL)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "Kafka ended (signal SIGKILL)" in told
    assert "Traceback" not in told
    assert gone([facts["clickhouse_pid"]])


def test_up_can_be_interrupted_while_it_starts(tmp_path: Path) -> None:
    process = subprocess.Popen([*UP, "--data", str(tmp_path / "data")], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "data" / "logs" / "kafka.log").exists():
        time.sleep(0.02)
    servers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert process.returncode == 0, told
    assert "Traceback" not in told
    assert gone([server.pid for server in servers])


def test_up_on_a_taken_port_is_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*UP, "--data", str(tmp_path / "data"), "--kafka-port", str(port)], cwd=ROOT, capture_output=True, text=True
        )

    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in done.stderr
    assert "Traceback" not in done.stderr

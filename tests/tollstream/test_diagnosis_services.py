"""The doctor's look at servers that are not there; tests/integration/test_doctor.py looks at real ones."""

from __future__ import annotations

import socket

import pytest

from tollstream.commands.doctor import local_ports
from tollstream.diagnosis import services
from tollstream.settings import Settings


@pytest.fixture
def nobody() -> int:
    """A port on which nobody listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_a_store_that_is_not_started_here_is_a_warning(nobody: int) -> None:
    [finding] = services.store(Settings(clickhouse_url=f"http://127.0.0.1:{nobody}"))
    assert (finding.check, finding.level) == ("clickhouse", "warn")
    assert f"127.0.0.1:{nobody} cannot be reached" in finding.found
    assert "tollstream up" in finding.cure


def test_a_broker_that_is_not_started_here_is_a_warning(nobody: int) -> None:
    [finding] = services.broker(Settings(kafka_bootstrap_servers=f"127.0.0.1:{nobody}"))
    assert (finding.check, finding.level) == ("kafka", "warn")
    assert f"127.0.0.1:{nobody} does not answer" in finding.found


def test_a_server_elsewhere_that_is_away_is_a_failure() -> None:
    finding = services.away("kafka", "no answer", ["127.0.0.1", "kafka.example"])
    assert (finding.level, finding.cure) == ("fail", "check the address, the network and the server")


def test_a_store_that_never_answers_is_a_failure_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "ANSWER_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        [finding] = services.store(Settings(clickhouse_url=f"http://127.0.0.1:{silent.getsockname()[1]}"))
    assert finding.level == "fail"
    assert "did not answer within 1 s" in finding.found


def test_only_ports_of_this_machine_are_looked_at() -> None:
    settings = Settings(
        kafka_bootstrap_servers="127.0.0.1:29092, kafka.example:9092",
        clickhouse_url="https://store.example",
        metrics_host="localhost",
        metrics_port=9999,
    )
    assert local_ports(settings) == [("Kafka", "127.0.0.1", 29092), ("metrics", "localhost", 9999)]

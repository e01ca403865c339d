"""The integration suite once more, on the real Kafka and ClickHouse images.

Without a Docker engine, or where an image cannot be fetched, that one test is skipped and says why; the run on the
embedded servers never is. By hand: `make integration ARGS=--stack=docker`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.errors import APIError, ImageNotFound

from deploy.embedded.ports import LOOPBACK
from tests.support import containers

ROOT = Path(__file__).resolve().parents[2]
# Not tests/deploy, which tests the embedded servers, nor the demonstration, which starts a stack of its own.
SUITE = (
    "tests/integration",
    "tests/sinks",
    "tests/gateway",
    "tests/tollstream",
    "--ignore=tests/integration/test_demo.py",
)


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_the_integration_suite_passes_on_the_real_servers_too() -> None:
    reason = containers.why_not()
    if reason is not None:
        pytest.skip(reason)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "TOLLSTREAM_"))}
    command = [sys.executable, "-m", "pytest", "--stack=docker", "-m", "integration and not chaos", "-q", *SUITE]
    done = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout[-2_000:]
    assert int(passed[1]) > 100, "most of the suite was left out"


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    return services


def test_what_is_started_is_what_compose_starts() -> None:
    kafka, clickhouse = containers.kafka_service(20_001), containers.clickhouse_service(20_002)
    for service in (kafka, clickhouse):
        written = compose()[service.name]
        assert service.image == written["image"]
        assert ["CMD", *service.health] == written["healthcheck"]["test"]
    assert clickhouse.port_inside == 8123
    assert kafka.environment.keys() == compose()["kafka"]["environment"].keys()


def test_the_broker_listens_and_advertises_where_its_clients_are() -> None:
    kafka = containers.kafka_service(20_001)
    assert kafka.port == kafka.port_inside == 20_001
    assert "LOCAL://:20001" in kafka.environment["KAFKA_LISTENERS"].split(",")
    assert f"LOCAL://{LOOPBACK}:20001" in kafka.environment["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert "29092" not in str(kafka.environment)


def test_without_an_engine_the_reason_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    reason = containers.why_not()
    assert reason is not None
    assert reason.startswith("no Docker engine answers: ")
    assert "\n" not in reason


def test_an_engine_on_another_machine_is_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example.org:2375")
    assert "docker.example.org:2375 is not on this machine" in (containers.why_not() or "")


class Engine:
    """A Docker engine that holds some images and can fetch some others."""

    def __init__(self, here: set[str], fetchable: set[str]) -> None:
        self.here, self.fetchable = here, fetchable
        self.images = self

    def ping(self) -> bool:
        return True

    def get(self, image: str) -> None:
        if image not in self.here:
            raise ImageNotFound("no such image")

    def pull(self, image: str) -> None:
        if image not in self.fetchable:
            raise APIError("lookup failed: no such host")
        self.here.add(image)


def test_an_image_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    kafka, clickhouse = (compose()[name]["image"] for name in ("kafka", "clickhouse"))
    engine = Engine({kafka}, set())
    monkeypatch.setattr(docker, "from_env", lambda: engine)
    assert containers.why_not() == (
        f"the image {clickhouse} is not here and cannot be fetched: lookup failed: no such host"
    )
    engine.fetchable.add(clickhouse)
    assert containers.why_not() is None
    assert engine.here == {kafka, clickhouse}

"""The real Kafka and ClickHouse in containers, as docker-compose.yml has them: what `--stack=docker` tests run on.

Images, settings and health checks are read from that file. Other than there, ports are free ones of this machine's
loopback, ClickHouse keeps its `default` user without a password, as the embedded engine has it, and nothing outlives
the tests. An engine elsewhere is of no use: Kafka tells its clients to come to loopback.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.container import DockerContainer

from deploy.embedded.ports import LOOPBACK, free_port
from deploy.embedded.stack import Endpoints

COMPOSE = Path(__file__).parents[2] / "docker-compose.yml"
READY_SECONDS_MAX = 90


@dataclass(frozen=True, slots=True)
class Service:
    """One container to start."""

    name: str
    image: str
    environment: dict[str, str]
    port: int  # on loopback
    port_inside: int
    health: list[str]  # run inside, it ends with 0 once the server answers


def kafka_service(port: int) -> Service:
    """The broker listens on the port that its clients see, because it tells them where to come to."""
    service = _compose("kafka")
    written = str(_port_inside(service))
    environment = {name: value.replace(written, str(port)) for name, value in service["environment"].items()}
    return Service("kafka", service["image"], environment, port, port, service["healthcheck"]["test"][1:])


def clickhouse_service(port: int) -> Service:
    """The engine, open to whoever reaches loopback."""
    service = _compose("clickhouse")
    environment = {"CLICKHOUSE_SKIP_USER_SETUP": "1"}
    return Service(
        "clickhouse", service["image"], environment, port, _port_inside(service), service["healthcheck"]["test"][1:]
    )


def why_not() -> str | None:
    """Why the containers cannot be started here; fetches images that are missing, which may take minutes."""
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith(("unix://", "npipe://")):
        return f"the Docker engine {host} is not on this machine, whose loopback the servers have to be on"
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        return f"no Docker engine answers: {_first_line(error)}"
    for name in ("kafka", "clickhouse"):
        image = _compose(name)["image"]
        try:
            client.images.get(image)
        except ImageNotFound:
            try:
                client.images.pull(image)
            except DockerException as error:
                return f"the image {image} is not here and cannot be fetched: {_first_line(error)}"
    return None


@contextmanager
def started() -> Iterator[Endpoints]:
    """Both servers, answering; gone afterwards."""
    kafka, clickhouse = kafka_service(free_port()), clickhouse_service(free_port())
    with ExitStack() as running:
        both = [(service, running.enter_context(_container(service))) for service in (kafka, clickhouse)]
        for service, container in both:
            _wait_until_healthy(service, container)
        yield Endpoints(f"{LOOPBACK}:{kafka.port}", f"http://{LOOPBACK}:{clickhouse.port}")


def _container(service: Service) -> DockerContainer:
    # The name is the one that the settings of compose use inside.
    container = DockerContainer(service.image, env=dict(service.environment), hostname=service.name)
    container.ports[f"{service.port_inside}/tcp"] = (LOOPBACK, service.port)  # type: ignore[assignment] # docker's form
    return container


def _wait_until_healthy(service: Service, container: DockerContainer) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    said = ""
    while time.monotonic() < deadline:
        wrapped = container.get_wrapped_container()
        wrapped.reload()
        if wrapped.status == "exited":
            break
        code, output = container.exec(service.health)
        if code == 0:
            return
        said = output.decode(errors="replace")
        time.sleep(0.5)
    logs = "\n".join(part.decode(errors="replace")[-4000:] for part in container.get_logs())
    raise AssertionError(f"{service.image} is not healthy: {said}\n{logs}")


def _compose(name: str) -> dict[str, Any]:
    service: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"][name]
    return service


def _port_inside(service: dict[str, Any]) -> int:
    [published] = service["ports"]
    return int(published.rpartition(":")[2])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]

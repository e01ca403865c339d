"""Another distribution's package under one of our names is refused with one sentence, wherever it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tollstream import shadowing
from tollstream.errors import ShadowedPackageError

ROOT = Path(__file__).resolve().parents[2]


def test_our_own_packages_pass() -> None:
    shadowing.refuse_shadowed_packages()


def test_a_package_without_our_marker_is_refused_even_in_our_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant(tmp_path, "agents", marker="somebody-else")
    monkeypatch.setattr(shadowing, "PACKAGES", ("agents",))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "agents", raising=False)
    with pytest.raises(ShadowedPackageError, match="belongs to no installed distribution"):
        shadowing.refuse_shadowed_packages(home=tmp_path)


def test_a_folder_without_init_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deployx").mkdir()
    monkeypatch.setattr(shadowing, "PACKAGES", ("deployx",))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ShadowedPackageError, match=r"Python imports `deployx` from .*deployx"):
        shadowing.refuse_shadowed_packages(home=tmp_path)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowing, "PACKAGES", ("no_such_package_of_ours",))
    with pytest.raises(ShadowedPackageError, match="`no_such_package_of_ours` of tollstream is missing"):
        shadowing.refuse_shadowed_packages()


def test_the_command_line_stops_before_importing_a_stranger(tmp_path: Path) -> None:
    _plant(tmp_path, "agents", marker=None)
    first = f"import sys; sys.path.insert(0, {str(tmp_path)!r})"
    code = f"{first}; from tollstream.cli import main; sys.exit(main(['--help']))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith(f"tollstream: Python imports `agents` from {tmp_path.resolve()}")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def _plant(home: Path, package: str, marker: str | None) -> None:
    folder = home / package
    folder.mkdir()
    text = "raise RuntimeError('imported')\n" if marker is None else f'__distribution__ = "{marker}"\n'
    (folder / "__init__.py").write_text(text)

"""The wheel, as somebody who never saw the checkout meets it: built, installed in an empty environment, run.

A green run proves that the wheel holds every package with its data, that the dependencies of the lock install beside
it, and that another distribution's `agents` is refused. It does not run the pipeline: tests/integration does.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tollstream.cli import VERBS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("topics", "billing", "sinks", "agents", "gateway", "deploy", "tollstream")
DATA = (".toml", ".sql", ".yml", ".yaml", ".json", ".typed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands of an environment that holds the wheel and its pinned dependencies, no more."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "environment", with_pip=True, symlinks=True)
    commands = folder / "environment" / "bin"
    install = (commands / "python", "-m", "pip", "install", "--no-compile")
    # The lock names all there is to install; that nothing is missing from it is checked afterwards.
    lock = ROOT / "deploy" / "docker" / "requirements.lock"
    _run(*install, "--no-deps", "--require-hashes", "--requirement", lock)
    _run(*install, "--no-deps", wheel)
    return commands


def test_the_runtime_lock_is_a_part_of_the_lock() -> None:
    """What runs in a container is what the tests ran with, hash by hash."""
    whole, runtime = (_pins(ROOT / folder / "requirements.lock") for folder in ("", "deploy/docker"))
    assert runtime
    assert {name: pin for name, pin in runtime.items() if whole.get(name) != pin} == {}


def test_the_locks_name_no_registry_and_no_folder() -> None:
    for folder in ("", "deploy/docker"):
        text = (ROOT / folder / "requirements.lock").read_text(encoding="utf-8")
        assert not re.search(r"https?:|--index|--find-links|file:|@ ", text)


def test_the_installed_dependencies_are_complete(installed: Path) -> None:
    assert "No broken requirements found" in _run(installed / "python", "-m", "pip", "check")


def test_the_wheel_holds_every_package_with_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", *DATA} or path.name == "py.typed"
    }
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert not wanted - held, sorted(wanted - held)
    assert {name.split("/")[0] for name in held} == set(PACKAGES)


def test_the_installed_command_answers_help_and_version(installed: Path, tmp_path: Path) -> None:
    shown = _run(installed / "tollstream", "--help", cwd=tmp_path)
    listed = re.findall(r"^  ([a-z-]+)  ", shown.split("Commands:")[1], flags=re.MULTILINE)
    assert set(listed) == set(VERBS)
    assert _run(installed / "tollstream", "--version", cwd=tmp_path).strip() == "tollstream, version 0.1.0"


EVERY_HELP = """
from click.testing import CliRunner
from tollstream.cli import VERBS, cli
for verb in VERBS:
    shown = CliRunner().invoke(cli, [verb, "--help"])
    assert shown.exit_code == 0 and "Example" in shown.output, (verb, shown.output, shown.exception)
"""


def test_every_installed_verb_finds_what_it_imports(installed: Path, tmp_path: Path) -> None:
    _run(installed / "python", "-c", EVERY_HELP, cwd=tmp_path)


def test_another_distributions_agents_on_the_path_is_refused(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    (folder / "agents").mkdir(parents=True)
    (folder / "agents" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    refused = _refused(installed, tmp_path, PYTHONPATH=str(folder))
    assert refused.startswith(f"tollstream: Python imports `agents` from {folder.resolve()}")
    assert "belongs to no installed distribution, not to tollstream: move that folder off Python's path" in refused


def test_another_distribution_installed_over_our_agents_is_refused_by_name(installed: Path, tmp_path: Path) -> None:
    """Last: it overwrites agents/__init__.py, as pip lets it."""
    theirs = _plain_wheel(tmp_path, distribution="acme_agents", package="agents")
    _run(installed / "python", "-m", "pip", "install", "--no-deps", "--no-index", theirs)
    refused = _refused(installed, tmp_path)
    assert "belongs to the distribution acme-agents, not to tollstream: uninstall acme-agents" in refused


def _refused(installed: Path, folder: Path, **variables: str) -> str:
    done = subprocess.run(
        [installed / "tollstream", "--help"],
        cwd=folder,
        env=_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def _pins(lock: Path) -> dict[str, str]:
    """requirement -> its version, marker and hashes, as written."""
    text = lock.read_text(encoding="utf-8")
    return {
        entry.split("==")[0] + entry.partition(";")[2].split("\\")[0]: entry
        for entry in re.split(r"\n(?=\S)", text.strip())
    }


def _plain_wheel(folder: Path, *, distribution: str, package: str) -> Path:
    info = f"{distribution}-1.0.dist-info"
    path = folder / f"{distribution}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{package}/__init__.py", "raise RuntimeError('imported')\n")
        name = distribution.replace("_", "-")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/top_level.txt", f"{package}\n")
        archive.writestr(f"{info}/RECORD", f"{package}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return path


def _environment(**variables: str) -> dict[str, str]:
    """This process's environment without what would let the checkout leak into the installed command."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return {name: value for name, value in kept.items() if not name.startswith("TOLLSTREAM_")} | variables


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"
    return done.stdout

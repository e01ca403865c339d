"""The repository keeps its house rules, and each rule says what to do where it is broken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import tidy

ROOT = Path(__file__).resolve().parents[2]


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: there is no list of tracked files")
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def _oracles(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*.py") if "oracle" in path.stem or "oracle" in path.parent.name)


def _report(breaches: list[str]) -> str:
    return "\n".join(breaches)


def test_packages_import_only_what_stands_left_of_them() -> None:
    breaches = tidy.wrong_arrows(ROOT)
    assert not breaches, _report(breaches)


def test_billing_has_no_io_no_clock_and_no_framework() -> None:
    breaches = tidy.impure_billing(ROOT)
    assert not breaches, _report(breaches)


def test_the_oracle_shares_no_code_with_what_it_judges() -> None:
    oracles = [path for path in _oracles(ROOT / "tollstream") if "test" not in path.stem]
    assert oracles, "no oracle found: the demo's reconciliation would be compared with nothing"
    breaches = tidy.shared_oracle(ROOT, oracles)
    assert not breaches, _report(breaches)


def test_no_file_does_more_than_one_thing() -> None:
    breaches = tidy.long_files(ROOT) + tidy.nameless_files(ROOT)
    assert not breaches, _report(breaches)


def test_every_public_module_says_what_it_is() -> None:
    breaches = tidy.undocumented_modules(ROOT)
    assert not breaches, _report(breaches)


def test_tracked_files_name_no_registry_no_machine_and_no_secret() -> None:
    breaches = tidy.tell_tales(ROOT, _tracked())
    assert not breaches, _report(breaches)


def test_every_package_carries_its_marker_and_its_type_promise() -> None:
    for package in sorted(set(tidy.ARROWS) - {"bench"}):
        init = (ROOT / package / "__init__.py").read_text(encoding="utf-8")
        assert '__distribution__ = "tollstream"' in init, package
        assert (ROOT / package / "py.typed").exists(), package


# What each rule says when it is broken.


@pytest.fixture
def house(tmp_path: Path) -> Path:
    for package in tidy.ARROWS:
        (tmp_path / package).mkdir()
    (tmp_path / "tests").mkdir()
    return tmp_path


def _write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("billing/x.py", "import sinks", "billing/x.py:1 imports sinks: billing may import topics"),
        ("topics/x.py", "from billing.money import y", "topics/x.py:1 imports billing.money: topics may import none"),
        ("gateway/x.py", "def f():\n    import billing", "gateway/x.py:2 imports billing: gateway may import topics"),
        ("deploy/x.py", "import_module('agents.app')", "deploy/x.py:1 imports agents.app: deploy may import none"),
        ("agents/x.py", "import tests.support", "agents/x.py:1 imports tests.support: agents may import billing"),
    ],
)
def test_an_import_against_the_arrows_is_named_with_its_line(house: Path, name: str, text: str, sentence: str) -> None:
    _write(house, name, text)
    [breach] = tidy.wrong_arrows(house)
    assert breach.startswith(sentence)


def test_an_import_along_the_arrows_is_nobodys_business(house: Path) -> None:
    _write(house, "agents/x.py", "import topics, billing.rating\nfrom sinks import contract\nimport agents.y")
    assert tidy.wrong_arrows(house) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("import time", "billing/x.py:1 imports time: billing takes what it needs as arguments"),
        ("def f():\n    from os import environ", "billing/x.py:2 imports os: billing takes what it needs as arguments"),
        ("a = datetime.now(UTC)", "billing/x.py:1 calls now(): time reaches billing as an argument"),
        ("a = open('x')", "billing/x.py:1 calls open(): in billing only loading.py or load*.py read files"),
        ("a = p.read_text()", "billing/x.py:1 calls read_text(): in billing only loading.py or load*.py read files"),
    ],
)
def test_an_impure_line_of_billing_is_named(house: Path, text: str, sentence: str) -> None:
    _write(house, "billing/x.py", text)
    assert tidy.impure_billing(house) == [sentence]


def test_the_loaders_of_billing_may_read(house: Path) -> None:
    _write(house, "billing/prices/loading.py", "a = p.read_text()")
    assert tidy.impure_billing(house) == []


def test_an_oracle_that_imports_rating_is_named(house: Path) -> None:
    oracle = _write(house, "tollstream/demo/oracle.py", "import decimal\nfrom billing.rating import Rater")
    sentence = "tollstream/demo/oracle.py:2 imports billing.rating: an oracle shares no code with what it judges"
    assert tidy.shared_oracle(house, [oracle]) == [sentence]


def test_a_file_that_grew_too_long_is_named_with_its_length(house: Path) -> None:
    _write(house, "sinks/x.py", "a = 1\n" * 401)
    sentence = "sinks/x.py has 401 lines, more than 400: it does more than one thing, split it"
    assert tidy.long_files(house) == [sentence]
    _write(house, "sinks/x.py", "a = 1\n" * 400)
    assert tidy.long_files(house) == []


def test_a_module_named_after_nothing_is_named(house: Path) -> None:
    _write(house, "sinks/utils.py", "")
    _write(house, "agents/common/x.py", "")
    assert tidy.nameless_files(house) == [
        "agents/common/x.py: name it after what it holds, not x",
        "sinks/utils.py: name it after what it holds, not utils",
    ]


def test_a_module_without_a_docstring_is_named_unless_it_is_private(house: Path) -> None:
    _write(house, "sinks/x.py", "a = 1")
    _write(house, "sinks/_y.py", "a = 1")
    assert tidy.undocumented_modules(house) == ["sinks/x.py has no docstring: say its purpose, units and errors"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("see https://" + tidy.REGISTRY_HOSTS[0] + "/simple", f"x.txt:1 names the registry {tidy.REGISTRY_HOSTS[0]}"),
        ("cd /" + "home/anna/code", "x.txt:1 holds a path of one machine: /" + "home/anna"),
        ("-----BEGIN RSA " + "PRIVATE KEY", "x.txt:1 holds a secret: remove it, and change it wherever it is valid"),
    ],
)
def test_a_line_that_tells_too_much_is_named(house: Path, line: str, sentence: str) -> None:
    assert tidy.tell_tales(house, [_write(house, "x.txt", line)]) == [sentence]

"""House rules as functions of a folder: each answers one sentence per breach, with file, line and what to do.

They read source text and syntax trees; nothing is imported or run. tests/architecture/ runs them over the repository
and tests, for each, the sentence it says.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

# Who may import whom: each package only what stands left of it.
ARROWS: dict[str, frozenset[str]] = {
    "topics": frozenset(),
    "billing": frozenset({"topics"}),
    "sinks": frozenset({"topics", "billing"}),
    "agents": frozenset({"topics", "billing", "sinks"}),
    "gateway": frozenset({"topics"}),
    "deploy": frozenset(),
    "tollstream": frozenset({"topics", "billing", "sinks", "agents", "gateway", "deploy"}),
    "bench": frozenset({"topics", "billing", "sinks", "agents", "gateway", "deploy", "tollstream"}),
}
OURS = frozenset(ARROWS) | {"tests"}

# What would make `billing` depend on when or where it runs.
IMPURE_MODULES = frozenset(
    {
        "aiohttp", "aiokafka", "asyncio", "chdb", "clickhouse_connect", "faust", "http", "httpx", "io", "logging",
        "mode", "multiprocessing", "os", "random", "requests", "secrets", "shutil", "socket", "sqlite3", "subprocess",
        "sys", "tempfile", "threading", "time", "urllib", "uuid",
    }
)  # fmt: skip
CLOCK_CALLS = frozenset({"now", "utcnow", "today", "time", "monotonic", "perf_counter"})
FILE_CALLS = frozenset(
    {
        "open", "read_text", "read_bytes", "write_text", "write_bytes", "iterdir", "glob", "rglob", "exists", "is_file",
        "is_dir", "stat", "read_csv", "read_json", "read_ndjson", "read_parquet", "read_ipc", "scan_csv", "scan_ndjson",
        "scan_parquet", "scan_ipc",
    }
)  # fmt: skip
LOADERS = re.compile(r"^(load.*|loading)\.py$")  # the only files of billing that read: books, when asked

NAMELESS = frozenset({"util", "utils", "helper", "helpers", "misc", "common"})
LINES_MAX = 400

# Joined here so that this file holds none of them.
REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("crates", "io"),
        ("golang", "org"),
        ("deb", "debian", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~$}])/(?:root|home|Users|work)/[\w.-]+")
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abp]-[0-9A-Za-z-]{20,}"
)


def sources(root: Path, *packages: str) -> Iterator[Path]:
    """Python files of the packages (all of ours by default), sorted."""
    for package in packages or sorted(ARROWS):
        yield from sorted((root / package).rglob("*.py"))


def wrong_arrows(root: Path) -> list[str]:
    """Imports against the arrows, also inside functions and through import_module("…")."""
    breaches = []
    for path in sources(root):
        package = path.relative_to(root).parts[0]
        for line, module in _imports(path):
            target = module.split(".")[0]
            if target in OURS and target != package and target not in ARROWS[package]:
                allowed = ", ".join(sorted(ARROWS[package])) or "none of our packages"
                breaches.append(f"{_at(root, path, line)} imports {module}: {package} may import {allowed}")
    return breaches


def impure_billing(root: Path) -> list[str]:
    """I/O, clocks, chance and frameworks in `billing`; reading files is left to its loaders."""
    breaches = []
    for path in sources(root, "billing"):
        for line, module in _imports(path):
            if module.split(".")[0] in IMPURE_MODULES:
                breaches.append(f"{_at(root, path, line)} imports {module}: billing takes what it needs as arguments")
        for node in ast.walk(_tree(path)):
            if not isinstance(node, ast.Call):
                continue
            name = _called(node)
            if name in CLOCK_CALLS and isinstance(node.func, ast.Attribute):
                breaches.append(f"{_at(root, path, node.lineno)} calls {name}(): time reaches billing as an argument")
            if name in FILE_CALLS and not LOADERS.match(path.name):
                breaches.append(
                    f"{_at(root, path, node.lineno)} calls {name}(): in billing only loading.py or load*.py read files"
                )
    return breaches


def shared_oracle(root: Path, oracles: list[Path]) -> list[str]:
    """An independent recomputation that imports what it checks is no proof of anything."""
    allowed = {module for path in oracles for module in _module_names(root, path)}
    return [
        f"{_at(root, path, line)} imports {module}: an oracle shares no code with what it judges"
        for path in oracles
        for line, module in _imports(path)
        if module.split(".")[0] in OURS and module not in allowed
    ]


def long_files(root: Path) -> list[str]:
    """Python files that do more than one thing, judged by length."""
    return [
        f"{path.relative_to(root)} has {lines} lines, more than {LINES_MAX}: it does more than one thing, split it"
        for path in [*sources(root), *sorted((root / "tests").rglob("*.py"))]
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LINES_MAX
    ]


def nameless_files(root: Path) -> list[str]:
    """Packages and modules named after nothing."""
    return [
        f"{path.relative_to(root)}: name it after what it holds, not {path.stem}"
        for path in [*sources(root), *sorted((root / "tests").rglob("*.py"))]
        if NAMELESS & {path.stem, *path.relative_to(root).parts[:-1]}
    ]


def undocumented_modules(root: Path) -> list[str]:
    """Public modules of the packages without a docstring."""
    return [
        f"{path.relative_to(root)} has no docstring: say its purpose, units and errors"
        for path in sources(root)
        if not (path.stem.startswith("_") and path.stem != "__init__") and not ast.get_docstring(_tree(path))
    ]


def tell_tales(root: Path, files: list[Path]) -> list[str]:
    """Registry hosts, paths of somebody's machine, and secrets, in any tracked text file."""
    breaches = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):  # binary, or deleted and not yet committed
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            where = _at(root, path, number)
            breaches += [f"{where} names the registry {host}" for host in REGISTRY_HOSTS if host in line]
            breaches += [f"{where} holds a path of one machine: {found}" for found in MACHINE_PATH.findall(line)[:1]]
            if SECRETS.search(line):
                breaches.append(f"{where} holds a secret: remove it, and change it wherever it is valid")
    return breaches


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, absolute module) of every import in the file, wherever it stands."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module
        elif (
            isinstance(node, ast.Call)
            and _called(node) in {"import_module", "__import__"}
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and isinstance(node.args[0].value, str)
        ):
            yield node.lineno, node.args[0].value


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _module_names(root: Path, path: Path) -> Iterator[str]:
    """The module, and the packages it stands in (importing `a.b.c` names `a.b` in `from a.b import c`)."""
    parts = path.relative_to(root).with_suffix("").parts
    yield ".".join(parts)
    if path.stem == "__init__":
        yield ".".join(parts[:-1])


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _at(root: Path, path: Path, line: int) -> str:
    return f"{path.relative_to(root)}:{line}"

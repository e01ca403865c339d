"""Are `agents`, `topics`, … the ones that belong to us?

Our packages are flat, so another distribution with a package of the same name can stand before ours on the path.
That must be one sentence at the start, not an ImportError somewhere in the middle of a night.
Nothing is imported here: a package is ours if it stands beside `tollstream` and carries our marker.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
from pathlib import Path

from tollstream.errors import ShadowedPackageError

PACKAGES = ("topics", "billing", "sinks", "agents", "gateway", "deploy")
MARKER = "__distribution__"
DISTRIBUTION = "tollstream"
HOME = Path(__file__).resolve().parent.parent  # the folder that holds our packages, installed or checked out


def refuse_shadowed_packages(home: Path = HOME) -> None:
    """Raise `ShadowedPackageError` naming every package of ours that Python would take from elsewhere."""
    sentences = [sentence for name in PACKAGES if (sentence := _shadowed(name, home))]
    if sentences:
        raise ShadowedPackageError(" ".join(sentences))


def _shadowed(name: str, home: Path) -> str | None:
    spec = importlib.util.find_spec(name)
    if spec is None:
        return f"The package `{name}` of tollstream is missing: install tollstream again."
    if spec.origin is None:  # a folder without __init__.py
        found = Path(next(iter(spec.submodule_search_locations or [name])))
    else:
        found = Path(spec.origin).resolve()
        if found == home / name / "__init__.py" and read_marker(found) == DISTRIBUTION:
            return None
    others = [other for other in importlib.metadata.packages_distributions().get(name, []) if other != DISTRIBUTION]
    owner = f"the distribution {' and '.join(others)}" if others else "no installed distribution"
    cure = f"uninstall {others[0]} and install tollstream again" if others else "move that folder off Python's path"
    return (
        f"Python imports `{name}` from {found}, which belongs to {owner}, not to tollstream: "
        f"{cure}, or give tollstream an environment of its own."
    )


def read_marker(init: Path) -> str | None:
    """The value of `__distribution__` in a package's `__init__.py`, without running it."""
    try:
        tree = ast.parse(init.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and target.id == MARKER:
                    return str(node.value.value)
    return None

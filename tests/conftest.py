"""Marks by folder and by what a test asks for; fixtures that tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import hypothesis
import pytest

from tests.support.stack import OPTION, bootstrap_servers, clickhouse_url, endpoints, stack

__all__ = ("bootstrap_servers", "clickhouse_url", "endpoints", "stack")

# Two shared cores: how long an example takes says nothing. A failure prints how to replay it.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")

FOLDER_MARKS = ("simulation", "integration", "chaos", "packaging", "docker")
REAL_SERVERS = {"stack", "endpoints", "bootstrap_servers", "clickhouse_url"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The servers that tests run on."""
    help_text = "embedded (default), or docker: the real images of docker-compose.yml"
    parser.addoption(OPTION, choices=("embedded", "docker"), default="embedded", help=help_text)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test under tests/<folder>/ carries the mark of that name; one that asks for real servers is integration.

    Files that ask for the longest time-outs come first: side by side, nobody waits at the end for one that began late.
    """
    here = Path(__file__).parent
    longest: dict[Path, float] = {}
    for item in items:
        asked = item.get_closest_marker("timeout")
        longest[item.path] = max(longest.get(item.path, 0.0), float(asked.args[0]) if asked and asked.args else 0.0)
    items.sort(key=lambda item: -longest[item.path])
    for item in items:
        if REAL_SERVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)
        if here in item.path.parents:
            folder = item.path.relative_to(here).parts[0]
            if folder in FOLDER_MARKS:
                item.add_marker(getattr(pytest.mark, folder))

"""Marks by folder, so that a test is selected by where it stands; fixtures that tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.stack import bootstrap_servers, clickhouse_url, stack

__all__ = ("bootstrap_servers", "clickhouse_url", "stack")

FOLDER_MARKS = ("simulation", "integration", "chaos", "packaging")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test under tests/<folder>/ carries the mark of that name."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            folder = item.path.relative_to(here).parts[0]
            if folder in FOLDER_MARKS:
                item.add_marker(getattr(pytest.mark, folder))

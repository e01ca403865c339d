"""Every link of a page leads somewhere: the file exists, and so does the heading that it names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def _anchor(heading: str) -> str:
    """A heading as the address that Git hosts give it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _dead(page: Path) -> list[str]:
    dead = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            dead.append(f"{page.name} links to {link}, which does not exist")
        elif anchor and anchor not in map(_anchor, HEADING.findall(target.read_text(encoding="utf-8"))):
            dead.append(f"{page.name} links to {link}, but {target.name} has no such heading")
    return dead


def test_no_link_of_a_page_is_dead() -> None:
    pages = _pages()
    if not pages:
        pytest.skip("not a git checkout: there is no list of tracked files")
    dead = [sentence for page in pages for sentence in _dead(page)]
    assert not dead, "\n".join(dead)


def test_a_dead_link_is_named(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# R4 residual\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("[a](there.md#r4-residual) [b](gone.md) [c](there.md#r9) [d](https://example.org/x)", "utf-8")
    assert _dead(page) == [
        "page.md links to gone.md, which does not exist",
        "page.md links to there.md#r9, but there.md has no such heading",
    ]

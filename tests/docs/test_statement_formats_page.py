"""docs/statement-formats.md: the statement it shows is the golden one, and its table of forms is the list of forms."""

from __future__ import annotations

import re
from pathlib import Path

from tollstream.rendering import Form, focus

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "statement-formats.md").read_text(encoding="utf-8")


def test_the_statement_of_the_page_is_the_golden_one() -> None:
    golden = (ROOT / "tests" / "golden" / "rendering" / "corrections.txt").read_text(encoding="utf-8")
    assert f"```text\n{golden}```" in PAGE


def test_every_form_has_its_row() -> None:
    assert re.findall(
        r"^\| `([a-z]+)` \| (?:the customer|a terminal|programs|spreadsheets|FinOps)", PAGE, re.MULTILINE
    ) == list(Form)


def test_the_columns_of_focus_are_counted() -> None:
    assert (len(focus.MANDATORY), len(focus.OTHERS), len(focus.CUSTOM)) == (21, 16, 5)
    assert "all 21 mandatory columns, 16 of the others, and five of our own" in " ".join(PAGE.split())

"""docs/publishing.md: every command on the page is run, in its order, and does what the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from sinks.clickhouse import ClickHouseConfiguration
from tests.tollstream.publishing.test_verbs import Desk, database, desk, prices

__all__ = ("database", "desk")
PAGE = Path(__file__).parents[3] / "docs" / "publishing.md"


@pytest.mark.integration
def test_the_page_goes_from_no_books_to_a_changed_price(desk: Desk, database: ClickHouseConfiguration) -> None:
    desk.write(prices("2026-01"), "prices.toml")
    run = []
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        if "next.toml" in block and not (desk.folder / "next.toml").exists():
            _, shown, _ = desk.run("prices", "show")  # step 1 of the page
            assert shown == prices("2026-01")
            text = shown.replace("2026-01", "2026-02").replace("0.0000025", "0.000003")
            desk.write(re.sub("effective_from = .*", "effective_from = 2100-02-01T00:00:00Z", text), "next.toml")
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "tollstream"
            run.append(tuple(arguments[:2]))
            if arguments == ["worker"]:
                continue  # runs until it is stopped; tests/chaos/test_books.py starts some like this
            code, _, err = desk.run(*arguments)
            assert code == 0, f"{line}: {err}"
    assert {("prices", "publish"), ("prices", "diff"), ("rules", "publish"), ("worker",)} <= set(run)
    _, history, _ = desk.run("prices", "history", "--json")
    assert [(each["version"], each["state"]) for each in json.loads(history)] == [
        ("2026-01", "applies now"),
        ("2026-02", "to come"),
    ]


def test_every_refusal_on_the_page_is_one_that_the_code_can_say() -> None:
    root = PAGE.parents[1]
    said = "".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text(encoding="utf-8"))
        for folder in ("billing", "sinks", "tollstream/publishing", "agents")
        for path in (root / folder).rglob("*.py")
    )
    rows = re.findall(r"^\| (?!refusal|---|a )(.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 6
    for row in rows:
        for part in row.split("…"):
            assert part.strip() in said, f"nothing says {part!r}"

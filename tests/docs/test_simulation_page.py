"""docs/simulation.md shows what is printed, and names every field of the JSON."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from billing.simulation import Outcome
from sinks.usage import UsageRange
from tests.support.trial import LEDGER, rater, simulation
from tollstream.simulation.books import TrialBooks
from tollstream.simulation.report import Report, as_json
from tollstream.simulation.table import print_report

PAGE = (Path(__file__).parents[2] / "docs" / "simulation.md").read_text(encoding="utf-8")


def _report() -> Report:
    using = rater()
    month = UsageRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    return Report(month, TrialBooks(using.books, using.rules, None, using.rules.versions[0]), simulation(LEDGER, using))


def test_the_example_is_what_is_printed() -> None:
    console = Console(file=io.StringIO(), width=80)
    print_report(console, _report(), 10)
    assert isinstance(console.file, io.StringIO)
    printed = "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
    [example] = re.findall(r"```text\n(.*?)\n```", PAGE, re.DOTALL)
    assert example in printed


def test_every_field_and_every_outcome_is_named() -> None:
    fields = {*as_json(_report()), *map(str, Outcome)}
    assert fields - set(re.findall(r"`(\w+)`", PAGE)) == set()

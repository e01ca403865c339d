"""What litellm's map becomes here costs what litellm's own cost function says, or the difference has a known cause.

A green run proves that for every token price taken, in every service tier and on both sides of every context tier, our
exact amount and litellm's double differ by no more than the rounding of doubles; that each exception belongs to one of
the causes below; and that litellm's arithmetic, given the same entry, agrees even there: what differs is which entry or
which arguments its dispatch uses. docs/importers.md tells the causes with their numbers, and is compared with them.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from billing.prices.importers.litellm import import_litellm
from tests.support.agreement import Case, book_of, cases_of, close, litellm_costs, nearest, our_costs

try:
    DISTRIBUTION = importlib.metadata.distribution("litellm")
except importlib.metadata.PackageNotFoundError:
    pytest.skip("litellm is not installed: `make setup` installs it", allow_module_level=True)

MAP = "litellm/model_prices_and_context_window_backup.json"
PAGE = Path(__file__).resolve().parents[3] / "docs" / "importers.md"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def _cause(case: Case) -> str:
    """Why litellm, called by name, says something else."""
    if case.tags["provider"] == "fireworks_ai" and case.tags["mode"] in {"flex", "priority"}:
        return "service tier not passed on"
    if case.tags["provider"] == "perplexity":
        return "own arithmetic of perplexity"
    if case.uplift == "us" and case.tags["mode"] == "batch":
        return "country ignored for a batch"
    if case.key in {"moonshotai.kimi-k2.5", "gemini-exp-1206"}:
        return "another entry is looked up"
    return "unexplained"


def test_every_amount_is_litellms_up_to_the_rounding_of_doubles_or_has_a_cause(tmp_path: Path) -> None:
    text = Path(str(DISTRIBUTION.locate_file(MAP))).read_text(encoding="utf-8")
    document = json.loads(text, parse_float=Decimal)
    regions = ("europe-west4",)
    imported = import_litellm(document, source=f"litellm {DISTRIBUTION.version}", vertex_regions=regions)
    kinds = {key: str(value.get("mode") or "") for key, value in document.items()}
    cases = list(cases_of(imported, kinds))
    ours = our_costs(cases, book_of(imported))
    theirs = litellm_costs(cases, tmp_path, "as_called")

    apart = [n for n, case in enumerate(cases) if not close(ours[n], theirs[n], len(case.usage))]
    causes = Counter(_cause(cases[n]) for n in apart)
    unexplained = [(cases[n], ours[n], theirs[n]) for n in apart if _cause(cases[n]) == "unexplained"]
    assert not unexplained, f"{len(unexplained)} of {len(cases)}: {unexplained[:5]}"

    again = litellm_costs([cases[n] for n in apart], tmp_path, "of_the_entry")
    still = [(cases[n], ours[n], costs) for n, costs in zip(apart, again, strict=True) if not close(ours[n], costs, 9)]
    assert not still, f"litellm's arithmetic differs with the same entry, too: {still[:5]}"

    entries = {(case.key, case.tags["mode"], case.tags["region"]) for case in cases}
    exact = sum(nearest(mine, his) for mine, his in zip(ours, theirs, strict=True))
    assert len(entries) > 4000, "the sample is not wide"
    assert exact > len(cases) / 2, "the criterion would be about something else than rounding"
    _compare_with_the_page(len(cases), len(entries), exact, causes)


def _compare_with_the_page(cases: int, entries: int, exact: int, causes: Counter[str]) -> None:
    """The figures on the page are of one version of litellm; of any other they are not looked at."""
    page = PAGE.read_text(encoding="utf-8")
    told = re.search(
        r"litellm (\S+): ([\d,]+) requests of ([\d,]+) entries.*?([\d,]+) are the\s+very double", page, re.DOTALL
    )
    assert told, "docs/importers.md tells the size of the comparison"
    if told[1] != DISTRIBUTION.version:
        return
    assert [int(each.replace(",", "")) for each in told.groups()[1:]] == [cases, entries, exact]
    table = dict(re.findall(r"^\| ([^|]+?) \| ([\d,]+) \|", page, re.MULTILINE))
    assert {cause: f"{number:,}" for cause, number in causes.items()} == {
        cause: table.get(cause, "not on the page") for cause in causes
    }

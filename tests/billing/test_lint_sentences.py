"""Every sentence that a lint says, whole: tests/golden/lints/sentences.txt, from the books below (`make golden`).

test_lints.py says which book is objected to, and why; here is what the person at the terminal reads.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

from billing.prices import PriceBook
from billing.surcharges import RuleBook
from billing.surcharges.lints import LINTS, LastMonth, lint, not_checked
from tests.support.lints import PRICES, book, group, month, rule
from topics.meters import load_catalogue

TABLE = Path(__file__).parents[1] / "golden" / "lints" / "sentences.txt"
Case = tuple[RuleBook, PriceBook | None, LastMonth | None]
F = {"builder": "quill", "feature": "f"}
FREE = {"label": "Drafts, included"}
PAGES = {"meter": "pages", "unit": "page"}
MANY = [f"nw-{number}" for number in range(7)]


def _alone(kind: str = "markup", **given: Any) -> Case:
    return book(rule("a", kind, **given)), None, None


def _used(*groups: Any, kind: str = "markup", **given: Any) -> Case:
    return book(rule("a", kind, **given)), None, month(*groups)


CASES: dict[str, Case] = {
    "reason is a placeholder": _alone(reason="TBD."),
    "label is a placeholder": _alone(label="Usage"),
    "unit is a placeholder": _alone(unit="units"),
    "reason repeats the label": _alone(reason="Premium drafts"),
    "reason repeats the unit": _alone(reason="request"),
    "reason repeats the id": (book(rule("the big one", reason="The big one.")), None, None),
    "reason repeats the kind": _alone("pass_through", reason="Pass through"),
    "reason is too short": _alone(reason="Drafts, mostly"),
    "unlimited": _alone(label="Unlimited drafts"),
    "jargon": _alone(unit="1,000 tokens"),
    "a model as jargon": (book(rule("a", label="Calls of nw-large-2026-01-31")), PRICES, None),
    "a fraction": _alone(percent="0.25"),
    "a negative fraction": _alone(percent="-0.5"),
    "a high markup": _alone(percent="500"),
    "a high margin": _alone("margin", percent="85"),
    "a discount": _alone(percent="-12.50"),
    "all of it": _alone(percent="-100"),
    "markup of nothing": _alone(percent="0"),
    "margin of nothing": _alone("margin", percent="0"),
    "nothing for a unit on top": _alone("per_unit", amount="0"),
    "nothing for a unit": _alone("unit_price", amount="0"),
    "included that charges": _alone("included", match={"model": "nw-small"}, floor="0.10"),
    "a floor of nothing": _alone(floor="0"),
    "a cap of nothing": _alone(cap="0"),
    "a cap on included": _alone("included", match={"model": "nw-small"}, cap="1"),
    "floor and cap alike": _alone(floor="0.5", cap="0.50"),
    "a cap below the amount": _alone("unit_price", cap="0.005"),
    "an unknown meter": _alone("per_unit", meter="drafts"),
    "the unit of another meter": _alone("per_unit", meter="pages"),
    "a unit of one's own": _alone("per_unit", unit="drafts"),
    "a class that is empty": (
        book(rule(), rule("b", match={"model_class": "none", "builder": "quill"}), classes={"none": []}), None, None
    ),
    "a model outside of its class": (
        book(rule(), rule("b", match={"builder": "quill", "model_class": "light", "model": "nw-large"})), None, None
    ),
    "a class that is taken apart": (
        book(
            rule(), rule("c", match={"builder": "quill", "model_class": "many"}),
            *(rule(model, match={"builder": "quill", "model": model}) for model in MANY), classes={"many": MANY},
        ), None, None,
    ),
    "models without a price": (
        book(rule(), rule("c", match={"builder": "quill", "model_class": "many"}), classes={"many": MANY}), PRICES, None
    ),
    "a model without a price": (book(rule(), rule("c", match={"builder": "quill", "model": "nw-x"})), PRICES, None),
    "a provider without a price": (
        book(rule(), rule("c", match={"builder": "quill", "provider": "lumenn"})), PRICES, None
    ),
    "usage without a rule": _alone(match=F),
    "usage of anybody without a rule": _alone(match={"feature": "f"}),
    "one label for two prices": (book(rule(), rule("b", match=F, percent="30")), None, None),
    "a meter nobody emits, on top": _used(group(10, "0.1"), kind="per_unit", **PAGES),
    "a meter nobody emits, alone": _used(group(10, "0.1"), kind="unit_price", **PAGES),
    "a meter emitted elsewhere": (
        book(rule("a", "per_unit", **PAGES), rule("p", match={}, label="Other pages")), None,
        month(
            group(10, "0.1"), group(5, "0.1", builder="parcel", usage={"pages": 5}, meters=frozenset({"pages"})),
            group(7, "0.1", model="nw-small"),
        ),
    ),
    "a loss": _used(group(10, "0.5"), group(10, "0.01", model="nw-small"), kind="unit_price"),
    "a loss in two currencies": _used(group(10, "0.5"), group(10, "60", currency="JPY"), kind="unit_price"),
    "a loss that a cap hides": _used(group(10, "1", base_least=Decimal(0), base_most=Decimal(1)), cap="0.09"),
    "a loss without a model": _used(group(10, "0.5", model=""), kind="unit_price"),
    "a loss on one model": _used(group(10, "0.5"), group(100, "0.01", model="nw-small"), kind="unit_price"),
    "included without bounds": _alone("included", match={}, **FREE),
    "included without bounds, and what it cost": _used(group(3, "7.50"), kind="included", match={}, **FREE),
    "usage that loses its rule": _used(
        group(10, "1"), group(3, "1", builder="parcel", feature="x"), group(2, "1", builder="parcel", feature="x"),
        group(9, "1", builder="b9"), group(8, "1", builder="b8"), group(1, "1", builder="b1"),
    ),
    "events without their unit": _used(
        group(10, "0.01"), group(3, "0.01", meters=frozenset(), usage={}), kind="unit_price"
    ),
    "a floor that nothing reaches": _used(group(10, "1"), floor="0.0000125"),
    "a cap that nothing reaches": _used(group(10, "1"), cap="12.5"),
    "a floor that all reach": _used(group(10, "1"), floor="0.2"),
    "a cap that all reach": _used(group(10, "1"), cap="0.1"),
}  # fmt: skip


def _said(case: Case) -> list[str]:
    rules, prices, last_month = case
    found = lint(rules, catalogue=load_catalogue(), prices=prices, last_month=last_month)
    return [f"  {each.severity} {each.code} {each.rule_id or '-'}\n    {each.sentence}" for each in found]


def test_golden_every_sentence_is_as_it_was_written() -> None:
    blocks = ["\n".join([name, *_said(case)]) for name, case in CASES.items()]
    blocks.append(
        "\n".join(["what is not checked", *(f"    {said}" for said in not_checked(prices=None, last_month=None))])
    )
    empty = not_checked(prices=PRICES, last_month=month())
    blocks.append("\n".join(["what is not checked in a new store", *(f"    {said}" for said in empty)]))
    written = "\n\n".join(blocks) + "\n"
    if os.environ.get("GOLDEN") == "write":
        TABLE.write_text(written, encoding="utf-8")
    assert written == TABLE.read_text(encoding="utf-8")


def test_every_lint_says_something_in_the_table() -> None:
    said = {line.split()[1] for case in CASES.values() for line in _said(case)}
    assert said == {check.code for check in LINTS}

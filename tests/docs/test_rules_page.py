"""docs/rules.md: its book, its worked cents, its example of precedence and its table of lints are the code's."""

from __future__ import annotations

import os
import re
import tomllib
from datetime import UTC, datetime
from decimal import Decimal

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from billing.surcharges.kinds import KINDS
from billing.surcharges.lints import LINTS, lint
from billing.surcharges.precedence import names, precedence, resolve
from billing.surcharges.rule import MATCH_FIELDS
from billing.surcharges.templates import OFFERS
from tests.support import pages
from tests.support.rating import frames
from topics.meters import load_catalogue

FILE = pages.DOCS / "rules.md"
PAGE = FILE.read_text(encoding="utf-8")
WHEN = datetime(2026, 12, 24, tzinfo=UTC)
PRICES = PriceBook.model_validate(
    {
        "version": "p", "effective_from": "2026-01-01T00:00:00Z", "currency": "USD",
        "prices": [
            {
                "provider": "northwind", "model": "nw-large",
                "meters": {
                    "input_tokens": {"price": "2.50", "per": 10**6}, "output_tokens": {"price": "10", "per": 10**6}
                },
            }
        ],
    }
)  # fmt: skip
TABLE = re.compile(r"(<!-- lints: [^>]*-->\n).*?(?=\n\nTrials on)", re.DOTALL)
NEEDS = {"": "", "prices": "prices", "last_month": "last month"}


def _book() -> RuleBook:
    return parse_version(pages.block(PAGE, "toml"), ".toml", "the page", RuleBook)


def test_the_pages_book_is_one_that_nobody_objects_to() -> None:
    assert lint(_book(), catalogue=load_catalogue(), prices=PRICES, last_month=None) == []


def test_every_kind_is_worked_once_as_rated_and_as_written() -> None:
    rows = pages.table(pages.section(PAGE, "Kinds"))
    assert {row["kind"] for row in rows} == set(KINDS)
    for row in rows:
        fields = tomllib.loads(re.sub(r", (?=\w+ =)", "\n", row["its fields"]))
        rule = {"id": "r", "kind": row["kind"], "label": "l", "unit": "u", "reason": "r", **fields}
        version = {"version": "v", "effective_from": "2026-01-01T00:00:00Z", "rules": [rule]}
        rater = Rater(PriceBooks([PRICES]), RuleBooks([RuleBook.model_validate(version)]))
        tags = {"builder": "acme", "tenant": "t", "provider": "northwind", "model": "nw-large"}
        usage = {"input_tokens": Decimal(1000), "output_tokens": Decimal(200), "pages": Decimal(3)}
        [rated] = rater.rate(*frames([(WHEN, tags, usage)])).to_dicts()
        assert rated["base_cost"] == Decimal("0.0045")
        shown = (row["customer pays"], row["Builder earns"])
        assert shown == (f"{rated['customer_charge']:f}", f"{rated['builder_earnings']:f}"), row
        worked = pages.value(row["worked"])
        assert (worked, worked - Decimal("0.0045")) == tuple(map(Decimal, shown)), row


def test_the_fields_stand_in_their_order_of_weight() -> None:
    assert " > ".join(MATCH_FIELDS) in pages.section(PAGE, "Which rule applies")


def test_the_example_of_precedence_is_what_the_code_answers() -> None:
    book, text = _book(), pages.section(PAGE, "Which rule applies")
    order, examples = (text[place.start() :] for place in re.finditer(r"^\| (?:rule|usage) ", text, re.MULTILINE))
    assert pages.table(order) == [{"rule": rule.id, "applies to": names(rule)} for rule in precedence(book)]
    defaults = dict.fromkeys(MATCH_FIELDS, "") | {"mode": "standard", "route": "primary"}
    rows = pages.table(examples)
    assert len(rows) >= 4
    for row in rows:
        tags = defaults | dict(part.split(" ") for part in row["usage"].split(", "))
        explained = resolve(book, tags)
        assert explained.winner is not None
        assert row == {
            "usage": row["usage"],
            "applies": explained.winner.id,
            "matched and lost": ", ".join(lost.rule.id for lost in explained.lost),
            "because of": ", ".join(lost.field for lost in explained.lost),
        }


def test_golden_the_table_of_lints_is_the_list_of_lints() -> None:
    head = ("code", "severity", "needs", "what is wrong")
    cells = [(f"`{each.code}`", each.severity.value, NEEDS[each.needs], each.about) for each in LINTS]
    widths = [max(len(row[place]) for row in (head, *cells)) for place in range(len(head))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *cells)]
    rule = "|".join("-" * (width + 2) for width in widths)
    written = "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])
    rewritten = TABLE.sub(lambda found: f"{found[1]}\n{written}", PAGE)
    if os.environ.get("GOLDEN") == "write":
        FILE.write_text(rewritten, encoding="utf-8")
        return
    assert rewritten == PAGE
    assert written in PAGE


def test_every_template_stands_on_the_page_with_its_sentence() -> None:
    rows = pages.table(pages.section(PAGE, "Templates"))
    assert {row["template"]: row["offer"] for row in rows} == {
        f"[{offer}](offers/{offer}.md)": about for offer, about in OFFERS.items()
    }

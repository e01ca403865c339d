"""docs/rerating.md: the amounts in its tables are those that its books give."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from billing.loading import parse_version
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from billing.windows import AMOUNT_COLUMNS
from tests.support.raw import decode_events
from topics.events import UsageEvent

PAGE = Path(__file__).parents[3] / "docs" / "rerating.md"
TEXT = PAGE.read_text(encoding="utf-8")
BOOKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
TABLE = re.compile(r"\| (nova-\d) \|[^\n]*\n\|[-:| ]*\n((?:\|[^\n]*\n)*)")
SECOND_OF_MARCH = datetime(2026, 3, 2, 14, tzinfo=UTC)


def rows(model: str) -> dict[str, list[Decimal]]:
    [table] = [found[1] for found in TABLE.findall(TEXT) if found[0] == model]
    cells = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
    return {first: [Decimal(0 if cell == "-" else cell) for cell in rest] for first, *rest in cells}


def rated(prices: str, model: str) -> list[Decimal]:
    """What the call comes to under one price book of the page, as if it had always applied."""
    [book] = [parse_version(text, ".toml", "page", PriceBook) for text in BOOKS if f'version = "{prices}"' in text]
    [rules] = [parse_version(text, ".toml", "page", RuleBook) for text in BOOKS if "[[rules]]" in text]
    book = book.model_copy(update={"effective_from": datetime(2026, 3, 1, tzinfo=UTC), "retroactive": False})
    usage = {"input_tokens": Decimal(12_000), "output_tokens": Decimal(1_500)}
    call = UsageEvent(
        id="e1", source="gateway", time=SECOND_OF_MARCH, builder="acme", tenant="north", provider="northwind",
        model=model, usage=usage,
    )  # fmt: skip
    block = decode_events([call])
    row = Rater(PriceBooks([book]), RuleBooks([rules])).rate(block.events, block.dimensions).row(0, named=True)
    return [row[name] or Decimal(0) for name in AMOUNT_COLUMNS]


def test_usage_that_waited_comes_to_what_the_page_says() -> None:
    table = rows("nova-2")
    assert rated("2026-03", "nova-2") == [0, 0, 0, 0] == table["stands at"]
    assert rated("2026-03-04", "nova-2") == table["comes to"] == table["adjustment"]


def test_the_correction_is_the_difference_of_two_ratings() -> None:
    table = rows("nova-1")
    assert (rated("2026-03", "nova-1"), rated("2026-03-corrected", "nova-1")) == (table["stands at"], table["comes to"])
    assert table["adjustment"] == [new - old for new, old in zip(table["comes to"], table["stands at"], strict=True)]
    charge, *parts = table["adjustment"]
    assert charge == sum(parts)

"""Terms are resolved once, numbered, and forgotten between blocks when there are too many; no amount notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import terms
from billing.documents import NONE, BookError
from billing.rating import Rater
from billing.terms import TermTable
from tests.support.book_strategies import price_books_of, rule_books_of
from tests.support.rating import frames
from topics.block import QUANTITY_MAX

NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
PRICES = """
version = "p"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "p"
model = "m"
meters = { input_tokens = "1", output_tokens = "2" }
tiers = [{ above = 10, meters = { input_tokens = "3" } }]
hours = [{ from = "22:00", to = "24:00", meters = { output_tokens = "5" } }]
[[prices]]
provider = "p"
model = "plain"
meters = { input_tokens = "7" }
"""
RULES = """
version = "r"
effective_from = 2026-01-01T00:00:00Z
[[rules]]
id = "x"
kind = "per_unit"
amount = "0.5"
meter = "pages"
label = "Pages"
unit = "page"
reason = "Every page is charged."
"""
TAGS = {"builder": "b", "tenant": "t", "provider": "p", "model": "m", "mode": "standard", "region": ""}


def row(
    tokens: int | str, hour: int = 12, output: int = 0, **tags: str
) -> tuple[datetime, dict[str, str], dict[str, Decimal]]:
    usage = {"input_tokens": Decimal(tokens), "output_tokens": Decimal(output)}
    return NOON.replace(hour=hour), {**TAGS, **tags}, usage


ROWS = [
    row(10), row(11), row(10, hour=22, output=1), row(11, hour=22, output=1), row(3, model="plain"), row(0, output=1),
]  # fmt: skip
BASES = [10, 33, 15, 38, 21, 2]


def rater() -> Rater:
    return Rater(price_books_of([PRICES]), rule_books_of([RULES]))


@pytest.mark.parametrize("room", [0, 1, 3, 100])
def test_forgetting_terms_between_blocks_changes_no_amount(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    monkeypatch.setattr(terms, "TERMS_MAX", room)
    one = rater()
    for _ in range(3):
        assert one.rate(*frames(ROWS))["base_cost"].to_list() == BASES
        for each, base in zip(ROWS, BASES, strict=True):
            assert one.rate(*frames([each]))["base_cost"].to_list() == [base]


def test_terms_are_resolved_once_and_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms, "TERMS_MAX", 2)
    table = TermTable(price_books_of([PRICES]), rule_books_of([RULES]))
    numbers = [table.number({**TAGS, "tenant": tenant}, 0, 0) for tenant in ("t", "u", "t")]
    assert numbers == [0, 1, 0]
    table.make_room()  # two are not too many
    assert table.number({**TAGS, "tenant": "v"}, 0, 0) == 2
    table.make_room()
    assert table.number({**TAGS, "tenant": "v"}, 0, 0) == 0
    assert table.frame(["input_tokens"]).height == 1


def test_terms_without_a_book_have_no_currency_and_no_rule() -> None:
    table = TermTable(price_books_of([PRICES]), rule_books_of([RULES]))
    table.number(TAGS, NONE, NONE)
    [only] = table.frame([]).to_dicts()
    assert only == {
        "has_book": False, "has_model": True, "price_version": "", "rule_version": "", "currency": "", "share": None,
        "rule_id": "", "kind": "", "parameter": None, "unit_meter": "", "needs_units": False, "floor": None,
        "cap": None,
    }  # fmt: skip


def test_prices_of_a_meter_that_comes_later_are_there_for_old_and_new_terms() -> None:
    table = TermTable(price_books_of([PRICES]), rule_books_of([RULES]))
    table.number(TAGS, 0, 0)
    assert table.frame(["input_tokens"])["p.input_tokens"].to_list() == [1]
    table.number({**TAGS, "model": "plain"}, 0, 0)
    frame = table.frame(["output_tokens"])
    assert frame["p.input_tokens"].to_list() == [1, 7]
    assert frame["p.output_tokens"].to_list() == [2, None]


def test_the_rules_of_some_terms_are_told_once() -> None:
    table = TermTable(price_books_of([PRICES]), rule_books_of([RULES]))
    numbers = [table.number(TAGS, 0, rule) for rule in (0, NONE)] + [table.number({**TAGS, "tenant": "u"}, 0, 0)]
    rules = table.rules(frames(ROWS)[0]["dimension"].to_numpy() * 0 + numbers[0])
    assert [rule.id for rule in rules] == ["x"]
    assert table.rules(frames(ROWS)[0]["dimension"].to_numpy() * 0 + numbers[1]) == []


def test_prompts_of_the_largest_quantities_are_above_every_tier() -> None:
    usage = {
        meter: Decimal(QUANTITY_MAX)
        for meter in (
            "input_tokens", "cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens",
            "audio_input_tokens", "cached_audio_input_tokens", "image_input_tokens", "cached_image_input_tokens",
            "video_input_tokens", "tool_use_input_tokens", "explicit_cached_input_tokens", "cache_write_12h_tokens",
        )
    }  # fmt: skip
    free = ", ".join(f'{meter} = "0"' for meter in usage if meter != "input_tokens")
    text = PRICES.replace("above = 10", "above = 1000000000").replace('output_tokens = "2"', free)
    one = Rater(price_books_of([text]), rule_books_of([RULES]))
    assert one.rate(*frames([(NOON, TAGS, usage)]))["base_cost"].to_list() == [3 * QUANTITY_MAX]


@pytest.mark.parametrize(
    ("currency", "start", "refused"),
    [
        ("USD", "2026-01-01T00:00:00Z", False),
        ("EUR", "2026-01-01T00:00:00Z", True),
        ("EUR", "2027-01-01T00:00:00Z", True),
        ("EUR", "2025-01-01T00:00:00Z", True),
    ],
)
def test_rules_in_another_currency_than_the_prices_of_their_time_are_refused(
    currency: str, start: str, refused: bool
) -> None:
    rules = RULES.replace('version = "r"', f'version = "r"\ncurrency = "{currency}"')
    books = rule_books_of([rules.replace("2026-01-01T00:00:00Z", start)])
    if not refused:
        Rater(price_books_of([PRICES]), books)
        return
    with pytest.raises(
        BookError, match="rule book r is in EUR, and price book p, which applies at the same time, in USD"
    ):
        Rater(price_books_of([PRICES]), books)


def test_rules_in_another_currency_may_end_when_the_prices_begin() -> None:
    begun = (NOON - timedelta(days=31)).isoformat()
    euros = RULES.replace('version = "r"', 'version = "e"\ncurrency = "EUR"').replace("2026-01-01T00:00:00Z", begun)
    dollars = RULES.replace("2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z").replace('"r"', '"r"\ncurrency = "USD"', 1)
    prices = PRICES.replace("2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z")
    Rater(price_books_of([prices]), rule_books_of([euros.replace("12:00:00", "11:00:00"), dollars]))

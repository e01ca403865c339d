"""The rater against the golden table, row by row, and against the limits of what it can be given."""

from __future__ import annotations

import functools
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support import rating_table
from tests.support.rating import frames
from topics.block import QUANTITY_MAX

GOLDEN = Path(__file__).parents[1] / "golden"
TABLES = (GOLDEN / "rating", GOLDEN / "price_lists")
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
if os.environ.get("GOLDEN") == "write":
    for folder in TABLES:
        rating_table.rewrite(folder)
CASES = [
    pytest.param(folder, number, id=f"{folder.name}: {row['why']}")
    for folder in TABLES
    for number, row in enumerate(rating_table.read(folder))
]


@functools.cache
def answers(folder: Path) -> list[tuple[dict[str, str], dict[str, str], dict[str, str]]]:
    """Of each row: as it stands, as the rater says, as the oracle says."""
    rows = rating_table.read(folder)
    return list(zip(rows, rating_table.rated(folder, rows), rating_table.judged(folder, rows), strict=True))


@pytest.mark.parametrize(("folder", "number"), CASES)
def test_golden_an_event_is_rated_as_the_table_says(folder: Path, number: int) -> None:
    row, answer, judged = answers(folder)[number]
    assert answer == row
    assert judged == row, "the oracle reads the books in another way"


@pytest.fixture
def rater() -> Rater:
    return rating_table.rater(GOLDEN / "rating")


def test_an_empty_block_is_rated_as_an_empty_frame(rater: Rater) -> None:
    events, dimensions = frames([(NOON, {}, {"input_tokens": Decimal(1)})])
    assert rater.rate(events.clear(), dimensions.clear()).height == 0


def test_the_largest_quantities_of_every_meter_do_not_overflow(rater: Rater) -> None:
    tags = {"builder": "acme", "provider": "northwind", "model": "nw-large"}
    usage = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "pages"), Decimal(QUANTITY_MAX))
    row = rater.rate(*frames([(NOON, tags, usage)])).to_dicts()[0]
    assert row["base_cost"] == QUANTITY_MAX * (Decimal("0.0000025") + Decimal("0.00000025") + Decimal("0.00001"))
    assert row["customer_charge"] == row["base_cost"] * Decimal("1.25")


def test_prices_and_rules_at_their_limits_do_not_overflow(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(
        'version = "max"\neffective_from = 2026-01-01T00:00:00Z\ncurrency = "USD"\n'
        '[[prices]]\nprovider = "p"\nmodel = "m"\nmeters = { input_tokens = "1000000", output_tokens = "1000000" }\n'
    )
    (tmp_path / "rules.toml").write_text(
        'version = "max"\neffective_from = 2026-01-01T00:00:00Z\n'
        '[[rules]]\nid = "a"\nkind = "markup"\npercent = "1000000"\nlabel = "l"\nunit = "u"\nreason = "r"\n'
        '[[rules]]\nid = "b"\nkind = "margin"\npercent = "99.99"\nlabel = "l"\nunit = "u"\nreason = "r"\n'
        'match = { feature = "margin" }\n'
    )
    rater = Rater(PriceBooks.load(tmp_path / "prices.toml"), RuleBooks.load(tmp_path / "rules.toml"))
    usage = dict.fromkeys(("input_tokens", "output_tokens"), Decimal(QUANTITY_MAX))
    rows = [(NOON, {"provider": "p", "model": "m", "feature": feature}, usage) for feature in ("", "margin")]
    charges = rater.rate(*frames(rows))["customer_charge"].to_list()
    assert charges == [Decimal(2 * 10**18 * 10_001), Decimal(2 * 10**18 * 10_000)]


def test_equal_tags_at_times_under_different_books_are_rated_apart(rater: Rater) -> None:
    tags = {"builder": "acme", "provider": "northwind", "model": "nw-large"}
    times = [datetime(2025, 6, 1, tzinfo=UTC), NOON, datetime(2026, 7, 1, tzinfo=UTC), NOON]
    rated = rater.rate(*frames([(time, tags, {"input_tokens": Decimal(10**6)}) for time in times]))
    assert rated["base_cost"].to_list() == [None, Decimal("2.5"), Decimal(2), Decimal("2.5")]
    assert rated["price_version"].to_list() == ["", "2026-01", "2026-06", "2026-01"]


def test_a_meter_seen_later_for_known_tags_is_priced_too(rater: Rater) -> None:
    tags = {"builder": "acme", "provider": "northwind", "model": "nw-large"}
    rater.rate(*frames([(NOON, tags, {"input_tokens": Decimal(1)})]))
    rated = rater.rate(*frames([(NOON, tags, {"output_tokens": Decimal(10**6)})]))
    assert rated["base_cost"].to_list() == [Decimal(10)]


@pytest.mark.parametrize(
    ("meters", "rule_meter", "sentence"),
    [
        ('{ input_token = "1" }', "pages", "price book x, p m: 'input_token' is no inference meter of the catalogue"),
        ('{ pages = "1" }', "pages", "price book x, p m: 'pages' is no inference meter of the catalogue"),
        ('{ input_tokens = "1" }', "leaves", "rule book x, rule r: 'leaves' is no meter of the catalogue"),
    ],
)
def test_a_price_or_rule_for_a_meter_that_cannot_occur_is_refused(
    tmp_path: Path, meters: str, rule_meter: str, sentence: str
) -> None:
    (tmp_path / "p.toml").write_text(
        'version = "x"\neffective_from = 2026-01-01T00:00:00Z\ncurrency = "USD"\n'
        f'[[prices]]\nprovider = "p"\nmodel = "m"\nmeters = {meters}\n'
    )
    (tmp_path / "r.toml").write_text(
        'version = "x"\neffective_from = 2026-01-01T00:00:00Z\n[[rules]]\nid = "r"\nkind = "per_unit"\n'
        f'amount = "1"\nmeter = "{rule_meter}"\nlabel = "l"\nunit = "u"\nreason = "r"\n'
    )
    with pytest.raises(BookError, match="catalogue") as error:
        Rater(PriceBooks.load(tmp_path / "p.toml"), RuleBooks.load(tmp_path / "r.toml"))
    assert str(error.value).startswith(sentence)

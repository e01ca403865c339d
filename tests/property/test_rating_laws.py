"""Laws that any rating has to obey, whatever the prices: order of publication, monotony, mirrored percentages."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.book_strategies import (
    START,
    Row,
    events,
    price_books,
    price_books_of,
    quantities,
    rule_books,
    rule_books_of,
)
from tests.support.rating import frames

PRICES = """
version = "p"
effective_from = 2026-01-01T00:00:00Z
currency = "USD"
[[prices]]
provider = "p1"
model = "a"
meters = {{ input_tokens = "{low}", output_tokens = "{out}" }}
[[prices.tiers]]
above = 1000
meters = {{ input_tokens = "{middle}" }}
[[prices.tiers]]
from = 200000
meters = {{ input_tokens = "{high}" }}
"""
RULES = """
version = "r"
effective_from = 2026-01-01T00:00:00Z
[[rules]]
id = "x"
kind = "{kind}"
label = "AI"
unit = "request"
reason = "Because it is used."
{terms}
"""
TAGS = {"builder": "b1", "tenant": "t1", "provider": "p1", "model": "a"}
prices = st.decimals(min_value=0, max_value=10, places=12)


def _rater(rule: tuple[str, str], low: Decimal, middle: Decimal, high: Decimal, out: Decimal) -> Rater:
    texts = [PRICES.format(low=f"{low:f}", middle=f"{middle:f}", high=f"{high:f}", out=f"{out:f}")]
    return Rater(price_books_of(texts), rule_books_of([RULES.format(kind=rule[0], terms=rule[1])]))


@settings(max_examples=60)
@given(price_books(), rule_books(), st.lists(events(), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_order_in_which_versions_were_published_changes_no_amount(
    prices_: list[str], rules: list[str], rows: list[Row], random: object
) -> None:
    try:
        forward = Rater(price_books_of(prices_), rule_books_of(rules))
    except BookError:
        assume(False)
    backward = Rater(price_books_of(prices_[::-1]), rule_books_of(rules[::-1]))
    assert forward.rate(*frames(rows)).equals(backward.rate(*frames(rows)))


@settings(max_examples=60)
@given(
    st.tuples(prices, prices, prices).map(lambda drawn: tuple(sorted(drawn))),
    prices,
    st.sampled_from(
        [
            ("markup", 'percent = "25"'),
            ("markup", 'percent = "-100"'),
            ("margin", 'percent = "20"'),
            ("pass_through", ""),
            ("per_unit", 'amount = "0.25"\nmeter = "pages"'),
            ("unit_price", 'amount = "0.25"\nmeter = "pages"'),
            ("markup", 'percent = "25"\nfloor = "0.5"\ncap = "700"'),
        ]
    ),
    st.lists(st.tuples(quantities, quantities, quantities), min_size=2, max_size=2),
)
def test_who_uses_more_never_pays_less_where_tiers_do_not_get_cheaper(
    steps: tuple[Decimal, Decimal, Decimal],
    out: Decimal,
    rule: tuple[str, str],
    uses: list[tuple[Decimal, Decimal, Decimal]],
) -> None:
    less = tuple(map(min, zip(*uses, strict=True)))
    more = tuple(map(max, zip(*uses, strict=True)))
    rows = [
        (START, TAGS, dict(zip(("input_tokens", "output_tokens", "pages"), usage, strict=True)))
        for usage in (less, more)
    ]
    rated = _rater(rule, *steps, out).rate(*frames(rows))
    for amount in ("base_cost", "customer_charge", "provider_reward", "platform_fee"):
        smaller, larger = rated[amount].to_list()
        # A share of a larger base is rounded by itself, so the two may lie a last digit apart the wrong way.
        assert larger >= smaller - (Decimal("0.000000000001") if amount == "platform_fee" else 0), amount


@settings(max_examples=100)
@given(prices, st.integers(1, 10**6), st.decimals(min_value=0, max_value=95, places=2))
def test_the_margin_is_that_percentage_of_the_charge(price: Decimal, tokens: int, margin: Decimal) -> None:
    rater = _rater(("margin", f'percent = "{margin}"'), price, price, price, price)
    row = rater.rate(*frames([(START, TAGS, {"input_tokens": Decimal(tokens)})])).to_dicts()[0]
    assert abs(row["builder_earnings"] - row["customer_charge"] * margin / 100) <= Decimal("0.000000000001")


@settings(max_examples=100)
@given(prices, st.integers(1, 10**6), st.decimals(min_value=0, max_value=500, places=2))
def test_a_markup_and_the_discount_that_takes_it_back_leave_the_base(price: Decimal, tokens: int, up: Decimal) -> None:
    usage = {"input_tokens": Decimal(tokens)}
    marked = _rater(("markup", f'percent = "{up}"'), price, price, price, price).rate(*frames([(START, TAGS, usage)]))
    row = marked.to_dicts()[0]
    assert abs(row["customer_charge"] / (1 + up / 100) - row["base_cost"]) <= Decimal("0.000000000001")


def test_two_versions_of_one_moment_are_refused_in_any_order() -> None:
    texts = [PRICES.format(low="1", middle="1", high="1", out="1").replace('"p"', f'"{name}"', 1) for name in "pq"]
    for order in (texts, texts[::-1]):
        with pytest.raises(BookError, match="only one version can apply at a time"):
            price_books_of(order)


def test_a_retroactive_version_applies_to_nothing_by_itself() -> None:
    text = PRICES.format(low="1", middle="1", high="1", out="1")
    later = text.replace('"p"', '"q"', 1).replace("2026-01-01", "2026-01-02")
    books = price_books_of([text, later.replace("currency", "retroactive = true\ncurrency")])
    assert [book.version for book in books.versions] == ["p"]
    assert [book.version for book in books.retroactive] == ["q"]
    assert books.named("q") is books.retroactive[0]
    assert isinstance(books, PriceBooks)
    assert RuleBooks([]).named("q") is None

"""What an explanation adds up in plain Decimal is what the stream bills: over random books, rules and events."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents import BookError
from billing.explanation import UsageExplanation, explain_usage
from billing.explanation.arithmetic import add_up, product, quotient
from billing.rating import Rater
from tests.support import book_strategies as books
from tests.support.rating import DEFAULTS, EPOCH, frames
from topics.block import DIMENSION_COLUMNS
from topics.meters import load_catalogue

CATALOGUE = load_catalogue()
AMOUNTS = ("base_cost", "provider_reward", "platform_fee", "builder_earnings", "customer_charge")
HALF_STEP = Fraction(1, 2 * 10**12)


@settings(max_examples=200)
@given(books.price_books(), books.rule_books(), st.lists(books.events(), min_size=1, max_size=20))
def test_an_explanation_comes_to_what_the_stream_bills(
    price_texts: list[str], rule_texts: list[str], rows: list[books.Row]
) -> None:
    prices = books.price_books_of(price_texts)
    try:
        surcharges = books.rule_books_of(rule_texts)
    except BookError as error:
        assert "tie" in str(error)  # noqa: PT017  the only way in which these books can be wrong
        return
    billed = Rater(prices, surcharges).rate(*frames(rows)).to_dicts()
    for (time, tags, usage), row in zip(rows, billed, strict=True):
        moment = (time - EPOCH) // timedelta(microseconds=1)
        book, rule_book = prices.at(time), surcharges.at(time)
        full = {name: {**DEFAULTS, **tags}.get(name, "") for name in DIMENSION_COLUMNS}
        told = explain_usage(full, usage, moment, book, rule_book, CATALOGUE)
        assert (told.unpriced_reason, told.currency) == (row["unpriced_reason"], row["currency"])
        assert (told.resolution.winner.id if told.resolution.winner else "") == row["rule_id"]
        if told.amounts is None:
            assert row["customer_charge"] is None
            assert told.unpriced_reason
            continue
        assert [getattr(told.amounts, name) for name in AMOUNTS] == [row[name] for name in AMOUNTS]
        _adds_up(told)


def _adds_up(told: UsageExplanation) -> None:
    """The steps lead to the amounts without a gap."""
    assert told.amounts is not None
    assert told.amounts.balanced
    assert told.base is not None
    assert told.charge is not None
    assert add_up(each.cost.amount for each in told.meters if each.cost) == told.base.exact == told.amounts.base_cost
    amount = told.charge.steps[-1].amount
    for bound in told.charge.bounds:
        assert bound.before == amount
        amount = bound.after
    assert amount == told.amounts.customer_charge


@given(st.decimals(0, 10**12, places=6), st.decimals(0, 10**6, places=12), st.decimals("0.0001", 1, places=12))
def test_rounding_is_half_even_and_its_residue_is_what_it_added(
    left: Decimal, right: Decimal, divisor: Decimal
) -> None:
    multiplied, divided = product("x", left, right), quotient("x", right, divisor)
    for step, true in ((multiplied, Fraction(left) * Fraction(right)), (divided, Fraction(right) / Fraction(divisor))):
        distance = Fraction(step.amount) - true
        assert abs(distance) <= HALF_STEP
        assert abs(distance) < HALF_STEP or int(step.amount.scaleb(12)) % 2 == 0
        assert step.was_rounded == (distance != 0)
        if not step.endless:
            assert Fraction(step.exact) == true
            assert Fraction(step.residue) == distance
    assert divided.endless == (Fraction(divided.exact) != Fraction(right) / Fraction(divisor))
    assert 0 <= Fraction(right) / Fraction(divisor) - Fraction(divided.exact) < Fraction(1, 10**24)

"""Rating as columns against the oracle's plain reading, over random books, rules and events."""

from __future__ import annotations

import tempfile
from decimal import Decimal
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from tests.support.book_strategies import START, Row, events, price_books, rule_books
from tests.support.rating import frames
from tests.support.rating_table import oracle_event
from tollstream.demo.oracle.books import Books
from topics.meters import load_catalogue

AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")
METERS = {name: meter.kind for name, meter in load_catalogue().items()}


@settings(max_examples=150)
@given(price_books(), rule_books(), st.lists(events(), min_size=1, max_size=30), st.data())
def test_columns_agree_with_the_oracle_in_any_order_and_any_cut(
    prices: list[str],
    rules: list[str],
    rows: list[Row],
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, texts in (("prices", prices), ("rules", rules)):
            (Path(folder) / name).mkdir()
            for number, text in enumerate(texts):
                (Path(folder) / name / f"{number}.toml").write_text(text)
        try:
            rater = Rater(PriceBooks.load(Path(folder) / "prices"), RuleBooks.load(Path(folder) / "rules"))
        except BookError as error:
            assert "tie" in str(error)  # noqa: PT017  the only way in which these books can be wrong
            return
        oracle = Books.load(Path(folder) / "prices", Path(folder) / "rules", METERS)
    order = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(order)))
    answers = [answer for part in (order[:cut], order[cut:]) if part for answer in rater.rate(*frames(part)).to_dicts()]
    for (time, tags, usage), answer in zip(order, answers, strict=True):
        expected = oracle.rate(oracle_event(time, tags, usage))
        got = None if answer["pricing"] == "unpriced" else tuple(answer[name] for name in AMOUNTS)
        assert (got, answer["unpriced_reason"], answer["rule_id"]) == (
            expected.amounts, expected.unpriced_reason, expected.rule_id,
        )  # fmt: skip
        if got is not None:
            charge, reward, fee, earnings = got
            assert charge == reward + fee + earnings
            assert answer["base_cost"] == reward + fee


@settings(max_examples=100)
@given(st.decimals(min_value=0, max_value=95, places=4), st.integers(1, 10**9))
def test_a_margin_of_m_charges_what_a_markup_of_m_over_one_minus_m_charges(margin: Decimal, tokens: int) -> None:
    markup = (100 * margin / (100 - margin)).quantize(Decimal("0.0000000001"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "p.toml").write_text(
            'version = "p"\neffective_from = 2026-01-01T00:00:00Z\ncurrency = "USD"\n[[prices]]\nprovider = "p1"\n'
            'model = "a"\nmeters = { input_tokens = "0.000001" }\n'
        )
        (path / "r.toml").write_text(
            'version = "r"\neffective_from = 2026-01-01T00:00:00Z\n'
            f'[[rules]]\nid = "x"\nkind = "margin"\npercent = "{margin}"\nlabel = "l"\nunit = "u"\nreason = "r"\n'
            f'[[rules]]\nid = "y"\nkind = "markup"\npercent = "{markup}"\nmatch = {{ feature = "f1" }}\n'
            'label = "l"\nunit = "u"\nreason = "r"\n'
        )
        rater = Rater(PriceBooks.load(path / "p.toml"), RuleBooks.load(path / "r.toml"))
    tags = {"builder": "b", "tenant": "t", "provider": "p1", "model": "a"}
    rows = [
        (START, tags, {"input_tokens": Decimal(tokens)}),
        (START, {**tags, "feature": "f1"}, {"input_tokens": Decimal(tokens)}),
    ]
    by_margin, by_markup = rater.rate(*frames(rows))["customer_charge"].to_list()
    # The markup is rounded to 10 places of a percent, so they may differ by that much of the base, and by a rounding.
    assert abs(by_margin - by_markup) <= Decimal(tokens) / 10**6 / 10**12 + Decimal("0.000000000001")

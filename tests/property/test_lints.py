"""Lints decide, and do not guess: no rule that applies is called dead, and no trial says more than the sums prove."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks, resolve_rule
from billing.surcharges.lints import LastMonth, lint
from billing.surcharges.lints.finding import Subject
from billing.surcharges.lints.last_month import TAGS
from billing.surcharges.lints.reach import best_chances, can_win
from billing.surcharges.lints.trial import try_out
from tests.support.lints import MARCH, PRICES, TEXTS, group, month
from tests.support.rating import frames
from tests.support.rule_strategies import CANONICAL, book_of, rules_that_do_not_tie, tags
from topics.meters import load_catalogue

STEP = Decimal("0.000000000001")
CATALOGUE = load_catalogue()
WHEN = datetime(2026, 3, 10, tzinfo=UTC)
ONE_PRICE = PriceBook.model_validate(
    {
        "version": "p", "effective_from": "2026-01-01T00:00:00Z", "currency": "USD",
        "prices": [{"provider": "p", "model": "m", "meters": {"input_tokens": "0.000001"}}],
    }
)  # fmt: skip
USAGE = dict.fromkeys(TAGS, "") | {
    "builder": "quill", "tenant": "t", "provider": "p", "model": "m", "mode": "standard", "route": "primary",
}  # fmt: skip

percents = st.sampled_from(["0", "12.5", "25", "80"])
amounts = st.sampled_from(["0", "0.001", "0.05", "1.5", "20"])


@settings(max_examples=200)
@given(rules_that_do_not_tie(), tags)
def test_a_rule_that_applies_to_some_usage_is_never_called_dead(
    rules: list[dict[str, Any]], usage: dict[str, str]
) -> None:
    book = book_of(rules)
    subject = Subject(book, CATALOGUE, None, None)
    winner = resolve_rule(book, usage, CANONICAL.get(usage["model"], ""))
    assert winner is None or can_win(subject, winner)


@given(rules_that_do_not_tie())
def test_what_is_called_alive_applies_to_usage_that_it_matches(rules: list[dict[str, Any]]) -> None:
    book = book_of(rules)
    subject = Subject(book, CATALOGUE, None, None)
    dead = {each.rule_id for each in lint(book, catalogue=CATALOGUE, prices=None, last_month=None)
            if each.code == "never-wins"}  # fmt: skip
    for rule in book.rules:
        applies = any(resolve_rule(book, usage) is rule for usage in best_chances(subject, rule.match))
        assert applies is (rule.id not in dead)


@st.composite
def charging_rules(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["markup", "margin", "per_unit", "unit_price", "pass_through", "included"]))
    rule: dict[str, Any] = {"id": "a", "kind": kind, "match": {"builder": "quill"}, **TEXTS}
    if kind in ("markup", "margin"):
        rule["percent"] = draw(percents)
    if kind in ("per_unit", "unit_price"):
        rule |= {"amount": draw(amounts), "meter": "requests"}
    bounds = sorted(draw(st.lists(amounts, max_size=2)), key=Decimal)
    if bounds:
        rule |= dict(zip(draw(st.sampled_from([("floor", "cap"), ("cap", "floor")])), bounds, strict=False))
    if "floor" in rule and "cap" in rule and Decimal(rule["floor"]) > Decimal(rule["cap"]):
        rule["floor"], rule["cap"] = rule["cap"], rule["floor"]
    return rule


@settings(max_examples=300)
@given(charging_rules(), st.lists(st.tuples(st.integers(0, 3 * 10**7), st.integers(0, 20)), min_size=1, max_size=12))
def test_what_rating_charges_lies_between_the_bounds_of_the_trial(
    rule: dict[str, Any], events: list[tuple[int, int]]
) -> None:
    book = RuleBook.model_validate({"version": "v", "effective_from": "2026-01-01T00:00:00Z", "rules": [rule]})
    rated = Rater(PriceBooks([ONE_PRICE]), RuleBooks([book])).rate(
        *frames([(WHEN, USAGE, {"input_tokens": Decimal(tokens), "requests": Decimal(n)}) for tokens, n in events])
    )
    bases = rated["base_cost"].to_list()
    units = [Decimal(number) for _, number in events]
    [tried] = try_out(
        book,
        ONE_PRICE,
        [
            group(
                len(events), "1", tenant="t", provider="p", model="m", base_cost=sum(bases), base_least=min(bases),
                base_most=max(bases), usage={"requests": sum(units)}, usage_least={"requests": min(units)},
                usage_most={"requests": max(units)},
            )
        ],
    ).tried  # fmt: skip
    charged = sum(rated["customer_charge"].to_list(), Decimal(0))
    rounding = STEP * (len(events) + 1)
    assert tried.charge_least - rounding <= charged <= tried.charge_most + rounding
    if "floor" not in rule and "cap" not in rule:
        assert tried.charge_least == tried.charge_most, "without bounds the sums say it all"


texts = st.one_of(
    st.text(min_size=1, max_size=40).filter(str.strip),
    st.lists(st.sampled_from(["tokens", "page", "Unlimited", "nw-large", "n/a", "¢", "5 %", "LLM"]), min_size=1).map(
        " ".join
    ),
)


@settings(max_examples=150)
@given(
    rules_that_do_not_tie(),
    st.lists(st.tuples(charging_rules(), texts, texts, texts), min_size=1, max_size=12),
    st.lists(tags, max_size=5),
    st.booleans(),
)
def test_no_book_that_can_be_loaded_breaks_a_lint(
    rules: list[dict[str, Any]],
    terms: list[tuple[dict[str, Any], str, str, str]],
    used: list[dict[str, str]],
    with_prices: bool,
) -> None:
    for rule, (charging, label, unit, reason) in zip(rules, terms, strict=False):
        kept = {name: value for name, value in charging.items() if name not in ("id", "match")}
        rule |= kept | {"label": label, "unit": unit, "reason": reason}
    try:
        book = book_of(rules)
    except ValidationError:  # a text that is only white space
        return
    usage = month(*(group(3, "1", **each) for each in used))
    found = lint(book, catalogue=CATALOGUE, prices=PRICES if with_prices else None, last_month=usage)
    ids = {rule.id for rule in book.rules} | {""}
    assert all(each.rule_id in ids and each.sentence for each in found)
    again = lint(book, catalogue=CATALOGUE, prices=PRICES if with_prices else None, last_month=usage)
    assert found == again


def test_an_empty_month_and_voids_alone_are_no_usage() -> None:
    book = RuleBook.model_validate(
        {
            "version": "v", "effective_from": "2026-01-01T00:00:00Z",
            "rules": [{"id": "a", "kind": "unit_price", "amount": "1", "meter": "requests", **TEXTS}],
        }
    )  # fmt: skip
    taken_back = replace(group(1, "1"), events=-1, rated_events=-1, base_cost=Decimal(-1))
    for groups in ((), (taken_back,)):
        found = lint(book, catalogue=CATALOGUE, prices=None, last_month=LastMonth(*MARCH, groups))
        assert found == []

"""What an explanation adds up in plain Decimal is what the stream bills: over random books, rules and events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from billing.explanation import UsageExplanation, explain_usage
from billing.explanation.arithmetic import add_up, product, quotient
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from tests.support.rating import DEFAULTS, EPOCH, frames
from topics.block import DIMENSION_COLUMNS
from topics.meters import load_catalogue

START = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = load_catalogue()
PRICED = ("input_tokens", "cached_input_tokens", "output_tokens", "scanned_pages")
BUSINESS = ("pages", "conversations")
AMOUNTS = ("base_cost", "provider_reward", "platform_fee", "builder_earnings", "customer_charge")
THRESHOLD = 1000
HALF_STEP = Fraction(1, 2 * 10**12)
Event = tuple[datetime, dict[str, str], dict[str, Decimal]]


def _places(places: int, most: int = 1000) -> st.SearchStrategy[str]:
    return st.decimals(min_value=0, max_value=most, places=places).map(lambda value: f"{value:f}")


@st.composite
def meters(draw: st.DrawFn, places: int) -> dict[str, Any]:
    return {meter: draw(_places(places)) for meter in sorted(draw(st.sets(st.sampled_from(PRICED), min_size=1)))}


@st.composite
def tiers(draw: st.DrawFn, places: int) -> list[dict[str, Any]]:
    bounds = draw(st.lists(st.sampled_from([THRESHOLD, 2 * THRESHOLD]), unique=True, max_size=2))
    words = st.sampled_from(["above", "from"])
    return [{draw(words): bound, "meters": draw(meters(places))} for bound in bounds]


@st.composite
def entries(draw: st.DrawFn, provider: str, places: int) -> list[dict[str, Any]]:
    keys = st.tuples(st.sampled_from("ab"), st.sampled_from(["standard", "batch"]), st.sampled_from(["", "eu"]))
    found = []
    for model, mode, region in sorted(draw(st.sets(keys, min_size=1, max_size=3))):
        entry: dict[str, Any] = {"provider": provider, "model": model, "mode": mode, "region": region}
        entry |= {"meters": draw(meters(places)), "tiers": draw(tiers(places))}
        if draw(st.booleans()):
            hours = {"from": "16:30", "to": "00:30", "zone": draw(st.sampled_from(["UTC", "Asia/Shanghai"]))}
            entry["hours"] = [{**hours, "meters": draw(meters(places)), "tiers": draw(tiers(places))}]
        found.append(entry)
    return found


@st.composite
def price_books(draw: st.DrawFn) -> PriceBooks:
    books = []
    for number in range(draw(st.integers(1, 2))):
        # A multiplied price has to be exact at 12 places, so the provider with regions has shorter prices.
        plain, regional = draw(entries("p1", 12)), draw(entries("p2", 6))
        document = {
            "version": f"p{number}",
            "effective_from": START + timedelta(days=10 * number),
            "currency": "USD",
            "default_reward_share": draw(_places(4, 1)),
            "rewards": [{"provider": "p1", "share": draw(_places(12, 1))}],
            "aliases": [{"provider": "p1", "model": plain[0]["model"], "names": ["snapshot"]}],
            "regions": [{"provider": "p2", "region": "eu", "multiplier": draw(_places(6, 3))}],
            "prices": plain + regional,
        }
        books.append(PriceBook.model_validate(document))
    return PriceBooks(books)


@st.composite
def rules(draw: st.DrawFn, number: int) -> dict[str, Any]:
    fields = {
        "tenant": ("t1", "t2"), "feature": ("f1",), "model": ("a", "snapshot"), "model_class": ("heavy",),
        "provider": ("p1",), "mode": ("batch",),
    }  # fmt: skip
    chosen = sorted(draw(st.sets(st.sampled_from(sorted(fields)), max_size=2)))
    kind = draw(st.sampled_from(["markup", "margin", "per_unit", "unit_price", "pass_through", "included"]))
    rule: dict[str, Any] = {"id": f"rule{number}", "kind": kind, "label": "l", "unit": "u", "reason": "why"}
    rule["match"] = {field: draw(st.sampled_from(fields[field])) for field in chosen}
    if kind == "markup":
        rule["percent"] = f"{draw(st.decimals(min_value=-99, max_value=500, places=10)):f}"
    if kind == "margin":
        rule["percent"] = draw(_places(10, 99))
    if kind in ("per_unit", "unit_price"):
        rule |= {"amount": draw(_places(12)), "meter": draw(st.sampled_from(BUSINESS))}
    floor = draw(st.decimals(min_value=0, max_value=1, places=6))
    if draw(st.booleans()):
        rule["floor"] = f"{floor:f}"
    if draw(st.booleans()):
        rule["cap"] = f"{floor + 1:f}"
    return rule


@st.composite
def rule_books(draw: st.DrawFn) -> RuleBooks:
    document = {
        "version": "r0",
        "effective_from": START + timedelta(days=draw(st.integers(0, 2))),
        "model_classes": {"heavy": ["a"]},
        "rules": [draw(rules(number)) for number in range(draw(st.integers(1, 4)))],
    }
    try:
        return RuleBooks([RuleBook.model_validate(document)])
    except ValidationError as error:
        assume("tie" not in str(error))
        raise


@st.composite
def events(draw: st.DrawFn) -> Event:
    tags = {
        **DEFAULTS,
        "builder": "b1",
        "tenant": draw(st.sampled_from(["t1", "t2", "t3"])),
        "feature": draw(st.sampled_from(["", "f1"])),
        "provider": draw(st.sampled_from(["p1", "p1", "p2", "p2", ""])),
        "model": draw(st.sampled_from(["a", "a", "b", "snapshot", ""])),
        "mode": draw(st.sampled_from(["standard", "batch"])),
        "region": draw(st.sampled_from(["", "eu", "us"])),
    }
    near = st.sampled_from([THRESHOLD - 1, THRESHOLD, THRESHOLD + 1, 2 * THRESHOLD]).map(Decimal)
    quantities = near | st.decimals(min_value=0, max_value=10**6, places=6) | st.just(Decimal(0))
    used = sorted(draw(st.sets(st.sampled_from(PRICED + BUSINESS), min_size=1)))
    minutes = st.sampled_from([0, 29, 30, 8 * 60 + 29, 8 * 60 + 30, 16 * 60 + 29, 16 * 60 + 30, 1439])
    time = START + timedelta(
        days=draw(st.integers(-1, 14)), minutes=draw(minutes), microseconds=draw(st.integers(0, 9))
    )
    return time, {name: tags.get(name, "") for name in DIMENSION_COLUMNS}, {meter: draw(quantities) for meter in used}


@settings(max_examples=200)
@given(price_books(), rule_books(), st.lists(events(), min_size=1, max_size=20))
def test_an_explanation_comes_to_what_the_stream_bills(
    prices: PriceBooks, surcharges: RuleBooks, rows: list[Event]
) -> None:
    billed = Rater(prices, surcharges).rate(*frames(rows)).to_dicts()
    for (time, tags, usage), row in zip(rows, billed, strict=True):
        moment = (time - EPOCH) // timedelta(microseconds=1)
        book, rule_book = prices.at(time), surcharges.at(time)
        told = explain_usage(tags, usage, moment, book, rule_book, CATALOGUE)
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

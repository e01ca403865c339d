"""What an explanation is made of, beside the golden pages: every kind, every lookup, corrections and their usage."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from billing.errors import BillingError
from billing.explanation import amounts_of, compare, corrections_of, explain_usage, target_of
from billing.explanation.arithmetic import plain, quotient, total
from billing.explanation.charge import charge_of, explained_kinds
from billing.explanation.standing import NOTHING, minus, plus, sum_of
from billing.explanation.usage import Amounts, UsageExplanation
from billing.surcharges import Rule
from billing.surcharges.kinds import KINDS
from tests.golden.explanation.pages import CATALOGUE, NOON, PRICE_BOOKS, RULE_BOOKS, adjustment, billed, void
from tests.support import rating_table
from tests.support.rating import DEFAULTS
from topics.block import DIMENSION_COLUMNS
from topics.times import microseconds

GOLDEN = Path(__file__).parents[1] / "golden"
TAGS = dict.fromkeys(DIMENSION_COLUMNS, "") | DEFAULTS | {"builder": "acme", "provider": "northwind"}


def _told(folder: Path) -> list[tuple[dict[str, str], dict[str, str]]]:
    """Each row of a golden table as it stands, and as it is explained."""
    rater = rating_table.rater(folder)
    answers = []
    for row in rating_table.read(folder):
        tags = {"requested_model" if name == "requested" else name: text for name, text in row.items() if text != "-"}
        full = {name: {**DEFAULTS, **tags}.get(name, "") for name in DIMENSION_COLUMNS}
        usage = {meter: Decimal(number) for meter, number in (each.split("=") for each in row["usage"].split(","))}
        time = datetime.fromisoformat(row["time"])
        told = explain_usage(full, usage, microseconds(time), rater.books.at(time), rater.rules.at(time), CATALOGUE)
        winner = told.resolution.winner
        answer = {**row, "rule": winner.id if winner else "-", "reason": told.unpriced_reason or "-"}
        for name, column in rating_table.AMOUNTS.items():
            if name in row:
                answer[name] = f"{getattr(told.amounts, column):.12f}" if told.amounts else "-"
        answers.append((row, answer))
    return answers


@pytest.mark.parametrize(
    ("row", "answer"),
    [each for table in ("rating", "price_lists") for each in _told(GOLDEN / table)],
    ids=lambda row: row["why"],
)
def test_an_event_is_explained_as_the_tables_worked_out_by_hand_say(
    row: dict[str, str], answer: dict[str, str]
) -> None:
    assert answer == row


@pytest.mark.parametrize(
    ("kind", "words", "formulas"),
    [
        ({"kind": "markup", "percent": "25"}, "what the AI cost, 25 % on top", ["1 + 25 ÷ 100", "0.5 × 1.25"]),
        ({"kind": "markup", "percent": "-5"}, "what the AI cost, 5 % less", ["1 + (-5) ÷ 100", "0.5 × 0.95"]),
        (
            {"kind": "margin", "percent": "20"},
            "a price of which 20 % is margin, and the rest is what the AI cost",
            ["1 − 20 ÷ 100", "0.5 ÷ 0.8"],
        ),
        (
            {"kind": "per_unit", "amount": "0.04", "meter": "pages"},
            "0.04 USD for each page, and what the AI cost",
            ["3 × 0.04", "0.5 + 0.12"],
        ),
        (
            {"kind": "unit_price", "amount": "0.04", "meter": "pages"},
            "0.04 USD for each page, whatever the AI cost",
            ["3 × 0.04"],
        ),
        ({"kind": "pass_through"}, "what the AI cost", ["0.5"]),
        ({"kind": "included"}, "nothing: it is included, and the Builder pays for the AI", ["0"]),
    ],
)
def test_each_kind_says_what_it_does_in_words_and_in_numbers(
    kind: dict[str, str], words: str, formulas: list[str]
) -> None:
    rule = Rule.model_validate({"id": "r", "label": "l", "unit": "page", "reason": "why", **kind})
    charge = charge_of(rule, Decimal("0.5"), {"pages": Decimal(3)}, "USD")
    assert (charge.words, [step.formula for step in charge.steps]) == (words, formulas)
    assert charge.amount == charge.steps[-1].amount
    assert charge.bounds == ()


@pytest.mark.parametrize(
    ("cap", "floor", "bounds"),
    [
        ("0.4", None, [("cap", "0.5", "0.4", True)]),
        (None, "0.6", [("floor", "0.5", "0.6", True)]),
        ("0.5", "0.5", [("cap", "0.5", "0.5", False), ("floor", "0.5", "0.5", False)]),
        ("0.4", "0.4", [("cap", "0.5", "0.4", True), ("floor", "0.4", "0.4", False)]),
    ],
)
def test_the_cap_comes_first_then_the_floor(
    cap: str | None, floor: str | None, bounds: list[tuple[str, str, str, bool]]
) -> None:
    given = {name: value for name, value in (("cap", cap), ("floor", floor)) if value is not None}
    rule = Rule.model_validate({"id": "r", "kind": "pass_through", "label": "l", "unit": "u", "reason": "why", **given})
    charge = charge_of(rule, Decimal("0.5"), {}, "USD")
    told = [(each.name, plain(each.before), plain(each.after), each.binds) for each in charge.bounds]
    assert told == bounds
    assert charge.amount == Decimal(bounds[-1][2])


def test_every_kind_of_surcharge_is_explained() -> None:
    assert explained_kinds() == set(KINDS)


def test_a_kind_that_nobody_explains_is_named() -> None:
    rule = Rule(id="r", kind="included", label="l", unit="u", reason="why").model_copy(update={"kind": "barter"})
    with pytest.raises(BillingError, match="rule r: how a rule of kind barter charges is not explained"):
        charge_of(rule, Decimal(1), {}, "USD")


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.0045", "0.0045"), ("1E-12", "0.000000000001"), ("100", "100"), ("2.50", "2.5"), ("0E-12", "0"), ("-0", "0")],
)
def test_a_number_has_no_exponent_and_no_zeros_at_its_end(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text


def test_a_long_quotient_that_ends_shows_all_its_digits() -> None:
    step = quotient("x", Decimal("0.000000000001"), Decimal("0.00128"))
    assert (step.exact, step.endless, step.amount) == (Decimal("7.8125E-10"), False, Decimal("0.000000000781"))
    assert step.residue == Decimal("-0.00000000000025")


def test_an_endless_quotient_is_called_so_even_where_its_first_digits_are_round() -> None:
    step = quotient("x", Decimal("1E-12"), Decimal("0.9999999999999999"))
    assert (step.exact, step.amount, step.endless, step.was_rounded) == (Decimal("1E-12"), Decimal("1E-12"), True, True)


@pytest.mark.parametrize(("provider", "version", "default"), [("lumen", 0, False), ("northwind", 0, True)])
def test_a_share_by_contract_is_told_from_the_default(provider: str, version: int, default: bool) -> None:
    book = PRICE_BOOKS.versions[version]
    told = explain_usage(
        TAGS | {"provider": provider}, {"pages": Decimal(1)}, microseconds(NOON), book, None, CATALOGUE
    )  # fmt: skip
    assert (told.share, told.share_is_default) == (book.reward_share(provider), default)
    bare = book.model_copy(update={"rewards": ()})
    told = explain_usage(TAGS, {"pages": Decimal(1)}, microseconds(NOON), bare, None, CATALOGUE)
    assert told.share_is_default


def test_a_sum_is_not_cut_at_twenty_eight_digits() -> None:
    parts = [Decimal(10) ** 20, Decimal("0.000000000001")]
    assert total("x", parts).exact == Decimal("100000000000000000000.000000000001")


def test_an_entry_that_lacks_a_meter_is_told_apart_from_no_entry() -> None:
    book, rules = PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0]
    moment = microseconds(NOON)
    batch = TAGS | {"model": "nw-large", "mode": "batch"}
    lacking = explain_usage(batch, {"cached_input_tokens": Decimal(1)}, moment, book, rules, CATALOGUE)
    assert (lacking.unpriced_reason, lacking.quote is not None) == ("no_price", True)
    assert [each.missing for each in lacking.meters] == [True]
    flex = TAGS | {"model": "nw-large", "mode": "flex"}
    absent = explain_usage(flex, {"input_tokens": Decimal(1)}, moment, book, rules, CATALOGUE)
    assert (absent.unpriced_reason, absent.quote) == ("no_price", None)
    assert absent.lookup.others == ("northwind / nw-large / standard", "northwind / nw-large / batch")


def test_a_quantity_of_zero_needs_no_price() -> None:
    told = explain_usage(
        TAGS | {"model": "nw-large", "mode": "batch"}, {"cached_input_tokens": Decimal(0)}, microseconds(NOON),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    assert (told.unpriced_reason, told.amounts is not None) == ("", True)
    assert [each.cost for each in told.meters] == [None]


def _no_rerating(row: Any) -> None:
    return None


def test_a_correction_is_about_the_latest_usage_before_it_of_the_same_tenant() -> None:
    # The same identity three times: accepted again once the first was out of reach, and for another tenant.
    first = billed(1, {"input_tokens": "1000"})
    other = billed(5, {"input_tokens": "1000"}, tenant="initech") | {"id": "call-1", "source_partition": 3}
    second = billed(9, {"input_tokens": "3000"}) | {"id": "call-1"}
    same = {"identity_high": first["identity_high"], "identity_low": first["identity_low"]}
    other, second = other | same, second | same
    early = adjustment(4, first, {"reward": "0", "fee": "0", "earnings": "-0.001"}, "goodwill")
    late = void(12, second) | {"target_high": first["identity_high"], "target_low": first["identity_low"]}
    rows = [first, other, second, early, late]
    assert target_of(early, rows) is first
    assert target_of(late, rows) is second
    found = {row["source_offset"]: corrections_of(row, rows, _no_rerating) for row in (first, other, second)}
    assert {offset: [each.row["source_offset"] for each in each_found] for offset, each_found in found.items()} == {
        1: [4], 5: [], 9: [12],
    }  # fmt: skip
    [taken] = found[9]
    assert (taken.differences, taken.standing is not None and taken.standing.customer_charge) == ((), Decimal(0))
    assert target_of(late | {"tenant": "nobody"}, rows) is None


def test_a_void_of_usage_without_a_price_takes_back_nothing() -> None:
    waiting = billed(1, {"input_tokens": "1000"}, model="nw-new")
    [taken] = corrections_of(waiting, [waiting, void(2, waiting)], _no_rerating)
    assert (taken.amounts, taken.before, taken.standing, taken.differences) == (None, None, None, ())


def test_a_correction_by_hand_that_does_not_balance_is_named() -> None:
    first = billed(1, {"input_tokens": "1000"})
    crooked = adjustment(2, first, {"reward": "0", "fee": "0", "earnings": "1"}, "?", customer_charge=Decimal(2))
    [found] = corrections_of(first, [first, crooked], _no_rerating)
    assert [(each.name, each.ledger, each.explained) for each in found.differences] == [
        ("balance", "does not balance", "balances")
    ]


def _priced(usage: dict[str, str]) -> UsageExplanation:
    """As if a later book came to what today's comes to for this usage."""
    row = billed(1, usage)
    return explain_usage(
        {name: row[name] for name in DIMENSION_COLUMNS}, row["usage"], microseconds(row["event_time"]),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip


def _parts(amounts: Amounts) -> dict[str, str]:
    return {"reward": str(amounts.provider_reward), "fee": str(amounts.platform_fee),
            "earnings": str(amounts.builder_earnings)}  # fmt: skip


def test_a_re_rating_is_the_difference_to_what_rating_made_or_to_all_that_stands() -> None:
    first = billed(1, {"input_tokens": "1000"})
    was, due = amounts_of(first), _priced({"input_tokens": "3000"})
    assert was is not None
    assert due.amounts is not None
    rise = plus(due.amounts, minus(was))
    again = adjustment(2, first, _parts(rise), "rated again")
    gift = adjustment(3, first, {"reward": "0", "fee": "0", "earnings": "-0.0004"}, "goodwill")
    same = adjustment(4, first, {"reward": "0", "fee": "0", "earnings": "0"}, "nothing has changed")
    all_of_it = adjustment(5, first, {"reward": "0", "fee": "0", "earnings": "0.0004"}, "without the goodwill")
    wrong = adjustment(6, first, {"reward": "0", "fee": "0", "earnings": "0.1"}, "a slip")
    rows = [first, again, gift, same, all_of_it, wrong]
    found = corrections_of(first, rows, lambda row: None if row is gift else due)
    assert [each.differences for each in found[:4]] == [(), (), (), ()]
    below = plus(due.amounts, minus(_only(Decimal("0.0004"))))
    assert [each.standing for each in found[:4]] == [due.amounts, below, below, due.amounts]
    # What rating made of it, what was done by hand left out; and where that is replaced, all that stood.
    assert [each.basis for each in found[:4]] == [was, None, due.amounts, below]
    assert {each.name: each.ledger for each in found[4].differences} == {
        "builder_earnings": "0.100000000000", "customer_charge": "0.100000000000",
    }  # fmt: skip


def _only(earnings: Decimal) -> Amounts:
    return Amounts(Decimal(0), Decimal(0), Decimal(0), earnings, earnings)


def test_usage_that_waited_is_rated_later_from_nothing_on() -> None:
    waiting = billed(1, {"input_tokens": "1000"}, model="nw-new")
    due = _priced({"input_tokens": "1000"})
    assert due.amounts is not None
    later = adjustment(2, waiting, _parts(due.amounts), "its price is there")
    [found] = corrections_of(waiting, [waiting, later], lambda row: due)
    assert (found.before, found.basis, found.standing) == (None, NOTHING, due.amounts)
    assert found.differences == ()
    [unknown] = corrections_of(waiting, [waiting, later], lambda row: replace(due, amounts=None))
    assert {each.explained for each in unknown.differences} == {""}


def test_a_sum_passes_over_what_has_no_price() -> None:
    one = amounts_of(billed(1, {"input_tokens": "1000"}))
    assert one is not None
    assert sum_of([None, one, None, one]) == plus(one, one)
    assert sum_of([]) == NOTHING


@pytest.mark.parametrize("column", ["base_cost", "provider_reward", "platform_fee", "builder_earnings"])
def test_each_amount_is_compared_to_the_last_digit(column: str) -> None:
    row = billed(1, {"input_tokens": "1000"})
    told = explain_usage(
        {name: row[name] for name in DIMENSION_COLUMNS}, row["usage"], microseconds(row["event_time"]),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    assert compare(told, row) == ()
    [difference] = compare(told, row | {column: row[column] + Decimal("1E-12")})
    assert difference.name == column
    assert amounts_of(row | {column: None}) is None
    assert len(compare(told, row | {column: None})) == 5


@pytest.mark.parametrize("column", ["unpriced_reason", "rule_id", "currency"])
def test_reason_rule_and_currency_are_compared_too(column: str) -> None:
    row = billed(1, {"input_tokens": "1000"})
    told = explain_usage(
        {name: row[name] for name in DIMENSION_COLUMNS}, row["usage"], microseconds(row["event_time"]),
        PRICE_BOOKS.versions[0], RULE_BOOKS.versions[0], CATALOGUE,
    )  # fmt: skip
    [difference] = compare(told, row | {column: "other"})
    assert (difference.name, difference.ledger) == (column, "other")

"""The demonstration's month: which one it is, what it is closed under, and that its checks can fail."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.loading import load_versions
from billing.periods import MONTHS, Period, parse_period
from billing.plans import PlanBook
from billing.surcharges import RuleBooks
from sinks.closings import CLOSED, Closing
from sinks.payable import Balance, Payable
from sinks.payouts import PayoutRecord
from sinks.statements import StatementHead, StoredStatement
from tollstream.agreements.plans import warnings
from tollstream.closing.checks import Problem
from tollstream.closing.run import Result
from tollstream.commands.demo import BOOKS
from tollstream.demo.checks import Check, counted_check, rerate_checks, settlement_checks
from tollstream.demo.offers import OFFERS, UNKNOWN_MODEL
from tollstream.demo.oracle import OracleResult
from tollstream.demo.oracle.ledger import HORIZON_SECONDS, Total
from tollstream.demo.run import RETROACTIVE, last_month
from tollstream.demo.settlement_report import settlement_record
from tollstream.demo.settling import BOUGHT, Settlement
from tollstream.payouts.standing import Standing

OCTOBER = parse_period(MONTHS, "2026-10")
NOW = datetime(2026, 11, 26, tzinfo=UTC)
SUMS = {
    "customer_charge": Decimal("1.000000000003"),
    "provider_reward": Decimal("0.5"),
    "platform_fee": Decimal("0.2"),
    "builder_earnings": Decimal("0.300000000003"),
}
BILLED: list[dict[str, Any]] = [{"currency": "USD", "charge": SUMS["customer_charge"]}]
POSTED: list[dict[str, Any]] = [
    {"account": "provider_payable", "currency": "USD", "amount": -SUMS["provider_reward"]},
    {"account": "platform_fee", "currency": "USD", "amount": -SUMS["platform_fee"]},
    {"account": "builder_payable", "currency": "USD", "amount": -SUMS["builder_earnings"]},
]
DUE: list[dict[str, Any]] = [
    {"account": "payout_due", "currency": "USD", "amount": Decimal("-0.30")},
    {"account": "reward_due", "currency": "USD", "amount": Decimal("-0.50")},
]


@pytest.mark.parametrize(
    ("now", "label"),
    [("2026-11-26T12:00:00", "2026-10"), ("2026-12-01T00:00:00", "2026-11"), ("2027-01-01T00:00:01", "2026-12")],
)
def test_the_month_is_the_newest_one_that_is_over(now: str, label: str) -> None:
    assert last_month(datetime.fromisoformat(now).replace(tzinfo=UTC)).label == label


def test_the_last_day_of_that_month_is_never_too_late_to_be_published() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment.year < 2029:
        day = last_month(moment + timedelta(hours=23, minutes=59)).end - timedelta(days=1)
        assert moment + timedelta(days=1) - day < timedelta(seconds=HORIZON_SECONDS)
        moment += timedelta(days=1)


def test_every_builder_has_plans_for_all_of_its_tenants_and_they_fit_the_rules() -> None:
    books = {book.builder: book for book in load_versions(BOOKS / "plans", PlanBook)}
    assert books.keys() == {offer.builder for offer in OFFERS}
    for offer in OFFERS:
        assert books[offer.builder].subscribed.keys() == set(offer.tenants)
    known = RuleBooks.load(BOOKS / "rules.toml")
    assert [warning for book in books.values() for warning in warnings(book, known)] == []
    builder, tenant, top_up = BOUGHT
    assert tenant in books[builder].subscribed
    assert top_up in {each.id for plan in books[builder].plans for each in plan.top_ups}


def test_the_late_prices_are_the_prices_of_the_day_and_that_of_the_model_without_one() -> None:
    day = tomllib.loads((BOOKS / "prices.toml").read_text())
    late = tomllib.loads((BOOKS / "late-prices.toml").read_text())
    assert late.pop("retroactive") is True
    assert RETROACTIVE in (BOOKS / "late-prices.toml").read_text()
    added = [each for each in late.pop("prices") if each not in day["prices"]]
    assert {(each["provider"], each["model"]) for each in added} == {(UNKNOWN_MODEL.provider, UNKNOWN_MODEL.name)}
    assert {each.get("mode", "standard") for each in added} == {"standard", "batch"}
    assert late.pop("version") != day.pop("version")
    del day["prices"]
    assert late == day


def test_what_still_waits_or_was_rated_otherwise_fails() -> None:
    def oracle(amount: str, unpriced: int = 0) -> OracleResult:
        total = Total([Decimal(amount)] * 4, 1, 1, unpriced)
        return OracleResult(totals={("quill", "northwind", 0, "USD"): total})

    def fails(waiting: int, stored: int, one: OracleResult, other: OracleResult) -> list[bool]:
        return [not check.holds for check in rerate_checks(waiting, stored, one, other)]

    assert fails(2, 2, oracle("1"), oracle("1")) == [False, False]
    assert fails(2, 1, oracle("1"), oracle("1")) == [True, False]
    assert fails(0, 0, oracle("1"), oracle("1")) == [True, False]
    assert fails(2, 2, oracle("1", unpriced=1), oracle("1")) == [True, False]
    assert fails(2, 2, oracle("1"), oracle("1.000000000001")) == [False, True]
    assert fails(2, 2, oracle("1"), OracleResult()) == [False, True]


def test_a_month_in_balance_holds() -> None:
    assert broken(settlement()) == []


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ({"closings": ()}, "the month"),
        ({"closings": "accepted"}, "the month"),
        ({"statements": ()}, "statements are numbered"),
        ({"balances": ()}, "debits = credits"),
        ({"balances": (Balance("USD", 2, Decimal(1), Decimal("1e-12")),)}, "debits = credits"),
        ({"unbalanced": 1}, "debits = credits"),
        ({"payouts": ()}, "payouts decided"),
        ({"rewards": ()}, "rewards decided"),
        ({"changed": ("quill-000001",)}, "closing, paying and rewarding again"),
    ],
)
def test_each_thing_that_is_wrong_with_a_month_fails_a_check(wrong: dict[str, Any], check: str) -> None:
    sound = settlement()
    if wrong.get("closings") == "accepted":
        wrong = {"closings": (replace(sound.closings[0], problems=(Problem("unpriced", "3 events wait."),)),)}
    found = broken(replace(sound, **wrong))
    assert any(name.startswith(check) for name in found)


@pytest.mark.parametrize("name", SUMS)
def test_a_last_digit_that_is_not_billed_or_not_owed_fails(name: str) -> None:
    sums = {**SUMS, name: SUMS[name] + Decimal("0.000000000001")}
    [failed] = broken(settlement(), sums)
    assert name.replace("_", " ") in failed


def test_the_object_has_the_month_with_money_as_strings() -> None:
    said = settlement_record(settlement(), NOW)
    assert said["period"] == "2026-10"
    [statement] = said["statements"]
    assert (statement["reference"], statement["due"]) == ("quill-000001", "1.00")
    assert [(each["party"], each["amount"], each["state"]) for each in said["payouts"]] == [("quill", "0.30", "due")]
    assert [(each["party"], each["amount"]) for each in said["rewards"]] == [("openai", "0.50")]
    assert said["platform"] == {"USD": {"platform_fee": "0.200000000000", "platform_funding": "0.000000000000"}}
    assert said["postings_residual"] == "0"


def test_a_quantity_that_the_ledger_does_not_have_fails_and_is_named() -> None:
    def checked(quantity: str, unit: str = "tasks", rule: str = "r1", used: bool = True) -> Check:
        line = {"builder": "quill", "tenant": "northwind", "rule_id": rule, "unit": unit, "quantity": Decimal(quantity)}
        usage = {"tasks": Decimal(7), "input_tokens": Decimal(900)}
        row = {"builder": "quill", "tenant": "northwind", "rule_id": "r1", "usage": usage, "events": 3}
        return counted_check(settlement().meters, [line], [row] if used else [])

    assert [checked("7").holds, checked("3", "requests").holds] == [True, True]
    assert [checked("9").holds, checked("7", rule="r2").holds, checked("7", used=False).holds] == [False] * 3
    assert checked("9").detail == "quill/northwind r1: 9, ledger 7"
    assert not counted_check({}, [], []).holds


def broken(month: Settlement, sums: dict[str, Decimal] = SUMS) -> list[str]:
    checks: list[Check] = settlement_checks(month, sums, BILLED, POSTED, DUE)
    return [check.name for check in checks if not check.holds]


def settlement() -> Settlement:
    """One statement of 1.00, and who gets it."""
    head = StatementHead(
        "quill", "northwind", "2026-10", OCTOBER.start, OCTOBER.end, 1, "quill-000001", NOW, "USD",
        Decimal(1), Decimal(0), Decimal(1), Decimal(0), Decimal(1), 1,
    )  # fmt: skip
    return Settlement(
        period=OCTOBER,
        meters={("quill", "task"): "tasks", ("quill", "tasks"): "tasks", ("quill", "requests"): "requests"},
        closings=(Result(Closing("quill", "c", OCTOBER, MONTHS, 1, CLOSED, "demo", statements=1), False, False),),
        statements=(StoredStatement(head, "{}"),),
        payouts=(decided("quill", "payout", "quill", Decimal("0.30")),),
        rewards=(decided("", "reward", "openai", Decimal("0.50")),),
        platform=(
            Payable("quill", "statement", "2026-10", "platform_fee", "platform", "USD", "usage", Decimal("-0.2")),
        ),
        balances=(Balance("USD", 4, Decimal(1), Decimal(0)),),
        unbalanced=0,
        changed=(),
    )


def decided(builder: str, kind: str, party: str, amount: Decimal, period: Period = OCTOBER) -> Standing:
    record = PayoutRecord(
        builder, "1", kind, party, period.label, period.start, "USD", amount, Decimal(0), period.end, "{}", "demo", ""
    )
    return Standing(record, None, ())

"""docs/statements.md: every table is worked out by the code, every worked step by plain arithmetic."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from billing.allocation import allocate, round_minor
from billing.credits import Grant, GrantBalance, Purse
from billing.currencies import exponent
from billing.loading import parse_version
from billing.payouts import PayoutPolicy, payouts
from billing.periods import MONTHS, Cycle, parse_period
from billing.plans import Cap, PlanBook, PlanBooks, Tier, part, part_of_units
from billing.postings import ACCOUNTS, Posting
from billing.statements import KINDS, statement
from tests.support import pages

PAGE = (pages.DOCS / "statements.md").read_text(encoding="utf-8")
DECEMBER = parse_period(MONTHS, "2026-12")
START = datetime(2026, 12, 1, tzinfo=UTC)
D = Decimal


def _table(heading: str) -> list[dict[str, str]]:
    return pages.table(pages.section(PAGE, heading))


def test_the_steps_are_those_of_the_code_in_its_order() -> None:
    source = pages.DOCS.parent / "billing" / "statements" / "statement.py"
    steps = re.findall(r"^ +(\d+) +(\w+)", source.read_text(encoding="utf-8").split('"""')[1], re.MULTILINE)
    page = re.findall(r"^(\d+)\. \*\*(\w+)\*\*", pages.section(PAGE, "The order of the steps"), re.MULTILINE)
    assert page == steps
    assert len(page) == 11
    assert statement.__module__ == "billing.statements.statement"


def test_the_plan_book_is_one() -> None:
    book = parse_version(pages.block(PAGE, "toml"), ".toml", "the page", PlanBook)
    terms = PlanBooks([book]).terms("northwind", parse_period(book.billing_cycle, "2026-12"))
    assert terms is not None
    assert [(each.plan.id, each.days, each.trial_days) for each in terms.segments] == [("free", 10, 0), ("pro", 21, 4)]


@pytest.mark.parametrize("row", _table("Periods"), ids=lambda row: row["label"])
def test_a_period_is_what_the_table_says(row: dict[str, str]) -> None:
    anchor = date(2026, 1, 31) if row["kind"] == "anniversary" else None
    period = parse_period(Cycle(row["kind"], row["zone"], anchor), row["label"])  # type: ignore[arg-type]
    bounds = [bound.isoformat().replace("+00:00", "Z") for bound in (period.start, period.end)]
    assert [*bounds, str(period.days)] == [row["begins"], row["ends"], row["days"]]


@pytest.mark.parametrize("row", _table("Proration"), ids=lambda row: row["what"])
def test_a_part_of_a_period_is_what_the_table_says(row: dict[str, str]) -> None:
    amount, days = row["worked"].removesuffix(" / 31").split(" x ")
    prorate = part_of_units if row["what"] == "allowance" else part
    found = prorate(D(amount), int(days), DECEMBER)
    assert f"{found:f}" == row["comes to"]
    assert abs(pages.value(row["worked"]) - found) < D("0.000001")
    assert prorate is part_of_units or pages.value(row["worked"]) == found


@pytest.mark.parametrize("row", _table("Tiers"), ids=lambda row: f"{row['kind']} {row['quantity']}")
def test_a_tier_charges_what_the_table_says(row: dict[str, str]) -> None:
    steps = [{"above": "0", "price": "0.10"}, {"above": "100", "price": "0.05"}, {"above": "500", "price": "0.02"}]
    tier = Tier.model_validate({"rule": "r", "kind": row["kind"], "steps": steps})
    assert tier.charge(D(row["quantity"])) == D(row["charge"]) == pages.value(row["worked"])


def test_grants_are_drawn_in_the_order_of_the_table() -> None:
    rows = _table("Credits")

    def moment(text: str) -> datetime | None:
        return None if text == "never" else datetime.fromisoformat(text).replace(tzinfo=UTC)

    grants = [
        Grant(
            row["grant"], "t", "promotional", "", "USD", D(1), D(0), moment(row["granted"]) or START,
            moment(row["expires"]), int(row["priority"]),
        )
        for row in rows
    ]  # fmt: skip
    drawn = list(Purse(GrantBalance(grant) for grant in sorted(grants, key=lambda grant: grant.id)).grants)
    assert drawn == [row["grant"] for row in rows]


def test_a_price_is_earned_as_the_table_says() -> None:
    rows = pages.table(PAGE[PAGE.index("| drawn |") :])
    purse = Purse([GrantBalance(Grant("g", "t", "top_up", "tasks", "USD", D(3), D(1), START))])
    for row in rows:
        draw = purse.draw("g", "drawn", "2026-12", "usage/r", D(1), D("0.5"))
        assert purse.used("g") == D(row["drawn"])
        assert f"{draw.earned:.12f}" == row["of this draw"]
        assert f"{purse.grants['g'].earned(purse.used('g')):.12f}" == row["earned so far"]


@pytest.mark.parametrize("row", _table("Currency, rounding and tax"), ids=lambda row: row["lines"])
def test_lines_are_rounded_as_the_table_says(row: dict[str, str]) -> None:
    lines, places = [D(each) for each in row["lines"].split(", ")], exponent(row["currency"])
    assert sum(lines, D(0)) == D(row["exact sum"])
    assert f"{round_minor(sum(lines, D(0)), places):f}" == row["rounded sum"]
    assert ", ".join(f"{share:f}" for share in allocate(lines, places)) == row["rounded lines"]


def test_kinds_accounts_and_caps_are_all_there_in_order() -> None:
    assert [row["kind"] for row in _table("Lines")] == list(KINDS)
    assert [row["account"] for row in _table("Postings")] == list(ACCOUNTS)
    thens = [row["then"] for row in _table("Minimum and cap")]
    assert [Cap.model_validate({"amount": "1", "then": then}).then for then in thens] == ["stop", "builder", "continue"]


def test_the_lines_of_the_story_are_those_of_the_golden_statement() -> None:
    story = pages.DOCS.parent / "tests" / "golden" / "statements" / "weekly-with-a-cap.txt"
    written = Path(story).read_text(encoding="utf-8").splitlines()
    for line in pages.block(PAGE, "text").splitlines():
        assert line in written


@pytest.mark.parametrize("row", _table("Payouts and rewards"), ids=lambda row: row["net"])
def test_a_payout_is_what_the_table_says(row: dict[str, str]) -> None:
    accounts = {
        "gross": "builder_payable", "funded": "builder_funding", "refunds": "builder_refund",
        "chargebacks": "builder_chargeback", "carried before": "payout_carried",
    }  # fmt: skip
    postings = [Posting(account, "acme", "USD", name, -D(row[name])) for name, account in accounts.items()]
    [payout] = payouts("acme", DECEMBER, postings, PayoutPolicy({"USD": D(25)}))
    assert (payout.net, payout.carried) == (D(row["net"]), D(row["carried"]))
    assert f"{payout.amount:f}" == row["paid"]

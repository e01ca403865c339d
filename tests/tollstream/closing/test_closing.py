"""Closing: what is billed, in which order it is numbered, and that closed is closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing.credits import Grant
from sinks.closings import ABANDONED, CLOSED, CLOSING_JOURNAL, FROZEN, NUMBERED, PLANNED, WRITTEN
from sinks.statements import StatementQuery
from tests.support.closing_desk import JANUARY, Breaking, ClosingDesk, CrashedError
from tests.support.rows import Row
from tollstream.closing.refusal import CloseRefusedError

FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4))


def shown(document: dict[str, object]) -> list[tuple[object, ...]]:
    """Kind, label and amount of each line."""
    return [(line["kind"], line["label"], line["amount"]) for line in document["lines"]]  # type: ignore[attr-defined]


def some_usage(desk: ClosingDesk) -> list[Row]:
    """Three tenants in January, one of them at its very first and last windows."""
    return [
        desk.usage("globex", JANUARY, "1.00"),
        desk.usage("globex", FEBRUARY - timedelta(hours=1), "2.50"),
        desk.usage("initech", JANUARY + timedelta(days=3), "0.125"),
        desk.usage("zeta", JANUARY + timedelta(days=4), "4.00"),
        desk.usage("zeta", FEBRUARY, "8.00"),  # the first window of the next period
    ]


async def test_usage_of_the_period_is_billed_to_the_last_digit_and_numbered_by_tenant(desk: ClosingDesk) -> None:
    desk.store_rows(*some_usage(desk))
    result = await desk.close("2026-01")
    assert (result.entry.state, result.stood, result.resumed) == (CLOSED, False, False)
    documents = await desk.statements()
    assert [(each["number"], each["tenant"]["id"], each["totals"]["due"]) for each in documents] == [
        ("acme-000001", "globex", "3.50"),
        ("acme-000002", "initech", "0.12"),
        ("acme-000003", "zeta", "4.00"),
    ]
    assert shown(documents[0]) == [("usage", "Answers", "3.50")]
    assert result.entry.sums["USD"]["due"] == Decimal("7.62")
    assert desk.sums("billed_usage")["customer_charge"] == Decimal("7.625")
    assert await desk.store.read_unbalanced() == []
    posted = {(each.account, each.party): each.amount for each in await desk.store.read_posted("acme", ("statement",))}
    assert posted["tenant_receivable", "initech"] == Decimal("0.12")
    assert sum(amount for (account, _), amount in posted.items() if account == "rounding_difference") == Decimal(
        "0.005"
    )
    assert sum(posted.values()) == 0


LETTERS = """
[sender]
name = "Acme Tools, S.L."
address = "Calle Mayor 1\\n28013 Madrid"
note = "By bank transfer, please."
pay_within_days = 14
[[customers]]
tenant = "globex"
name = "Globex Corporation"
"""


async def test_a_statement_carries_the_names_that_the_plan_book_had_at_the_periods_end(desk: ClosingDesk) -> None:
    desk.store_rows(*some_usage(desk))
    await desk.plan("globex", letters=LETTERS)
    await desk.plan(
        "globex", version="plans-2", since="2026-02-01T00:00:00Z", letters=LETTERS.replace("Acme Tools", "Acme Works")
    )
    await desk.close("2026-01")
    globex, initech, _ = await desk.statements()
    assert globex["builder"] == {"id": "acme", "name": "Acme Tools, S.L.", "address": "Calle Mayor 1\n28013 Madrid"}
    assert (globex["tenant"]["name"], globex["note"]) == ("Globex Corporation", "By bank transfer, please.")
    assert date.fromisoformat(globex["pay_by"]) - date.fromisoformat(globex["issued"]) == timedelta(days=14)
    assert initech["tenant"] == {"id": "initech", "name": "", "address": ""}
    await desk.close("2026-02")
    later, *_ = await desk.statements(period="2026-02")
    assert later["builder"]["name"] == "Acme Works, S.L."


async def test_closed_is_closed_whatever_comes_afterwards(desk: ClosingDesk) -> None:
    usage = some_usage(desk)
    desk.store_rows(*usage)
    first = await desk.close("2026-01")
    before = desk.snapshot()
    desk.store_rows(desk.usage("globex", JANUARY + timedelta(days=9), "100"), desk.void(usage[2]))
    again = await desk.close("2026-01", by="somebody else")
    assert again.stood
    assert again.entry == first.entry
    assert desk.snapshot() == before
    with pytest.raises(CloseRefusedError, match="2026-01 of acme is closed"):
        await desk.preview("2026-01")


async def test_what_changes_afterwards_is_on_the_next_statement_with_period_and_reason(desk: ClosingDesk) -> None:
    usage = some_usage(desk)
    desk.store_rows(*usage)
    await desk.close("2026-01")
    desk.store_rows(
        desk.usage("globex", JANUARY + timedelta(days=9), "0.75"),
        desk.usage("late", JANUARY + timedelta(days=9), "0.33"),
        desk.void(usage[2]),
        desk.rerate(usage[3], "-0.5"),
    )
    await desk.close("2026-02")
    documents = {each["tenant"]["id"]: each for each in await desk.statements(period="2026-02")}
    assert shown(documents["globex"]) == [("adjustment", "Answers (2026-01): late usage", "0.75")]
    assert shown(documents["late"]) == [("adjustment", "Answers (2026-01): late usage", "0.33")]
    assert shown(documents["initech"]) == [("adjustment", "Answers (2026-01): usage taken back", "-0.12")]
    assert shown(documents["zeta"]) == [
        ("usage", "Answers", "8.00"),
        ("adjustment", "Answers (2026-01): usage rated again", "-0.50"),
    ]
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")
    # A third closing finds nothing that has changed since.
    result = await desk.close("2026-03")
    assert result.entry.statements == 0
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")


async def test_late_usage_that_is_taken_back_before_anybody_bills_it_is_named_twice_and_costs_nothing(
    desk: ClosingDesk,
) -> None:
    desk.store_rows(*some_usage(desk))
    await desk.close("2026-01")
    late = desk.usage("globex", JANUARY + timedelta(days=2), "6.00")
    desk.store_rows(late)
    desk.store_rows(desk.void(late))
    await desk.close("2026-02")
    [document] = [each for each in await desk.statements(period="2026-02") if each["tenant"]["id"] == "globex"]
    assert shown(document) == [
        ("adjustment", "Answers (2026-01): late usage", "6.00"),
        ("adjustment", "Answers (2026-01): usage taken back", "-6.00"),
    ]


@pytest.mark.parametrize("rule", ["", "markup-43", "other"])
async def test_usage_that_waited_for_a_price_is_billed_with_its_quantities_once_it_has_one(
    rule: str, desk: ClosingDesk
) -> None:
    """The rater names the rule of usage without a price, where one applies: it is counted once all the same."""
    waits = desk.waiting("globex", JANUARY + timedelta(days=1), rule)
    own = desk.waiting("globex", FEBRUARY + timedelta(days=1), rule)
    desk.store_rows(waits, *some_usage(desk))
    await desk.plan("globex")
    await desk.close("2026-01", "unpriced")
    [document] = [each for each in await desk.statements(period="2026-01") if each["tenant"]["id"] == "globex"]
    counted = [line["quantity"] for line in document["lines"] if line["kind"] == "usage"]
    assert counted == ["2.000000"], "what waits is on no statement"
    desk.store_rows(own, desk.rate_later(waits, "2.00"), desk.rate_later(own, "3.00"))
    await desk.close("2026-02")
    [document] = [each for each in await desk.statements(period="2026-02") if each["tenant"]["id"] == "globex"]
    lines = {line["key"]: line for line in document["lines"]}
    assert (lines["usage/markup-43"]["quantity"], lines["usage/markup-43"]["amount"]) == ("1.000000", "3.00")
    late = lines["adjustment/2026-01/rerate/markup-43"]
    assert (late["quantity"], late["amount"]) == ("1.000000", "2.00")
    # Both are covered by what the plan includes, as usage that came in time would have been: 2 of 3 were used then.
    assert Decimal(document["totals"]["net"]) == Decimal("9.00")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")
    desk.store_rows(desk.void(own))
    await desk.close("2026-03")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")
    [document] = [each for each in await desk.statements(period="2026-03") if each["tenant"]["id"] == "globex"]
    lines = {line["key"]: line for line in document["lines"]}
    back = lines["adjustment/2026-02/void/markup-43"]
    assert (back["quantity"], back["amount"]) == ("-1.000000", "-3.00")


@pytest.mark.parametrize("rule", ["", "markup-43"])
async def test_usage_that_is_taken_back_while_it_waits_is_on_no_statement(rule: str, desk: ClosingDesk) -> None:
    waits = desk.waiting("globex", JANUARY + timedelta(days=1), rule)
    desk.store_rows(waits, *some_usage(desk))
    await desk.close("2026-01", "unpriced")
    desk.store_rows(desk.void(waits), desk.usage("globex", FEBRUARY, "1.00"))
    await desk.close("2026-02")
    [document] = [each for each in await desk.statements(period="2026-02") if each["tenant"]["id"] == "globex"]
    assert shown(document) == [("usage", "Answers", "1.00")]


async def test_numbers_go_on_without_a_gap_from_period_to_period_and_for_each_builder_by_itself(
    desk: ClosingDesk,
) -> None:
    desk.store_rows(*some_usage(desk))
    await desk.close("2026-01")
    other = replace(desk, builder="beta", ledger=desk.ledger)
    other.store_rows(other.usage("globex", JANUARY), other.usage("globex", FEBRUARY))
    await desk.close("2026-02")
    desk.store_rows(desk.usage("initech", MARCH))
    await other.close("2026-01")
    await desk.close("2026-03")
    await other.close("2026-02")
    for name, count in (("acme", 5), ("beta", 2)):
        heads = await desk.store.read_heads(StatementQuery(builder=name))
        assert sorted(head.number for head in heads) == list(range(1, count + 1))


async def test_a_tenant_with_nothing_to_pay_and_nothing_to_say_gets_no_number(desk: ClosingDesk) -> None:
    usage = some_usage(desk)
    desk.store_rows(*usage)
    await desk.grant(Grant("gift", "nobody", "promotional", "", "USD", Decimal(5), Decimal(0), JANUARY))
    result = await desk.close("2026-01")
    assert result.entry.tenants == 4
    assert result.entry.statements == 3


async def test_credits_are_drawn_and_what_is_left_over_is_there_next_month(desk: ClosingDesk) -> None:
    await desk.plan("globex")
    await desk.grant(Grant("gift", "globex", "promotional", "", "USD", Decimal("0.25"), Decimal(0), JANUARY))
    desk.store_rows(*(desk.usage("globex", JANUARY + timedelta(hours=hour), "0.50") for hour in range(4)))
    await desk.close("2026-01")
    [january] = await desk.statements(period="2026-01")
    assert shown(january) == [
        ("subscription", "Team", "9.00"),
        ("usage", "Answers", "2.00"),
        ("allowance", "Included answers: Answers", "-1.50"),
        ("credit", "Promotional credit", "-0.25"),
    ]
    desk.store_rows(desk.usage("globex", FEBRUARY, "0.50"))
    await desk.close("2026-02")
    desk.store_rows(*(desk.usage("globex", MARCH + timedelta(hours=hour), "0.50") for hour in range(7)))
    await desk.close("2026-03")
    march = (await desk.statements(period="2026-03"))[-1]
    # Three are included, two were left over from February, and January used the gift up.
    assert [(kind, amount) for kind, _, amount in shown(march)] == [
        ("subscription", "9.00"),
        ("usage", "3.50"),
        ("allowance", "-1.50"),
        ("credit", "-1.00"),
    ]


async def test_a_missing_rate_refuses_to_close_names_it_and_closes_once_it_is_there(desk: ClosingDesk) -> None:
    await desk.plan("globex", "zeta", more='currency = "EUR"')
    desk.store_rows(*some_usage(desk))
    assert [each.text for each in (await desk.preview("2026-01")).missing] == [
        "no exchange rate from USD to EUR on 2026-01-31 or in the 7 days before"
    ]
    with pytest.raises(CloseRefusedError, match="2 statements of acme 2026-01 cannot be made: no exchange rate"):
        await desk.close("2026-01")
    assert await desk.statements() == []
    await desk.rate(JANUARY + timedelta(days=29), "USD", "EUR", "0.9")
    result = await desk.close("2026-01")
    assert result.entry.attempt == 2
    assert [each["number"] for each in await desk.statements()] == ["acme-000001", "acme-000002", "acme-000003"]
    states = [entry.state for entry in await desk.store.read_journal(CLOSING_JOURNAL, {"builder": "acme"})]
    assert states == [PLANNED, FROZEN, NUMBERED, ABANDONED, PLANNED, FROZEN, NUMBERED, WRITTEN, CLOSED]


async def test_a_preview_comes_to_what_closing_comes_to_and_writes_nothing(desk: ClosingDesk) -> None:
    usage = some_usage(desk)
    desk.store_rows(*usage)
    await desk.plan("globex")
    await desk.close("2026-01")
    desk.store_rows(desk.void(usage[0]), desk.usage("globex", FEBRUARY + timedelta(days=2), "7.10"))
    view = await desk.preview("2026-02")
    entries = await desk.store.read_journal(CLOSING_JOURNAL, {"builder": "acme"})
    assert len(entries) == 5
    result = await desk.close("2026-02")
    assert (view.sums, view.count, view.tenants) == (result.entry.sums, result.entry.statements, result.entry.tenants)
    assert view.first_number == result.entry.first_number
    written = await desk.statements(period="2026-02")
    assert [shown(each) for each in written] == [
        [(line.kind, line.label, f"{line.amount:f}") for line in each.lines] for each in view.first
    ]


async def test_what_is_agreed_after_the_freeze_changes_nothing_of_what_is_being_closed(desk: ClosingDesk) -> None:
    await desk.plan("globex")
    desk.store_rows(*some_usage(desk))
    expected = (await desk.preview("2026-01")).sums
    told = Breaking()
    told.at = 2  # planned, copied, frozen
    with pytest.raises(CrashedError, match="frozen"):
        await desk.close("2026-01", told=told)
    await desk.grant(Grant("gift", "globex", "promotional", "", "USD", Decimal(5), Decimal(0), JANUARY))
    desk.store_rows(desk.usage("globex", JANUARY + timedelta(days=5), "50"))
    await desk.plan("globex", "zeta", version="plans-2", since="2026-02-01T00:00:00Z")
    result = await desk.close("2026-01")
    assert result.resumed
    assert result.entry.sums == expected
    await desk.close("2026-02")
    assert desk.sums("billed_usage") == desk.sums("usage_ledger")


async def test_a_frozen_copy_that_is_not_what_it_was_is_found_out(desk: ClosingDesk) -> None:
    desk.store_rows(*some_usage(desk))
    with pytest.raises(CrashedError):
        await desk.close("2026-01", told=Breaking(2))
    database = desk.client.configuration.database
    desk.client.command(
        f"INSERT INTO {database}.closing_usage SELECT * FROM {database}.closing_usage LIMIT 1", doing="tampering"
    )
    with pytest.raises(CloseRefusedError, match="is not what it was when it was frozen"):
        await desk.close("2026-01")
    assert await desk.statements() == []

"""Adjustments that say what they were rated with: versions, rule and currency, and what a void finds later."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.simulation.books import START
from tests.support.desk import Desk, adjustment, process, rerating, usage, void
from tests.support.stories import AMOUNTS, outcomes, sums, way
from topics.events import AnyEvent

PRICING = ("pricing", "price_version", "rule_version", "rule_id", "currency")
BEFORE_THE_BOOKS = START - timedelta(days=5)


def pricing(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row[name] for name in PRICING)


def by_place(desk: Desk) -> dict[tuple[str, str], tuple[Decimal, int, int]]:
    """(rule, currency) -> charge, events, events that wait, over all windows; without what comes to nothing."""
    found: dict[tuple[str, str], tuple[Decimal, int, int]] = {}
    for row in desk.sink.totals.to_dicts():
        charge, events, waiting = found.get((row["rule_id"], row["currency"]), (Decimal(0), 0, 0))
        more = charge + row["customer_charge"], events + row["net_events"], waiting + row["unpriced_events"]
        found[row["rule_id"], row["currency"]] = more
    return {place: figures for place, figures in found.items() if any(figures)}


@way
async def test_usage_without_a_price_is_rated_by_a_re_rating_under_the_rule_and_currency_it_names(way: str) -> None:
    desk = Desk()
    events = usage(tenant="north", builder="gamma"), rerating("e1", builder="gamma")  # gamma has no rule yet
    assert await outcomes(desk, way, *events) == ["accepted", "accepted"]
    waiting, rated = desk.rows()
    assert (waiting["unpriced_reason"], waiting["rule_id"]) == ("no_rule", "")
    assert pricing(rated) == ("rated_later", "p3", "r3", "later", "USD")
    assert (rated["kind"], rated["unpriced_reason"], rated["usage"]) == ("adjustment", "", [])
    assert rated["window_start"] == waiting["window_start"]
    assert by_place(desk) == {("", "USD"): (Decimal(0), 1, 1), ("later", "USD"): (Decimal(1), 0, -1)}
    assert desk.total("unpriced_events") == 0


@way
async def test_a_void_of_usage_rated_later_takes_the_money_back_where_it_stands(way: str) -> None:
    desk = Desk()
    events = (
        usage(builder="gamma"),
        rerating("e1", "r1", builder="gamma"),
        rerating("e1", "r2", charge="0.25", builder="gamma", price_version="p4", rule_id="another"),
        adjustment("e1", "a1", earnings="-0.5", builder="gamma"),
        void("e1", builder="gamma"),
    )
    assert await outcomes(desk, way, *events) == ["accepted"] * 5
    _, first, second, by_hand, taken_back = desk.rows()
    assert pricing(first) == ("rated_later", "p3", "r3", "later", "USD")
    assert pricing(second) == ("rerated", "p4", "r3", "later", "USD")  # where its money stands already
    assert pricing(by_hand) == ("rated", "p4", "r3", "later", "USD")
    assert pricing(taken_back) == ("rated", "p4", "r3", "later", "USD")
    assert (taken_back["unpriced_reason"], taken_back["customer_charge"]) == ("", Decimal("-0.75"))
    assert sums(desk) == dict.fromkeys(AMOUNTS, Decimal(0))
    assert by_place(desk) == {("", "USD"): (Decimal(0), 1, 1), ("later", "USD"): (Decimal(0), -1, -1)}
    assert desk.total("unpriced_events") == desk.total("net_events") == 0


@way
async def test_usage_from_before_the_first_price_book_gets_a_currency_from_its_re_rating(way: str) -> None:
    desk = Desk()
    now = BEFORE_THE_BOOKS + timedelta(hours=1)
    events: list[AnyEvent] = [
        usage(time=BEFORE_THE_BOOKS),
        rerating("e1", time=now, currency="EUR"),
        rerating("e1", "r2", time=now, currency="USD"),
        void("e1", time=now),
    ]
    found = [await desk.take(event, at=now) for event in events] if way != "one block" else None
    if found is None:
        found = [[each] for each in await desk.take(*events, at=now)]
    assert found == [["accepted"], ["accepted"], ["currency_mismatch"], ["accepted"]]
    waiting, rated, taken_back = desk.rows()
    assert (waiting["unpriced_reason"], waiting["currency"]) == ("no_book", "")
    assert pricing(rated) == ("rated_later", "p3", "r3", "later", "EUR")
    assert pricing(taken_back) == ("rated", "p3", "r3", "later", "EUR")
    assert by_place(desk) == {("", ""): (Decimal(0), 1, 1), ("later", "EUR"): (Decimal(0), -1, -1)}


@way
async def test_rated_usage_is_re_rated_in_its_own_line_and_names_the_new_versions(way: str) -> None:
    desk = Desk()
    assert await outcomes(desk, way, usage(), rerating("e1", charge="-0.001"), void("e1")) == ["accepted"] * 3
    original, corrected, taken_back = desk.rows()
    assert pricing(original) == ("rated", "p1", "r1", "up", "USD")
    assert pricing(corrected) == ("rerated", "p3", "r3", "up", "USD")
    assert pricing(taken_back) == ("rated", "p3", "r3", "up", "USD")
    assert by_place(desk) == {}


@way
async def test_a_pricing_in_another_currency_than_was_billed_is_refused_and_told_what_to_do(way: str) -> None:
    desk = Desk()
    events = usage(), rerating("e1", currency="EUR"), rerating("e1", currency="USD")
    assert await outcomes(desk, way, *events) == ["accepted", "currency_mismatch", "accepted"]
    [letter] = desk.letters.published
    assert letter.detail == (
        "'gateway-1' 'e1' was billed in USD, this pricing is in EUR: take the event back, and publish the usage under "
        "a new id"
    )


@way
async def test_money_that_was_added_by_hand_decides_where_the_rest_goes(way: str) -> None:
    desk = Desk()
    events = (
        usage(model="unheard-of"),
        adjustment("e1", "a1", earnings="2"),
        rerating("e1", "r1", currency="EUR"),
        rerating("e1", "r2"),
        void("e1"),
    )
    assert await outcomes(desk, way, *events) == ["accepted", "accepted", "currency_mismatch", "accepted", "accepted"]
    waiting, by_hand, rated, taken_back = desk.rows()
    assert pricing(waiting) == ("unpriced", "p1", "r1", "up", "USD")
    assert pricing(by_hand) == ("rated", "p1", "r1", "up", "USD")
    assert pricing(rated) == ("rated_later", "p3", "r3", "up", "USD")
    assert taken_back["customer_charge"] == -3
    assert by_place(desk) == {}


@way
async def test_a_re_rating_of_what_was_taken_back_or_never_there_is_refused(way: str) -> None:
    desk = Desk()
    events = rerating("e1"), usage(), void("e1"), rerating("e1", "r2"), rerating("r2", "r3")
    assert await outcomes(desk, way, *events) == [
        "target_unknown", "accepted", "accepted", "target_already_voided", "target_unknown",
    ]  # fmt: skip


@way
async def test_a_re_rating_that_changes_no_amount_still_ends_the_quarantine(way: str) -> None:
    desk = Desk()
    assert await outcomes(desk, way, usage(model="unheard-of"), rerating("e1", charge="0")) == ["accepted"] * 2
    assert desk.rows()[1]["pricing"] == "rated_later"
    assert desk.total("unpriced_events") == 0
    assert desk.total("net_events") == 1


@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("crashed", [True, False], ids=["another worker", "the same worker"])
async def test_re_ratings_read_again_from_anywhere_store_the_same_rows(first: int, crashed: bool) -> None:
    desk = Desk()
    await desk.take(
        usage(builder="gamma"),
        rerating("e1", "r1", builder="gamma"),
        rerating("e1", "r2", builder="gamma", price_version="p4"),
        rerating("e1", "r3", builder="gamma", currency="EUR"),
        adjustment("e1", "a1", earnings="1", builder="gamma"),
        void("e1", builder="gamma"),
    )
    before = desk.rows(), desk.sink.totals.to_dicts(), desk.sink.dead_letters.to_dicts()
    meter = await desk.restart() if crashed else desk.meter
    assert meter is not None
    await process(meter, desk.log[first:])
    assert (desk.rows(), desk.sink.totals.to_dicts(), desk.sink.dead_letters.to_dicts()) == before

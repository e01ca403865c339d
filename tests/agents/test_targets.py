"""Voids and adjustments: what they take back or correct, and when they are refused.

`together` puts the events of a story into one block, or each into its own; `restarted` has another worker for each.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from agents import targets
from tests.support.desk import HORIZON, NOW, Desk, adjustment, process, usage, void
from tests.support.stories import AMOUNTS, outcomes, sums, way
from topics.events import AnyEvent


@way
async def test_a_void_mirrors_its_target_amount_by_amount_in_the_targets_own_window(way: str) -> None:
    desk = Desk()
    target, correction = usage(feature="chat"), void("e1", source="office")
    assert await outcomes(desk, way, target, correction) == ["accepted", "accepted"]
    original, taken_back = desk.rows()
    assert [taken_back[name] for name in AMOUNTS] == [-original[name] for name in AMOUNTS]
    assert original["customer_charge"] == Decimal("0.005625")
    assert {entry["key"]: entry["value"] for entry in taken_back["usage"]} == {
        "input_tokens": -1000,
        "output_tokens": -200,
    }
    for name in (
        "window_start",
        "feature",
        "provider",
        "model",
        "mode",
        "rule_id",
        "currency",
        "pricing",
        "price_version",
    ):
        assert taken_back[name] == original[name], name
    assert (taken_back["source"], taken_back["id"], taken_back["note"]) == ("office", "v1", "refund")
    assert taken_back["event_time"] == correction.time
    assert (taken_back["target_high"], taken_back["target_low"]) == (
        original["identity_high"],
        original["identity_low"],
    )
    [total] = desk.sink.totals.to_dicts()
    assert [total[name] for name in ("customer_charge", "net_events", "ledger_rows")] == [Decimal(0), 0, 2]
    assert total["usage"] == []


@way
@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (void("e1", "v1"), "duplicate"),
        (void("e1", "v1", reason="another"), "conflicting_duplicate"),
        (void("e1", "v2"), "target_already_voided"),
        (adjustment("e1", "a1", earnings="1"), "target_already_voided"),
        (void("v1", "v2"), "target_not_usage"),
        (adjustment("v1", "a1", earnings="1"), "target_not_usage"),
        (usage("e1"), "duplicate"),
        (usage("e1", feature="chat"), "conflicting_duplicate"),
        (usage("v1"), "conflicting_duplicate"),
    ],
    ids=[
        "its copy", "its contradiction", "a second void", "an adjustment", "a void of the void",
        "an adjustment of the void", "a copy of what was voided", "a contradiction of it", "usage under the void's id",
    ],
)  # fmt: skip
async def test_after_a_void_the_event_is_gone_for_good(way: str, second: AnyEvent, outcome: str) -> None:
    desk = Desk()
    assert await outcomes(desk, way, usage(), void("e1"), second) == ["accepted", "accepted", outcome]
    assert desk.total() == 0


async def test_a_second_void_is_told_where_the_first_one_stands() -> None:
    desk = Desk()
    await desk.take(usage(), void("e1", "v1"), void("e1", "v2"))
    assert "at offset 1" in desk.letters.published[0].detail


@way
async def test_what_was_not_accepted_before_cannot_be_taken_back_until_it_was(way: str) -> None:
    """A refused void claims nothing: the same one, published again, is right."""
    desk = Desk()
    events = void("e1"), usage(), void("e1"), void("v1", "v2")
    assert await outcomes(desk, way, *events) == ["target_unknown", "accepted", "accepted", "target_not_usage"]
    assert desk.total() == 0


@way
async def test_a_void_of_itself_is_a_void_of_nothing(way: str) -> None:
    assert await outcomes(Desk(), way, void("v1", "v1")) == ["target_unknown"]


@way
@pytest.mark.parametrize("correction", [void("e1", tenant="south"), adjustment("e1", tenant="south", earnings="1")])
async def test_nobody_corrects_what_another_tenant_was_billed(way: str, correction: AnyEvent) -> None:
    desk = Desk()
    assert await outcomes(desk, way, usage(), correction) == ["accepted", "target_of_other_tenant"]
    assert desk.total() == Decimal("0.005625")


@way
async def test_an_adjustment_adds_its_amounts_to_the_targets_own_total(way: str) -> None:
    desk = Desk()
    first = adjustment("e1", "a1", reward="0.001", fee="-0.0005", earnings="0.000000000001", time=NOW)
    assert await outcomes(desk, way, usage(), first, adjustment("e1", "a2", earnings="-0.01")) == ["accepted"] * 3
    original, adjusted, again = desk.rows()
    assert [adjusted[name] for name in AMOUNTS] == [
        Decimal(text) for text in ("0.0005", "0.000500000001", "0.001", "-0.0005", "0.000000000001")
    ]
    assert (adjusted["kind"], adjusted["usage"], adjusted["window_start"]) == (
        "adjustment",
        [],
        original["window_start"],
    )
    assert again["customer_charge"] == Decimal("-0.01")
    [total] = desk.sink.totals.to_dicts()
    assert total["customer_charge"] == Decimal("0.005625") + Decimal("0.000500000001") - Decimal("0.01")
    assert (total["net_events"], total["ledger_rows"]) == (1, 3)


@way
async def test_a_void_after_adjustments_takes_back_the_adjusted_sum(way: str) -> None:
    desk = Desk()
    events = usage(), adjustment("e1", "a1", reward="1"), adjustment("e1", "a2", fee="2", earnings="-5"), void("e1")
    assert await outcomes(desk, way, *events) == ["accepted"] * 4
    assert sums(desk) == dict.fromkeys(AMOUNTS, Decimal(0))
    assert desk.rows()[-1]["customer_charge"] == Decimal("-0.005625") - 1 - 2 + 5
    assert desk.total() == 0


@way
async def test_a_void_of_unpriced_usage_takes_it_out_of_quarantine_and_no_money_moves(way: str) -> None:
    desk = Desk()
    assert await outcomes(desk, way, usage(model="unheard-of"), void("e1")) == ["accepted", "accepted"]
    assert [desk.rows()[1][name] for name in AMOUNTS] == [None] * 5
    [total] = desk.sink.totals.to_dicts()
    assert (total["unpriced_events"], total["net_events"], total["customer_charge"]) == (0, 0, Decimal(0))


@way
async def test_unpriced_usage_that_was_adjusted_is_voided_by_what_was_adjusted(way: str) -> None:
    desk = Desk()
    events = usage(model="unheard-of"), adjustment("e1", reward="0.7", fee="0.3", earnings="1"), void("e1")
    assert await outcomes(desk, way, *events) == ["accepted"] * 3
    _, adjusted, taken_back = desk.rows()
    assert (adjusted["pricing"], taken_back["pricing"]) == ("rated", "unpriced")
    assert [taken_back[name] for name in AMOUNTS] == [-adjusted[name] for name in AMOUNTS]
    assert desk.total() == desk.total("unpriced_events") == 0


@way
async def test_of_two_uses_of_an_identity_the_later_one_is_corrected(way: str) -> None:
    """The first is out of reach of the horizon, so that its identity was free again."""
    desk = Desk()
    await desk.take(usage(time=NOW - HORIZON))
    later = NOW + timedelta(hours=1)
    await desk.take(usage(time=NOW, usage={"output_tokens": 7}), at=later)
    if way == "a worker each":
        await desk.restart()
    assert await desk.take(void("e1"), at=later) == ["accepted"]
    assert [row["usage"][0]["value"] for row in desk.rows()] == [Decimal(1000), Decimal(7), Decimal(-7)]
    assert desk.total() == Decimal("0.005625")


@way
async def test_a_second_void_may_take_back_the_reused_identity_and_not_the_first_one_again(way: str) -> None:
    desk = Desk()
    later = NOW + timedelta(hours=1)
    assert await desk.take(usage(time=NOW - HORIZON), void("e1", "v1")) == ["accepted", "accepted"]
    if way == "a worker each":
        await desk.restart()
    again: list[AnyEvent] = [usage(time=NOW), void("e1", "v2"), void("e1", "v3")]
    found = [] if way != "one block" else await desk.take(*again, at=later)
    if way != "one block":
        for event in again:
            found += await desk.take(event, at=later)
    assert found == ["accepted", "accepted", "target_already_voided"]
    assert desk.total() == 0


@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("crashed", [True, False], ids=["another worker", "the same worker"])
async def test_read_again_from_anywhere_a_correction_finds_itself_and_is_not_refused_by_itself(
    first: int, crashed: bool
) -> None:
    desk = Desk()
    await desk.take(usage(), adjustment("e1", earnings="1"), void("e1"), void("e1", "v2"))
    before = desk.rows(), desk.sink.totals.to_dicts(), desk.sink.dead_letters.to_dicts()
    meter = await desk.restart() if crashed else desk.meter
    assert meter is not None
    report = await process(meter, desk.log[first:])
    assert (report.accepted, sum(report.dead_lettered.values())) == (max(0, 3 - first), 1)
    assert (desk.rows(), desk.sink.totals.to_dicts(), desk.sink.dead_letters.to_dicts()) == before


async def test_sums_wider_than_28_digits_stay_exact() -> None:
    """Python's own context would round the last places away."""
    desk, count = Desk(), 11
    large, odd = "999999999999999", "999999999999999.000000000001"
    up = [adjustment("e1", f"up{number}", earnings=odd) for number in range(count)]
    down = [adjustment("e1", f"down{number}", earnings=f"-{large}") for number in range(count)]
    assert set(await desk.take(usage(), *up, *down, void("e1"))) == {"accepted"}
    assert desk.rows()[-1]["customer_charge"] == Decimal("-0.005625000011")
    assert desk.total() == 0


@way
async def test_an_amount_that_no_event_can_cost_is_not_taken_back_or_added(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(targets, "EVENT_AMOUNT_MAX", Decimal(1))
    desk = Desk()
    events = (
        usage(),
        adjustment("e1", "a1", earnings="1.000000000001"),
        adjustment("e1", "a2", earnings="-1"),
        void("e1"),
    )
    assert await outcomes(desk, way, *events) == ["accepted", "quantity_too_large", "accepted", "accepted"]
    assert desk.total() == 0

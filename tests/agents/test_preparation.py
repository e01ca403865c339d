"""Time and size, judged from an event and its record alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from agents import preparation
from agents.preparation import FOR_EVER
from sinks.contract import BackfillGrant
from tests.support.desk import EPOCH, GRANT, HORIZON, NOW, OLD, SKEW, prepared, usage, void
from topics.reasons import Reason

MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def reasons(time: datetime, at: datetime = NOW, *grants: BackfillGrant) -> list[Reason]:
    block = prepared(usage(time=time), at=at, grants=grants)
    return [reason for reason, _ in block.refused.values()]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (NOW, []),
        (NOW + SKEW, []),
        (NOW + SKEW + MICROSECOND, [Reason.FUTURE_TIME]),
        (NOW - HORIZON, []),
        (NOW - HORIZON - MICROSECOND, [Reason.TOO_LATE]),
    ],
)
def test_an_event_may_be_as_early_as_the_skew_and_as_late_as_the_horizon_to_the_microsecond(
    time: datetime, expected: list[Reason]
) -> None:
    assert reasons(time) == expected


def test_time_is_judged_by_the_record_that_holds_the_event_and_not_by_a_clock() -> None:
    time = NOW - timedelta(days=300)
    assert reasons(time, at=time) == []
    assert reasons(time, at=time + HORIZON + timedelta(milliseconds=1)) == [Reason.TOO_LATE]


def test_a_refusal_says_by_how_much_and_what_to_do() -> None:
    early = prepared(usage(time=NOW + timedelta(seconds=900))).refused[0][1]
    assert "900 s after" in early
    assert "at most 300 s" in early
    late = prepared(usage(time=NOW - timedelta(days=2))).refused[0][1]
    assert f"{2 * 86_400} s before" in late
    assert "ask for a backfill" in late


def test_corrections_are_as_late_as_usage() -> None:
    assert prepared(void("e1", time=NOW - HORIZON - MICROSECOND)).refused.keys() == {0}


def test_only_the_late_row_of_a_block_is_refused() -> None:
    assert prepared(usage("e1"), usage("e2", time=OLD), [usage("e3"), usage("e4", time=OLD)]).refused.keys() == {1, 3}


@pytest.mark.parametrize(
    ("grant", "time", "at", "granted"),
    [
        (GRANT, OLD, NOW, True),
        (GRANT, OLD + timedelta(days=1) - MICROSECOND, NOW, True),
        (GRANT, OLD + timedelta(days=1), NOW, False),
        (GRANT, OLD - MICROSECOND, NOW, False),
        (GRANT, OLD, NOW - timedelta(milliseconds=1), False),
        (GRANT, OLD, NOW + timedelta(days=1) - timedelta(milliseconds=1), True),
        (GRANT, OLD, NOW + timedelta(days=1), False),
        (replace(GRANT, source="gateway-2"), OLD, NOW, False),
    ],
    ids=["first", "last", "after", "before", "not yet valid", "still valid", "no longer valid", "another source"],
)
def test_a_grant_lifts_the_horizon_for_what_it_names_and_nothing_else(
    grant: BackfillGrant, time: datetime, at: datetime, granted: bool
) -> None:
    assert reasons(time, at, grant) == ([] if granted else [Reason.TOO_LATE])


def test_a_grant_does_not_allow_the_future() -> None:
    wide = replace(GRANT, event_time_to=NOW + timedelta(days=9))
    assert reasons(NOW + timedelta(days=1), NOW, wide) == [Reason.FUTURE_TIME]


def test_originals_count_back_to_the_horizon_and_for_a_backfilled_event_for_ever() -> None:
    block = prepared(usage("e1"), usage("e2", time=NOW - HORIZON), usage("e3", time=OLD), grants=[GRANT])
    horizon = microseconds(NOW - HORIZON)
    assert block.remembered_from.tolist() == [horizon, horizon, FOR_EVER]


def test_there_is_one_rated_row_for_every_event_in_the_order_of_the_log() -> None:
    block = prepared(
        usage("e1"), b"no event", usage("e2", model="unheard-of"), [usage("e3"), usage("e4", feature="free")]
    )
    assert block.block.events["id"].to_list() == ["e1", "e2", "e3", "e4"]
    charges = block.rated["customer_charge"].to_list()
    assert charges == [Decimal("0.005625"), None, Decimal("0.005625"), Decimal(0)]
    assert set(block.seconds) == {"decode", "rate"}


def test_an_amount_that_no_event_can_cost_is_refused_and_the_last_plausible_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    charge = Decimal("0.005625")
    monkeypatch.setattr(preparation, "EVENT_AMOUNT_MAX", charge)
    assert prepared(usage()).refused == {}
    assert prepared(usage("e1"), usage("e2", usage={"input_tokens": 9000})).refused.keys() == {1}
    monkeypatch.setattr(preparation, "EVENT_AMOUNT_MAX", charge - Decimal("0.000000000001"))
    block = prepared(usage("e1"), usage("e2", feature="free", usage={"input_tokens": 1}), usage("e1"), void("e1"))
    assert {row: reason for row, (reason, _) in block.refused.items()} == {
        0: Reason.QUANTITY_TOO_LARGE,
        2: Reason.QUANTITY_TOO_LARGE,  # the copy as well: nobody depends on which came first
    }
    assert "0.005625" in block.refused[0][1]

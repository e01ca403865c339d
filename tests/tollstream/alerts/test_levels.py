"""Which alerts a balance asks for, given what was told before: by tables, and by a property over any history."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import MONTHS, Period, period_of
from billing.statements import Standing
from tollstream.alerts.levels import TenantNow, alerts_of, level_of
from tollstream.alerts.record import AlertRecord
from topics.alerts import THRESHOLDS, AlertEvent, decode_alert, encode_alert

NOW = datetime(2026, 10, 17, 12, tzinfo=UTC)
OCTOBER = period_of(MONTHS, NOW)
NOVEMBER = MONTHS.next(OCTOBER)


def standing(used: str, limit: str = "100", kind: str = "cap", key: str = "cap") -> Standing:
    return Standing(kind, key, "Spend cap", "USD", Decimal(used), Decimal(limit))  # type: ignore[arg-type]


def now(*standings: Standing, period: Period = OCTOBER, past_cap: str = "stop") -> TenantNow:
    return TenantNow("acme", "globex", period, standings, past_cap)


def tell(record: AlertRecord, each: TenantNow) -> list[AlertEvent]:
    """What is published, and then on record, as a consumer would read it."""
    events = alerts_of(each, record.of("acme", "globex"), NOW)
    for event in events:
        message = encode_alert(event)
        record.take(record.next_offset, decode_alert(message.value))
    return events


def said(events: list[AlertEvent]) -> list[tuple[str, int, int]]:
    return [(event.change.value, event.threshold, event.occurrence) for event in events]


@pytest.mark.parametrize(
    ("used", "limit", "level"),
    [
        ("0", "100", 0),
        ("49.999999999999", "100", 0),
        ("50", "100", 50),
        ("79.999999", "100", 50),
        ("80", "100", 80),
        ("99.999999999999", "100", 80),
        ("100", "100", 100),
        ("250", "100", 100),
        ("0.000000000001", "0.000000000002", 50),
        ("33333333333333333333333333.5", "66666666666666666666666667", 50),  # 28 digits are not enough here
        ("33333333333333333333333333.4", "66666666666666666666666667", 0),
        ("0", "0", 0),
        ("0.01", "0", 100),  # of nothing, anything is all of it
        ("-3", "100", 0),
    ],
)
def test_a_level_is_reached_exactly_at_its_part_of_the_limit(used: str, limit: str, level: int) -> None:
    assert level_of(standing(used, limit)) == level


def test_each_threshold_is_told_once_and_a_leap_tells_those_between() -> None:
    record = AlertRecord()
    assert said(tell(record, now(standing("49")))) == []
    assert said(tell(record, now(standing("85")))) == [("reached", 50, 1), ("reached", 80, 1)]
    assert said(tell(record, now(standing("99")))) == []
    assert said(tell(record, now(standing("100")))) == [("reached", 100, 1)]
    assert said(tell(record, now(standing("180")))) == []


def test_what_falls_back_is_told_and_what_rises_again_is_another_occurrence() -> None:
    record = AlertRecord()
    tell(record, now(standing("100")))
    assert said(tell(record, now(standing("60")))) == [("fallen", 50, 1)]
    assert said(tell(record, now(standing("81")))) == [("reached", 80, 2)]
    assert said(tell(record, now(standing("10")))) == [("fallen", 0, 1)]
    assert said(tell(record, now(standing("100")))) == [("reached", 50, 2), ("reached", 80, 3), ("reached", 100, 2)]


def test_a_limit_that_is_raised_lets_go_of_what_was_reached() -> None:
    record = AlertRecord()
    tell(record, now(standing("100", "100")))
    [fallen] = tell(record, now(standing("100", "400")))
    assert (fallen.change.value, fallen.threshold, fallen.limit) == ("fallen", 0, Decimal(400))


def test_an_allowance_that_the_plan_no_longer_has_is_told_as_gone() -> None:
    record = AlertRecord()
    tell(record, now(standing("90", kind="allowance", key="pro/tasks"), standing("10")))
    [gone] = tell(record, now(standing("10")))
    assert (gone.item, gone.change.value, gone.threshold, gone.limit) == ("pro/tasks", "fallen", 0, None)
    assert tell(record, now(standing("10"))) == []


def test_a_credit_that_is_over_is_not_told_and_not_told_again_in_another_period() -> None:
    record = AlertRecord()
    gift = standing("95", kind="credit", key="gift")
    assert said(tell(record, now(gift))) == [("reached", 50, 1), ("reached", 80, 1)]
    assert tell(record, now()) == [], "it has expired, nobody has got it back"
    assert tell(record, now(gift, period=NOVEMBER)) == []
    assert said(tell(record, now(standing("100", kind="credit", key="gift"), period=NOVEMBER))) == [("reached", 100, 1)]


def test_allowances_and_caps_begin_anew_with_each_period() -> None:
    record = AlertRecord()
    first = tell(record, now(standing("60")))
    second = tell(record, now(standing("60"), period=NOVEMBER))
    assert said(first) == said(second) == [("reached", 50, 1)]
    assert first[0].id != second[0].id
    assert (second[0].period, second[0].period_start, second[0].period_end) == ("2026-11", NOVEMBER.start, NOVEMBER.end)


def test_only_a_cap_says_what_comes_past_it() -> None:
    events = tell(AlertRecord(), now(standing("50"), standing("50", kind="credit", key="gift")))
    assert [event.past_cap for event in events] == ["stop", None]


def test_an_alert_has_the_same_id_whoever_computes_it_and_when() -> None:
    event = alerts_of(now(standing("50", "100")), {}, NOW)[0]
    later = alerts_of(now(standing("55.5", "100")), {}, NOW + timedelta(days=3))[0]
    assert event.id == later.id
    plainly = json.dumps(["acme", "globex", "2026-10", "cap", "cap", "reached", 50, 1])
    assert event.id == hashlib.sha256(plainly.encode()).hexdigest()[:32]


def test_ids_of_different_crossings_differ_where_names_could_run_into_each_other() -> None:
    ids = Counter(
        event.id
        for builder, tenant in (("a", "b/c"), ("a/b", "c"), ("a", "b"), ("ab", "c"))
        for kind, key in (("credit", "x"), ("cap", "x"), ("credit", '"x'), ("allowance", "x"))
        for event in alerts_of(
            TenantNow(
                builder.replace("/", "|"), tenant.replace("/", "|"), OCTOBER, (standing("100", kind=kind, key=key),)
            ),
            {},
            NOW,
        )
    )
    assert len(ids) == 4 * 4 * 3


@pytest.mark.parametrize("key", ["gift\n1", "x" * 2000, "\ud800", "ü" * 600])
def test_a_name_that_no_alert_can_carry_is_told_under_another_and_once(key: str) -> None:
    record = AlertRecord()
    odd = standing("60", kind="credit", key=key)
    assert len(tell(record, now(odd))) == 1
    assert tell(record, now(odd)) == []
    other = standing("60", kind="credit", key=key + "2")
    assert len(tell(record, now(odd, other))) == 1


def test_a_label_that_no_alert_can_carry_is_cut() -> None:
    label = "a\x07b" + "ü" * 300
    odd = Standing("cap", "cap", label, "USD", Decimal(60), Decimal(100))
    [event] = tell(AlertRecord(), now(odd))
    assert event.label.startswith("a b")
    assert len(event.label.encode()) <= 256


def test_what_is_read_twice_counts_once_and_what_is_over_is_forgotten() -> None:
    record = AlertRecord()
    events = tell(record, now(standing("100"), standing("50", kind="credit", key="gift")))
    for offset, event in enumerate(events):
        record.take(offset, event)
    assert alerts_of(now(standing("100")), record.of("acme", "globex"), NOW) == []
    assert record.of("acme", "globex")[("2026-10", "cap", "cap")].counts == {  # type: ignore[index]
        ("reached", each): 1 for each in THRESHOLDS
    }
    record.forget(OCTOBER.end - timedelta(seconds=1))
    assert len(record) == 2
    record.forget(OCTOBER.end)
    assert [item.kind for item in record.of("acme", "globex")] == ["credit"]
    assert record.tenants("acme") == ["globex"]


@given(st.lists(st.integers(0, 130), max_size=12))
def test_after_any_history_the_record_says_what_is_reached_and_every_id_is_there_once(history: list[int]) -> None:
    record = AlertRecord()
    events = [event for used in history for event in tell(record, now(standing(str(used))))]
    level = level_of(standing(str(history[-1]))) if history else 0
    assert (events[-1].threshold if events else 0) == level
    assert len({event.id for event in events}) == len(events)
    at = 0
    for event in events:
        if event.change == "reached":
            assert event.threshold == min(each for each in THRESHOLDS if each > at)
        else:
            assert event.threshold < at
        at = event.threshold
    again = AlertRecord()  # whoever starts anew reads the same out of the topic
    for offset, event in enumerate(events):
        again.take(offset, event)
    assert again.of("acme", "globex") == record.of("acme", "globex")


@given(st.lists(st.integers(0, 130), min_size=1, max_size=8))
def test_what_only_rises_is_told_once_however_often_it_is_looked_at(looks: list[int]) -> None:
    record = AlertRecord()
    events = [event for used in sorted(looks) for event in tell(record, now(standing(str(used))))]
    assert said(events) == [("reached", each, 1) for each in THRESHOLDS if each <= max(looks)]

"""Billing periods: local calendars as half-open intervals of UTC, and what does not fit the windows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import MONTHS, Cycle, Period, PeriodError, parse_period, period_of, refuse_misaligned

MADRID = Cycle("month", "Europe/Madrid")
WEEKS = Cycle("week", "America/New_York")
SKIPPED = Cycle("anniversary", "America/Sao_Paulo", date(2018, 11, 4))
ON_THE_31ST = Cycle("anniversary", "UTC", date(2026, 1, 31))


def _bounds(period: Period) -> str:
    return f"{period.label} {period.start:%m-%dT%H:%M} {period.end:%m-%dT%H:%M} {period.days}"


@pytest.mark.parametrize(
    ("cycle", "label", "bounds"),
    [
        (MONTHS, "2026-02", "2026-02 02-01T00:00 03-01T00:00 28"),
        (MONTHS, "2028-02", "2028-02 02-01T00:00 03-01T00:00 29"),
        (MONTHS, "2026-12", "2026-12 12-01T00:00 01-01T00:00 31"),
        (MADRID, "2026-10", "2026-10 09-30T22:00 10-31T23:00 31"),  # summer time ends in it: 745 hours, 31 days
        (MADRID, "2026-03", "2026-03 02-28T23:00 03-31T22:00 31"),
        (WEEKS, "2026-W45", "2026-W45 11-02T05:00 11-09T05:00 7"),
        (WEEKS, "2026-W53", "2026-W53 12-28T05:00 01-04T05:00 7"),  # the week of new year belongs to the old one
        (ON_THE_31ST, "2026-01-31", "2026-01-31 01-31T00:00 02-28T00:00 28"),
        (ON_THE_31ST, "2026-02-28", "2026-02-28 02-28T00:00 03-31T00:00 31"),
        (ON_THE_31ST, "2026-03-31", "2026-03-31 03-31T00:00 04-30T00:00 30"),
        (Cycle("month", "America/Sao_Paulo"), "2018-11", "2018-11 11-01T03:00 12-01T02:00 30"),
        (SKIPPED, "2018-11-04", "2018-11-04 11-04T03:00 12-04T02:00 30"),
    ],
)  # fmt: skip
def test_a_label_is_a_half_open_interval_of_local_days(cycle: Cycle, label: str, bounds: str) -> None:
    """The last one begins on a day whose midnight the clocks skip: at the moment at which they do."""
    assert _bounds(parse_period(cycle, label)) == bounds


cycles = st.one_of(
    st.sampled_from([MONTHS, MADRID, WEEKS, Cycle("week", "Pacific/Chatham"), Cycle("month", "Asia/Kolkata")]),
    st.dates(date(2020, 1, 1), date(2026, 12, 31)).map(lambda day: Cycle("anniversary", "Australia/Lord_Howe", day)),
)


@given(cycles, st.integers(1_420_000_000, 1_900_000_000))
def test_every_moment_is_in_the_period_that_its_label_names_and_periods_meet(cycle: Cycle, seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    period = period_of(cycle, moment)
    assert moment in period
    assert parse_period(cycle, period.label) == period
    assert cycle.next(period).start == period.end
    assert cycle.previous(cycle.next(period)) == period
    assert cycle.next(cycle.previous(period)) == period
    assert moment - period.start < timedelta(days=32)
    assert period.last_day == period.end_day - timedelta(days=1)


@pytest.mark.parametrize(
    ("cycle", "text", "sentence"),
    [
        (MONTHS, "2026-13", "period '2026-13': a month is written like 2026-10"),
        (MONTHS, "October", "period 'October': a month is written like 2026-10"),
        (MONTHS, "2026-10-01", "period '2026-10-01': a month is written like 2026-10"),
        (WEEKS, "2026-W54", "period '2026-W54': a week is written like 2026-W41"),
        (ON_THE_31ST, "2026-02-29", "period '2026-02-29': an anniversary is written like 2026-10-17, its first day"),
        (
            ON_THE_31ST,
            "2026-02-15",
            "no anniversary period begins on 2026-02-15: the one around it begins on 2026-01-31",
        ),
    ],
)
def test_a_label_that_is_none_is_answered_with_one_that_is(cycle: Cycle, text: str, sentence: str) -> None:
    with pytest.raises(PeriodError) as raised:
        parse_period(cycle, text)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("year", "UTC", None), "cycle 'year': it is one of month, week, anniversary"),
        (("anniversary", "UTC", None), "a cycle of kind anniversary needs an anchor, its first day"),
        (("month", "UTC", date(2026, 1, 1)), "a cycle of kind month takes no anchor"),
        (("month", "Europe/Atlantis", None), "'Europe/Atlantis' is no time zone, such as Europe/Madrid or UTC"),
        (("month", "../etc", None), "'../etc' is no time zone, such as Europe/Madrid or UTC"),
    ],
)
def test_a_cycle_that_cannot_be_says_why(arguments: tuple[str, str, date | None], sentence: str) -> None:
    with pytest.raises(PeriodError) as raised:
        Cycle(*arguments)  # type: ignore[arg-type]
    assert str(raised.value) == sentence


def test_a_zone_of_half_hours_is_refused_with_windows_of_an_hour() -> None:
    kolkata = parse_period(Cycle("month", "Asia/Kolkata"), "2026-10")
    refuse_misaligned(kolkata, 1800)
    with pytest.raises(PeriodError) as raised:
        refuse_misaligned(kolkata, 3600)
    assert str(raised.value) == (
        "period 2026-10 is 2026-09-30T18:30:00+00:00 to 2026-10-31T18:30:00+00:00, which cuts windows of 3600 seconds: "
        "close it in another time zone, or count in windows of 1800, 900, 300, 60 seconds"
    )


def test_a_zone_whose_midnight_is_within_a_minute_is_refused_with_any_windows() -> None:
    amsterdam = parse_period(Cycle("month", "Europe/Amsterdam"), "1900-10")  # 19 minutes and 32 seconds, or the like
    if amsterdam.start.second == 0:
        pytest.skip("this zone database has no local mean times")
    with pytest.raises(PeriodError, match="within a minute"):
        refuse_misaligned(amsterdam, 60)


def test_a_moment_without_offset_is_refused() -> None:
    with pytest.raises(PeriodError, match="has no offset: write 2026-10-01T00:00:00Z"):
        period_of(MONTHS, datetime(2026, 10, 1))  # noqa: DTZ001

"""The range by default and as given; amounts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import click
import pytest

from tollstream.errors import UserError
from tollstream.simulation.figures import counted, money, percent_text, places_of, signed
from tollstream.simulation.period import DayOrMoment, day, period

NOW = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        (NOW, datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        # In UTC the month has not begun yet.
        (
            datetime.fromisoformat("2026-03-01T00:30:00+01:00"),
            datetime(2026, 1, 1, tzinfo=UTC),
            datetime(2026, 2, 1, tzinfo=UTC),
        ),
    ],
)
def test_the_default_is_the_calendar_month_before_this_one(now: datetime, first: datetime, last: datetime) -> None:
    assert period(None, None, now) == (first, last)


def test_one_end_may_be_given() -> None:
    middle = datetime(2026, 2, 15, tzinfo=UTC)
    assert period(middle, None, NOW) == (middle, datetime(2026, 3, 1, tzinfo=UTC))
    assert period(None, middle, NOW) == (datetime(2026, 2, 1, tzinfo=UTC), middle)


@pytest.mark.parametrize("end", [datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)])
def test_an_empty_range_is_refused(end: datetime) -> None:
    with pytest.raises(UserError, match=r"is not before --to"):
        period(datetime(2026, 2, 1, tzinfo=UTC), end, NOW)


def test_a_day_is_midnight_in_utc_and_a_moment_needs_an_offset() -> None:
    kind = DayOrMoment()
    assert kind.convert("2026-02-28", None, None) == datetime(2026, 2, 28, tzinfo=UTC)
    assert kind.convert("2026-02-28T01:00:00+02:00", None, None) == datetime(2026, 2, 27, 23, tzinfo=UTC)
    for wrong in ("2026-02-30", "yesterday", "2026-02-28T01:00:00"):
        with pytest.raises(click.BadParameter, match=wrong):
            kind.convert(wrong, None, None)


def test_a_midnight_is_written_as_its_day() -> None:
    assert day(datetime(2026, 2, 1, tzinfo=UTC)) == "2026-02-01"
    assert day(datetime(2026, 2, 1, 12, tzinfo=UTC)) == "2026-02-01T12:00:00+00:00"


@pytest.mark.parametrize(
    ("amount", "places", "plain", "with_sign"),
    [
        ("1234567.005", 2, "1,234,567.00", "+1,234,567.00"),
        ("1234567.015", 2, "1,234,567.02", "+1,234,567.02"),
        ("-0.005", 2, "0.00", "0.00"),  # rounds to nothing, and nothing has no sign
        ("-0.006", 2, "−0.01", "−0.01"),
        ("0", 2, "0.00", "0.00"),
        ("12345.5", 0, "12,346", "+12,346"),
        ("0.000001", 6, "0.000001", "+0.000001"),
        ("99999999999999999999999999.999999999999", 2, "100,000,000,000,000,000,000,000,000.00", None),
    ],
)
def test_amounts_are_rounded_half_even_and_grouped(amount: str, places: int, plain: str, with_sign: str | None) -> None:
    assert money(Decimal(amount), places) == plain
    assert with_sign is None or signed(Decimal(amount), places) == with_sign


@pytest.mark.parametrize(
    ("change", "before", "said"),
    [
        ("1", "3", "+33.3 %"),
        ("-3", "3", "−100.0 %"),
        ("0.0001", "3", "0.0 %"),
        ("0", "0", "0.0 %"),
        ("2", "0", "new"),
        ("2", "-1", "–"),  # a share of a loss says nothing
    ],
)
def test_a_percentage_is_said_where_it_says_something(change: str, before: str, said: str) -> None:
    assert percent_text(Decimal(change), Decimal(before)) == said


def test_small_sums_show_more_places_and_currencies_their_own() -> None:
    large = [Decimal(12345), Decimal("-0.5")]
    assert [places_of(code, large) for code in ("USD", "JPY", "KWD")] == [2, 0, 3]
    assert places_of("JPY", [Decimal("9.99"), Decimal(-9)]) == places_of("USD", []) == 6


def test_one_is_singular() -> None:
    assert [counted(number, "event") for number in (0, 1, 2000)] == ["0 events", "1 event", "2,000 events"]

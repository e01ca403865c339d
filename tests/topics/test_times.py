"""RFC 3339 to microseconds: one at a time and as columns, the same."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from topics.reasons import Reason
from topics.times import IRREGULAR, TIME_MAX, TIME_MIN, format_time, microseconds, moment, parse_time, parse_times

DAY = 86_400_000_000
TABLE = [
    ("1970-01-01T00:00:00Z", 0),
    ("1970-01-01t00:00:00z", 0),
    ("1970-01-01T00:00:00-00:00", 0),
    ("1970-01-01T01:00:00+01:00", 0),
    ("1969-12-31T23:30:00-00:30", 0),
    ("1970-01-02T00:00:00.000001Z", DAY + 1),
    ("1970-01-01T00:00:00.5Z", 500_000),
    ("1970-01-01T00:00:00.1234567Z", 123_456),  # cut off, not rounded
    ("1970-01-01T00:00:00.9999999999999Z", 999_999),
    ("1969-12-31T23:59:59.9999999Z", -1),  # toward the past
    ("2024-02-29T00:00:00Z", 19_782 * DAY),
    ("0001-01-01T00:00:00Z", TIME_MIN),
    ("9999-12-31T23:59:59.999999Z", TIME_MAX),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_a_time_is_read_to_the_microsecond(text: str, expected: int) -> None:
    assert parse_time(text) == expected
    assert parse_times([text, text])[1] in (expected, IRREGULAR)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-02-30T00:00:00Z", Reason.INVALID_TIME),
        ("1900-02-29T00:00:00Z", Reason.INVALID_TIME),
        ("2026-13-01T00:00:00Z", Reason.INVALID_TIME),
        ("2026-01-00T00:00:00Z", Reason.INVALID_TIME),
        ("2016-12-31T23:59:60Z", Reason.INVALID_TIME),
        ("2026-01-01T24:00:00Z", Reason.INVALID_TIME),
        ("2026-01-01 00:00:00Z", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00.Z", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00,5Z", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00+24:00", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00+00:60", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00+0000", Reason.INVALID_TIME),
        ("2026-01-01T00:00Z", Reason.INVALID_TIME),
        ("0000-01-01T00:00:00Z", Reason.INVALID_TIME),
        ("9999-12-31T23:59:59-00:01", Reason.INVALID_TIME),
        ("٢٠٢٦-01-01T00:00:00Z", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00Z\n", Reason.INVALID_TIME),
        ("2026-01-01T00:00:00", Reason.NAIVE_TIME),
        ("2026-01-01T00:00:00.123456", Reason.NAIVE_TIME),
    ],
)
def test_what_is_no_time_has_a_reason_and_is_irregular_as_a_column(text: str, reason: Reason) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        parse_time(text)
    assert refused.value.type == reason
    assert parse_times([text]).tolist() == [IRREGULAR]


@given(st.lists(st.datetimes() | st.text("0123456789-:TZ.+z", max_size=30), max_size=5))
def test_columns_agree_with_one_at_a_time(drawn: list[datetime | str]) -> None:
    texts = [each if isinstance(each, str) else format_time(each.replace(tzinfo=UTC)) for each in drawn]
    for text, given_time, found in zip(texts, drawn, parse_times(texts).tolist(), strict=True):
        if isinstance(given_time, datetime):
            assert found == parse_time(text) == microseconds(given_time.replace(tzinfo=UTC))
            assert moment(found) == given_time.replace(tzinfo=UTC)
        elif found != IRREGULAR:
            assert parse_time(text) == found


def test_a_time_is_written_in_utc() -> None:
    assert format_time(datetime.fromisoformat("2026-01-01T01:30:00.5+01:30")) == "2026-01-01T00:00:00.500000Z"

"""The limit on dead letters, in figures."""

from __future__ import annotations

import logging

import pytest

from agents.storm import WINDOW_EVENTS, DeadLetterStormError, StormGuard


def test_a_window_above_the_limit_stops_the_worker_and_says_how_many() -> None:
    guard = StormGuard(50)
    guard.count(0, 60_000)
    with pytest.raises(DeadLetterStormError, match=r"50100 of the last 100000 events .* more than 50 %"):
        guard.count(50_100 - 0, 40_000)


def test_exactly_the_limit_is_within_it() -> None:
    StormGuard(50).count(50_000, 100_000)


def test_a_few_events_are_no_storm_however_bad() -> None:
    StormGuard(1).count(WINDOW_EVENTS - 1, WINDOW_EVENTS - 1)


def test_old_blocks_leave_the_window() -> None:
    guard = StormGuard(50)
    guard.count(40_000, 50_000)
    guard.count(0, 100_000)
    guard.count(0, 100_000)
    guard.count(50_000, 100_000)
    with pytest.raises(DeadLetterStormError):
        guard.count(60_000, 100_000)


def test_a_hundred_percent_never_stops_but_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = StormGuard(100)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            guard.count(100_000, 100_000)
    assert len(caplog.records) == 1

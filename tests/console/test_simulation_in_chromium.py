"""The page of `rules simulate --html` on a phone: every figure is seen without scrolling sideways."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser

from sinks.usage import UsageRange
from tests.support.trial import EVERYTHING, rater, simulation
from tollstream.simulation.books import TrialBooks
from tollstream.simulation.page import page
from tollstream.simulation.report import Report

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.mark.parametrize("width", [1280, 390])
def test_who_pays_more_is_read_without_scrolling_sideways(width: int, browser: Browser) -> None:
    using = rater()
    books = TrialBooks(using.books, using.rules, None, using.rules.versions[0])
    month = UsageRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    context = browser.new_context(viewport={"width": width, "height": 900})
    shown = context.new_page()
    shown.set_content(page(Report(month, books, simulation(EVERYTHING, using)), datetime(2026, 2, 3, tzinfo=UTC)))
    charted = shown.locator(".scroll:has(td.chart)")
    assert charted.count() > 0
    assert charted.evaluate_all("all => all.map(each => each.scrollWidth - each.clientWidth)") == [0] * charted.count()
    context.close()

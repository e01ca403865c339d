"""Exchange rates by day: the latest of the week before, never inverted, never crossed, missing as a value."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from billing.fx import FxRates, MissingRate, Rate, RateError

FRIDAY = date(2026, 11, 27)
RATES = FxRates([Rate(FRIDAY, "USD", "EUR", Decimal("0.92")), Rate(date(2026, 11, 20), "USD", "EUR", Decimal("0.91"))])


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(2026, 11, 30), Decimal("0.92")),  # a Monday that nobody has traded on yet
        (date(2026, 12, 4), Decimal("0.92")),  # a week later, and the last day
        (date(2026, 12, 5), MissingRate("USD", "EUR", date(2026, 12, 5))),
        (date(2026, 11, 26), Decimal("0.91")),
        (date(2026, 11, 19), MissingRate("USD", "EUR", date(2026, 11, 19))),
    ],
)
def test_the_rate_of_a_day_is_the_latest_of_the_week_before_it(day: date, rate: Decimal | MissingRate) -> None:
    assert RATES.rate("USD", "EUR", day) == rate


def test_a_rate_is_neither_inverted_nor_asked_for_within_a_currency() -> None:
    missing = RATES.rate("EUR", "USD", FRIDAY)
    assert isinstance(missing, MissingRate)
    assert missing.text == "no exchange rate from EUR to USD on 2026-11-27 or in the 7 days before"
    assert RATES.rate("EUR", "EUR", FRIDAY) == 1


@pytest.mark.parametrize("rate", ["0", "-0.5", "NaN", "Infinity"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(RateError, match="USD to EUR on 2026-11-27: a rate is above 0"):
        FxRates([Rate(FRIDAY, "USD", "EUR", Decimal(rate))])


def test_two_rates_for_a_day_are_refused_unless_they_are_the_same() -> None:
    FxRates([Rate(FRIDAY, "USD", "EUR", Decimal("0.92")), Rate(FRIDAY, "USD", "EUR", Decimal("0.920"))])
    with pytest.raises(RateError, match=r"on 2026-11-27 is both 0\.92 and 0\.93"):
        FxRates([Rate(FRIDAY, "USD", "EUR", Decimal("0.92")), Rate(FRIDAY, "USD", "EUR", Decimal("0.93"))])

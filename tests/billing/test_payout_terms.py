"""Payout terms: what a file may say, and which version holds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.disputes import ChargebackPolicy
from billing.documents import BookError
from billing.loading import parse_version
from billing.payout_terms import PayoutTerms, PayoutTermsVersions
from billing.payouts import PayoutPolicy

HEAD = 'version = "1"\neffective_from = 2026-10-01T00:00:00Z\nbuilder = "acme"\n'


def _terms(more: str, head: str = HEAD) -> PayoutTerms:
    return parse_version(head + more, ".toml", "acme.toml", PayoutTerms)


def test_a_file_says_threshold_hold_days_and_share() -> None:
    terms = _terms('hold_days = 14\nchargeback_share = "0.5"\n[threshold]\nUSD = "50"\nJPY = "5000"\n')
    assert terms.policy == PayoutPolicy({"USD": Decimal(50), "JPY": Decimal(5000)}, 14)
    assert terms.chargeback_policy == ChargebackPolicy(Decimal("0.5"))


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ("hold_days = -1", "hold_days"),
        ("hold_days = 367", "hold_days"),
        ('chargeback_share = "1.5"', "outside 0 to 1"),
        ("chargeback_share = 0.5", "a float is not exact"),
        ('threshold = { USD = "0.005" }', "0.005 USD is no whole number of the currency's smallest unit"),
        ('threshold = { JPY = "10.5" }', "10.5 JPY is no whole number"),
        ('threshold = { USX = "1" }', "'USX' is no currency code"),
        ('threshold = { USD = "-1" }', "outside 0 to"),
        ("days = 3", "days"),
    ],
)
def test_what_cannot_be_meant_is_named(more: str, sentence: str) -> None:
    with pytest.raises(BookError, match=r"acme\.toml: ") as caught:
        _terms(more)
    assert sentence in str(caught.value)


def test_the_latest_that_has_begun_holds_and_before_the_first_there_is_no_threshold() -> None:
    first = _terms("hold_days = 7")
    second = _terms("hold_days = 30", HEAD.replace('"1"', '"2"').replace("2026-10", "2026-12"))
    versions = PayoutTermsVersions([second, first])
    found = [versions.policy_at(datetime(2026, month, 1, tzinfo=UTC)) for month in (9, 10, 11, 12)]
    assert [(version, policy.hold_days) for version, policy in found] == [("", 0), ("1", 7), ("1", 7), ("2", 30)]
    assert versions.chargeback_policy_at(datetime(2026, 9, 1, tzinfo=UTC)) == ("", ChargebackPolicy())

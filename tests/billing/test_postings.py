"""Postings: a set that does not add up to 0 is no set."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.postings import ACCOUNTS, Journal, Posting, PostingsError, balanced, residuals, total

D = Decimal
OWED = Posting("tenant_receivable", "globex", "USD", "usage", D("1.5"))
OWING = Posting("builder_payable", "acme", "USD", "usage", D("-1.5"))
NOTHING = Posting("tax_payable", "platform", "USD", "tax", D(0))


def test_a_set_is_sorted_and_holds_no_zeros() -> None:
    assert balanced([OWED, NOTHING, OWING]) == (OWING, OWED)


def test_a_set_that_does_not_balance_is_refused_whole_with_its_residual() -> None:
    with pytest.raises(PostingsError) as raised:
        balanced([OWED, OWING._replace(amount=D("-1.499999999999"))])
    assert str(raised.value) == "postings in USD add up to 0.000000000001, not 0: nothing of them is stored"


def test_each_currency_balances_by_itself() -> None:
    with pytest.raises(PostingsError, match=r"postings in EUR add up to -1\.5"):
        balanced([OWED, OWING._replace(currency="EUR")])
    assert residuals([OWED, OWING._replace(currency="EUR")]) == {"USD": D("1.5"), "EUR": D("-1.5")}


def test_a_journal_adds_up_what_is_posted_twice() -> None:
    journal = Journal()
    for amount in ("1", "0.5"):
        journal.add("tenant_receivable", "globex", "USD", "usage", D(amount))
        journal.add("builder_payable", "acme", "USD", "usage", -D(amount))
    assert journal.closed() == (OWING, OWED)


def test_a_total_is_of_an_account_a_currency_and_a_party_or_all() -> None:
    other = OWED._replace(party="initech", amount=D(2))
    assert total([OWED, other], "tenant_receivable", "USD") == D("3.5")
    assert total([OWED, other], "tenant_receivable", "USD", "initech") == 2
    assert total([OWED, other], "tenant_receivable", "EUR") == 0


def test_sums_of_more_digits_than_a_default_context_has_stay_exact() -> None:
    most = D("12345678901234567890123456.123456789012")
    set_ = [OWED._replace(amount=most), OWED._replace(party="x", amount=most), OWING._replace(amount=-2 * most)]
    with pytest.raises(PostingsError):  # the product was rounded to the 28 digits that Python begins with
        balanced(set_)
    journal = Journal()
    for posting in (*set_[:2], *[OWING._replace(amount=most.copy_negate())] * 2):
        journal.add(*posting)
    assert len(journal.closed()) == 3


def test_accounts_are_known_by_one_name_each() -> None:
    assert len(set(ACCOUNTS)) == len(ACCOUNTS) == 19

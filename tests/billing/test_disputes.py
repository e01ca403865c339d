"""Credit notes, refunds, write-offs and chargebacks: balanced, referenced, and carried by who agreed to."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.disputes import (
    ChargebackPolicy,
    Disputed,
    DisputeError,
    chargeback,
    credit_note,
    payment,
    refund,
    write_off,
)
from billing.postings import Posting

D = Decimal
ABOUT = Disputed("acme", "globex", "USD", "USD", "CN-7")
IN_EUROS = Disputed("acme", "globex", "EUR", "USD", "CN-8", at_rate=D("1.087"))


def _told(postings: tuple[Posting, ...]) -> list[str]:
    return [f"{each.account} {each.party} {each.currency} {each.amount.normalize():f}" for each in postings]


def test_a_credit_note_takes_net_from_who_carries_it_and_tax_from_the_authorities() -> None:
    note = credit_note(ABOUT, D("10"), D("2.10"), "builder")
    assert _told(note) == [
        "builder_refund acme USD 10",
        "tax_payable platform USD 2.1",
        "tenant_receivable globex USD -12.1",
    ]
    assert {each.refers_to for each in note} == {"CN-7"}
    assert _told(credit_note(ABOUT, D("10"), D(0), "platform"))[0] == "platform_refund platform USD 10"


def test_who_carries_a_note_in_another_currency_carries_it_where_earnings_are() -> None:
    assert _told(credit_note(IN_EUROS, D("10"), D("2.10"), "builder")) == [
        "builder_refund acme USD 10.87",
        "fx_difference platform EUR 10",
        "fx_difference platform USD -10.87",
        "tax_payable platform EUR 2.1",
        "tenant_receivable globex EUR -12.1",
    ]


def test_money_moves_between_cash_and_the_receivable() -> None:
    assert _told(payment(ABOUT, D(5))) == ["cash platform USD 5", "tenant_receivable globex USD -5"]
    assert _told(refund(ABOUT, D(5))) == ["cash platform USD -5", "tenant_receivable globex USD 5"]


def test_a_write_off_is_the_platforms_loss_and_its_tax_is_not_owed() -> None:
    assert _told(write_off(ABOUT, D(10), D("2.1"))) == [
        "tax_payable platform USD 2.1",
        "tenant_receivable globex USD -12.1",
        "write_off platform USD 10",
    ]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("1", ["builder_chargeback acme USD 65", "cash platform USD -65"]),
        ("0", ["cash platform USD -65", "platform_chargeback platform USD 65"]),
        ("0.6", ["builder_chargeback acme USD 39", "cash platform USD -65", "platform_chargeback platform USD 26"]),
    ],
)
def test_a_chargeback_with_its_fee_is_shared_by_the_stated_policy(part: str, told: list[str]) -> None:
    assert _told(chargeback(ABOUT, D(50), D(15), ChargebackPolicy(D(part)))) == told


def test_the_parts_of_a_chargeback_add_up_where_they_have_to_be_rounded() -> None:
    found = chargeback(IN_EUROS, D("0.01"), D(0), ChargebackPolicy(D("0.333333333333")))
    assert _told(found)[:2] == ["builder_chargeback acme USD 0.003623333333", "cash platform EUR -0.01"]


@pytest.mark.parametrize(
    ("amount", "tax", "sentence"),
    [
        ("0", "0", "CN-7: an amount is above 0, not 0 and 0"),
        ("-1", "0", "CN-7: an amount is above 0, not -1 and 0"),
        ("1", "-0.01", "CN-7: an amount is above 0, not 1 and -0.01"),
        ("1.005", "2", "CN-7: 1.005 is no whole number of 0.01 USD"),
        ("1", "0.005", "CN-7: 0.005 is no whole number of 0.01 USD"),
    ],
)
def test_an_amount_that_cannot_be_paid_is_refused(amount: str, tax: str, sentence: str) -> None:
    with pytest.raises(DisputeError) as raised:
        credit_note(ABOUT, D(amount), D(tax), "builder")
    assert str(raised.value) == sentence


def test_a_note_may_be_about_tax_alone() -> None:
    assert _told(credit_note(ABOUT, D(0), D("2.1"), "builder")) == [
        "tax_payable platform USD 2.1",
        "tenant_receivable globex USD -2.1",
    ]


@pytest.mark.parametrize("part", ["-0.1", "1.1"])
def test_a_part_of_a_chargeback_is_a_part(part: str) -> None:
    with pytest.raises(DisputeError, match="a Builder carries a part of a chargeback, 0 to 1, not"):
        ChargebackPolicy(D(part))

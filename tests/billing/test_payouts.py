"""Payouts and rewards: what is paid, what is carried, when it is due, and that nothing is paid twice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.payouts import Payout, PayoutError, PayoutPolicy, paid, payouts
from billing.postings import PAYOUT_CARRIED, PAYOUT_DUE, Posting, residuals, total
from billing.rewards import rewards
from tests.support.statement_strategies import NOVEMBER, OCTOBER

D = Decimal
ACCOUNTS = {
    "earned": "builder_payable", "funded": "builder_funding", "refund": "builder_refund",
    "chargeback": "builder_chargeback", "fee": "platform_fee",
}  # fmt: skip


def postings(*rows: str, party: str = "acme", currency: str = "USD") -> list[Posting]:
    """The row earned usage 10 is 10 in the Builder's favour, anything else 10 against it."""
    found = []
    for account, refers_to, amount in (row.split() for row in rows):
        sign = -1 if account == "earned" else 1
        found.append(Posting(ACCOUNTS[account], party, currency, refers_to, sign * D(amount)))
    return found


def _one(found: tuple[Payout, ...]) -> Payout:
    [payout] = found
    return payout


def _lines(payout: Payout) -> list[str]:
    return [f"{line.kind} {line.refers_to} {line.exact.normalize():f} {line.amount:f}" for line in payout.lines]


def test_gross_less_funded_less_refunds_less_chargebacks_is_paid_after_the_hold_days() -> None:
    rows = postings("earned usage 100.005", "earned subscription 20", "funded allowance 30")
    rows += postings("refund CN-1 5", "chargeback CB-1 15")
    payout = _one(payouts("acme", OCTOBER, rows, PayoutPolicy(hold_days=14)))
    assert _lines(payout) == [
        "gross subscription 20 20.00",
        "gross usage 100.005 100.01",
        "funded allowance -30 -30.00",
        "refund CN-1 -5 -5.00",
        "chargeback CB-1 -15 -15.00",
        "carried_out 2026-10 -0.005 -0.01",
    ]
    assert (payout.gross, payout.funded, payout.refunds, payout.chargebacks) == (D("120.005"), D(-30), D(-5), D(-15))
    assert (payout.net, payout.amount, payout.carried) == (D("70.005"), D("70.00"), D("0.005"))
    assert payout.due_at == datetime(2026, 11, 15, tzinfo=UTC)
    assert not any(residuals(payout.postings).values())


def test_below_the_threshold_everything_is_carried_and_at_it_everything_is_paid() -> None:
    policy = PayoutPolicy({"USD": D(50)})
    ever = postings("earned usage 49.99")
    october = _one(payouts("acme", OCTOBER, ever, policy))
    assert (october.amount, october.carried) == (D(0), D("49.99"))
    assert total(october.postings, PAYOUT_CARRIED, "USD") == D("-49.99")
    ever += [*october.postings, *postings("earned usage 0.01")]
    november = _one(payouts("acme", NOVEMBER, ever, policy))
    assert (november.carried_in, november.amount, november.carried) == (D("49.99"), D(50), D(0))
    carried = [posting for posting in october.postings if posting.account == PAYOUT_CARRIED]
    fresh = postings("earned usage 0.01")
    other = _one(payouts("acme", NOVEMBER, [*carried, *fresh], policy))
    assert (other.lines, other.amount) == (november.lines, november.amount)
    assert _lines(november) == ["gross usage 0.01 0.01", "carried_in carried 2026-10 49.99 49.99"]


def test_a_negative_balance_is_carried_and_nets_off_later_earnings() -> None:
    ever = postings("earned usage 10", "chargeback CB-1 25")
    october = _one(payouts("acme", OCTOBER, ever, PayoutPolicy()))
    assert (october.amount, october.net, october.carried) == (D(0), D(-15), D(-15))
    ever += [*october.postings, *postings("earned usage 40")]
    november = _one(payouts("acme", NOVEMBER, ever, PayoutPolicy()))
    assert november.amount == 25


def test_all_postings_there_ever_were_pay_each_once() -> None:
    ever = postings("earned usage 10", "funded allowance 4")
    october = _one(payouts("acme", OCTOBER, ever, PayoutPolicy()))
    ever += [*october.postings, *paid(october, "bank-1")]
    assert _one(payouts("acme", NOVEMBER, ever, PayoutPolicy())).amount == 0
    assert total(ever, PAYOUT_DUE, "USD") == 0


def test_currencies_are_paid_apart_and_others_money_is_left_alone() -> None:
    rows = [
        *postings("earned usage 10", "fee usage 3"),
        *postings("earned usage 700.4", currency="JPY"),
        *postings("earned usage 99", party="folio"),
    ]
    found = payouts("acme", OCTOBER, rows, PayoutPolicy({"JPY": D(1000)}))
    assert [(payout.currency, payout.amount) for payout in found] == [("JPY", D(0)), ("USD", D(10))]
    assert found[0].carried == D("700.4")


def test_a_fraction_is_rounded_down_and_never_paid_before_it_is_whole() -> None:
    payout = _one(payouts("acme", OCTOBER, postings("earned usage 0.019999999999"), PayoutPolicy()))
    assert (payout.amount, payout.carried) == (D("0.01"), D("0.009999999999"))


def test_a_payout_of_nothing_cannot_be_paid() -> None:
    payout = _one(payouts("acme", OCTOBER, postings("earned usage 0.001"), PayoutPolicy()))
    with pytest.raises(PayoutError, match="the payout of acme for 2026-10 in USD is 0: nothing to pay"):
        paid(payout, "bank-1")


@pytest.mark.parametrize("policy", [{"hold_days": -1}, {"threshold": {"USD": D(-1)}}])
def test_a_policy_below_zero_is_refused(policy: dict[str, object]) -> None:
    with pytest.raises(PayoutError, match="thresholds and hold days are not below 0"):
        PayoutPolicy(**policy)  # type: ignore[arg-type]


def _owed(*rows: str) -> list[tuple[str, Posting]]:
    found = []
    for builder, provider, refers_to, amount in (row.split() for row in rows):
        found.append((builder, Posting("provider_payable", provider, "USD", refers_to, -D(amount))))
    return found


def test_a_provider_is_rewarded_by_builder_and_reason_and_fractions_are_carried() -> None:
    owed = _owed("acme north usage 1.005", "folio north usage 2", "folio north usage 0.5", "acme lumen usage 9")
    [october] = rewards("north", "2026-10", owed)
    assert [(line.builder, line.refers_to, line.exact) for line in october.lines] == [
        ("acme", "usage", D("1.005")),
        ("folio", "usage", D("2.5")),
        ("", "carried to the next statement", D("-0.005")),
    ]
    assert (october.exact, october.amount, october.carried) == (D("3.505"), D("3.50"), D("0.005"))
    assert sum(line.amount for line in october.lines) == october.amount
    [november] = rewards("north", "2026-11", _owed("acme north usage 0.995"), {"USD": october.carried})
    assert (november.amount, november.carried) == (D(1), D(0))


def test_rewards_taken_back_are_carried_below_zero() -> None:
    [found] = rewards("north", "2026-10", _owed("acme north adjustment -2"))
    assert (found.amount, found.carried) == (D(0), D(-2))
    assert found.postings == ()

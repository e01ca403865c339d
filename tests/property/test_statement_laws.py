"""Laws of statements, whatever the plan, the usage and the credits.

What a green run says: postings balance, lines add up, nothing depends on the order of reading, a period closed in two
steps costs what it costs in one, and credits never go below zero. What it cannot say: that a step means what its
docstring says; the golden statements are for that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.allocation import allocate, round_minor
from billing.credits import Grant, balances
from billing.currencies import exponent
from billing.fx import FxRates, MissingRate, Rate
from billing.payouts import PayoutPolicy, payouts
from billing.periods import Period
from billing.plans import Segment, TaxRate
from billing.postings import PREPAID_LIABILITY, Posting, residuals
from billing.statements import NET_KINDS, Refusal, Statement, UsageLine, statement
from tests.support import statement_strategies as any_
from tests.support.closings import Closings
from tests.support.statement_strategies import NOVEMBER, OCTOBER, taken_back

Lines = list[UsageLine]
T = TypeVar("T")
Segments = tuple[Segment, ...]
VAT = TaxRate(id="vat", label="VAT", rate="0.21")  # type: ignore[arg-type]
RATES = FxRates(
    [Rate(date(2026, 10, 31), "USD", quote, Decimal("0.917")) for quote in ("EUR", "JPY", "KWD")]
    + [Rate(date(2026, 11, 30), "USD", quote, Decimal("1.0931")) for quote in ("EUR", "JPY", "KWD")]
)
currencies = st.sampled_from(["USD", "EUR", "JPY", "KWD"])
taxes = st.sampled_from([None, VAT])


def _closings(currency: str = "USD", tax: TaxRate | None = None, grants: list[Grant] | None = None) -> Closings:
    return Closings(statement_currency=currency, fx=RATES, tax=tax, grants=list(grants or []))


def _accounts(statements: list[Statement]) -> Counter[tuple[str, str, str]]:
    """What stands on each account of each party after all of these; what rounding leaves is no part of it."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for made in statements:
        for posting in made.postings:
            if posting.account not in ("rounding_difference", "tenant_receivable", "tax_payable"):
                sums[posting.account, posting.party, posting.currency] += posting.amount  # type: ignore[assignment]
    return Counter({key: amount for key, amount in sums.items() if amount})


@given(
    any_.segments(OCTOBER, rollover=True, prepaid=True), any_.segments(NOVEMBER, rollover=True, prepaid=True),
    any_.usage_lines(), any_.usage_lines(2), any_.usage_lines(3), any_.grants(), currencies, taxes,
)  # fmt: skip
def test_every_statement_balances_and_its_lines_add_up(
    october: Segments, november: Segments, used: Lines, late: Lines, more: Lines, grants: list[Grant], currency: str,
    tax: TaxRate | None,
) -> None:  # fmt: skip
    closings = _closings(currency, tax, grants)
    closings.usage(OCTOBER, used)
    closings.close(OCTOBER, october)
    closings.change(OCTOBER, "late", late)
    closings.change(OCTOBER, "void", [taken_back(line) for line in used[:1]])
    closings.usage(NOVEMBER, more)
    closings.close(NOVEMBER, november)
    for made in closings.statements:
        assert not any(residuals(made.postings).values())
        net = [line for line in made.lines if line.kind in NET_KINDS]
        places = exponent(currency)
        assert sum((line.amount for line in net), Decimal(0)) == made.totals.net
        assert made.totals.net == round_minor(sum((line.exact for line in net), Decimal(0)), places)
        assert all(abs(line.amount - line.exact) < Decimal(1).scaleb(-places) for line in net)
        assert len({line.key for line in made.lines}) == len(made.lines)
        assert made.totals.due == made.totals.net + made.totals.tax - made.totals.paid


@given(any_.segments(OCTOBER, rollover=True, prepaid=True), any_.usage_lines(), any_.usage_lines(3), any_.grants())
def test_credits_never_go_below_zero_and_earn_what_was_paid_for_them(
    segments: Segments, used: Lines, late: Lines, grants: list[Grant]
) -> None:
    closings = _closings(grants=grants)
    closings.usage(OCTOBER, used)
    closings.close(OCTOBER, segments)
    closings.change(OCTOBER, "late", late)
    closings.close(NOVEMBER)
    sold = {draw.grant_id for draw in closings.draws if draw.kind == "sold"}
    assert sold == {grant.id for grant in grants if grant.price_paid}
    owed = earned = Decimal(0)
    for held in balances(closings.grants, closings.draws):  # raises beyond zero or beyond what was granted
        owed += held.grant.price_paid if held.grant.id in sold else 0
        earned += held.grant.earned(held.used)
    liability = sum(
        (posting.amount for made in closings.statements for posting in made.postings
         if posting.account == PREPAID_LIABILITY), Decimal(0),
    )  # fmt: skip
    assert liability == earned - owed <= 0


@given(
    any_.segments(OCTOBER, rollover=True, prepaid=True), any_.usage_lines(), any_.usage_lines(3), any_.grants(),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_order_in_which_things_are_read_changes_nothing(
    segments: Segments, used: Lines, late: Lines, grants: list[Grant], chance: Random
) -> None:
    closings = _closings("EUR", VAT, grants)
    closings.usage(OCTOBER, used)
    closings.close(OCTOBER, segments)
    closings.change(OCTOBER, "late", late)
    closings.change(OCTOBER, "void", [taken_back(line) for line in used[::2]])
    closings.usage(NOVEMBER, used)
    given_ = closings.given(NOVEMBER, ())

    def shuffled(items: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(chance.sample(items, len(items)))

    earlier = tuple(
        replace(each, billed=shuffled(each.billed), changes=shuffled(each.changes), draws=shuffled(each.draws))
        for each in given_.earlier
    )
    mixed = replace(given_, usage=shuffled(given_.usage), grants=shuffled(given_.grants), earlier=shuffled(earlier))
    assert repr(statement(mixed)) == repr(statement(given_))


@given(
    any_.segments(OCTOBER), any_.segments(NOVEMBER), any_.usage_lines(), any_.usage_lines(4), any_.usage_lines(3),
    any_.grants(units=False, expiring=False), currencies,
)  # fmt: skip
def test_closing_in_two_steps_equals_closing_in_one(
    october: Segments, november: Segments, used: Lines, late: Lines, more: Lines, grants: list[Grant], currency: str
) -> None:
    """Late usage is billed as if it had been there in time: tiers, allowances, bounds, money drawn, party by party."""
    two, one = _closings(currency, grants=grants), _closings(currency, grants=grants)
    two.usage(OCTOBER, used)
    one.usage(OCTOBER, used + late)
    two.close(OCTOBER, october)
    one.close(OCTOBER, october)
    two.change(OCTOBER, "late", late)
    for closings in (two, one):
        closings.usage(NOVEMBER, more)
        closings.close(NOVEMBER, november)
    exact = [sum(line.charge for made in each.statements for line in made.lines) for each in (two, one)]
    assert exact[0] == exact[1]
    if currency == "USD":
        assert _accounts(two.statements) == _accounts(one.statements)


@given(any_.segments(OCTOBER), any_.usage_lines(), any_.grants(expiring=False), currencies)
def test_a_void_takes_back_exactly_and_gives_credits_back(
    segments: Segments, used: Lines, grants: list[Grant], currency: str
) -> None:
    closings, never = _closings(currency, grants=grants), _closings(currency, grants=grants)
    closings.usage(OCTOBER, used)
    for each in (closings, never):
        each.close(OCTOBER, segments)
    closings.change(OCTOBER, "void", [taken_back(line) for line in used])
    for each in (closings, never):
        each.close(NOVEMBER)
    totals = [sum((made.totals.exact for made in each.statements), Decimal(0)) for each in (closings, never)]
    places = sum(len(made.lines) for made in closings.statements)
    assert abs(totals[0] - totals[1]) <= (0 if currency == "USD" else places * Decimal("0.000000000001"))
    assert _accounts(closings.statements) == _accounts(never.statements) or currency != "USD"
    left = [{held.grant.id: held.left for held in balances(each.grants, each.draws)} for each in (closings, never)]
    assert left[0] == left[1]


@given(
    any_.segments(OCTOBER), any_.segments(NOVEMBER), any_.usage_lines(), any_.usage_lines(3), any_.usage_lines(),
    currencies,
)  # fmt: skip
def test_a_late_event_changes_the_next_statement_only_by_adjustments(
    october: Segments, november: Segments, used: Lines, late: Lines, more: Lines, currency: str
) -> None:
    with_it, without = _closings(currency), _closings(currency)
    for closings in (with_it, without):
        closings.usage(OCTOBER, used)
        closings.close(OCTOBER, october)
        closings.usage(NOVEMBER, more)
    with_it.change(OCTOBER, "late", late)
    for closings in (with_it, without):
        closings.close(NOVEMBER, november)
    assert with_it.statements[0] == without.statements[0]

    def own(made: Statement) -> list[tuple[str, Decimal]]:
        return [(line.key, line.exact) for line in made.lines if line.kind != "adjustment"]

    assert own(with_it.statements[1]) == own(without.statements[1])
    adjusted = [line for line in with_it.statements[1].lines if line.kind == "adjustment"]
    assert all(line.refers_to == "2026-10" and "2026-10" in line.reason for line in adjusted)


@given(any_.segments(OCTOBER, rollover=True, prepaid=True), any_.usage_lines(), any_.grants(), currencies)
def test_the_live_balance_at_the_end_is_the_statement(
    segments: Segments, used: Lines, grants: list[Grant], currency: str
) -> None:
    closings = _closings(currency, VAT, grants)
    closings.usage(OCTOBER, used)
    live = closings.live(OCTOBER, segments, as_of=OCTOBER.end)
    assert live.lines == closings.close(OCTOBER, segments).lines


@given(any_.usage_lines().filter(bool), st.sampled_from(["EUR", "JPY"]))
def test_a_missing_rate_refuses_and_names_pair_and_day(used: Lines, currency: str) -> None:
    closings = Closings(statement_currency=currency)
    closings.usage(OCTOBER, used)
    made = statement(closings.given(OCTOBER))
    assert made == Refusal("acme", "globex", "2026-10", (MissingRate("USD", currency, date(2026, 10, 31)),))
    assert f"from USD to {currency} on 2026-10-31" in made.text


minor_amounts = st.lists(st.integers(-(10**14), 10**14).map(lambda number: Decimal(number).scaleb(-12)), max_size=8)


@given(minor_amounts, st.sampled_from([0, 2, 3]))
def test_largest_remainder_adds_up_stays_close_and_mirrors(amounts: list[Decimal], places: int) -> None:
    shares = allocate(amounts, places)
    assert sum(shares, Decimal(0)) == round_minor(sum(amounts, Decimal(0)), places)
    assert all(abs(share - amount) < Decimal(1).scaleb(-places) for share, amount in zip(shares, amounts, strict=True))
    assert allocate([-amount for amount in amounts], places) == [-share for share in shares]


builder_postings = st.lists(
    st.builds(
        Posting,
        st.sampled_from(["builder_payable", "builder_funding", "builder_refund", "builder_chargeback", "platform_fee"]),
        st.sampled_from(["acme", "other"]),
        st.sampled_from(["USD", "JPY"]),
        st.sampled_from(["usage", "subscription", "note-1"]),
        st.integers(-(10**15), 10**15).map(lambda number: Decimal(number).scaleb(-12)),
    ),
    max_size=12,
)


@given(builder_postings, builder_postings, st.sampled_from([0, 100, 10**6]))
def test_payouts_pay_every_posting_once_and_lose_nothing(first: list[Posting], then: list[Posting], least: int) -> None:
    """Over two periods, paid + still carried is what the postings say, and the lines add up to what is paid."""
    policy = PayoutPolicy({"USD": Decimal(least)}, hold_days=14)
    october = payouts("acme", OCTOBER, first, policy)
    after = [*first, *(posting for each in october for posting in each.postings), *then]
    november = payouts("acme", NOVEMBER, after, policy)
    for currency in ("USD", "JPY"):
        wanted = -sum(
            (posting.amount for posting in [*first, *then]
             if posting.party == "acme" and posting.currency == currency and posting.account != "platform_fee"),
            Decimal(0),
        )  # fmt: skip
        made = [each for each in (*october, *november) if each.currency == currency]
        assert sum((each.amount for each in made), Decimal(0)) + (made[-1].carried if made else 0) == wanted
        for each in made:
            assert sum((line.amount for line in each.lines), Decimal(0)) == each.amount
            assert each.amount >= 0
            assert each.amount == 0 or each.net >= each.threshold


def test_a_moment_is_in_one_period_only() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    assert [moment in period for period in (OCTOBER, NOVEMBER)] == [False, True]
    assert isinstance(OCTOBER, Period)
    with pytest.raises(AttributeError):
        OCTOBER.label = "2026-11"  # type: ignore[misc]

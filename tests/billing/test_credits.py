"""Grants: the order in which they are drawn, what is left, and what of a price is earned."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations

import pytest

from billing.credits import CreditError, Draw, Grant, GrantBalance, Purse, balances

D = Decimal
FIRST = datetime(2026, 10, 1, tzinfo=UTC)
LATER = datetime(2026, 10, 9, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)
GRANT = Grant("g1", "globex", "top_up", "tasks", "USD", D(3), D("1"), FIRST)


def test_grants_are_drawn_by_priority_expiry_time_and_id() -> None:
    ordered = [
        replace(GRANT, id="z", priority=0),
        replace(GRANT, id="y", expires_at=LATER),
        replace(GRANT, id="x", expires_at=END),
        replace(GRANT, id="a"),
        replace(GRANT, id="b"),
        replace(GRANT, id="0", granted_at=LATER),
    ]
    for read in permutations(ordered):
        assert list(Purse(GrantBalance(grant) for grant in read).grants.values()) == ordered
        assert [held.grant for held in balances(read, ())] == ordered


def test_a_price_is_earned_as_the_grant_is_drawn_and_whole_at_the_end() -> None:
    purse = Purse([GrantBalance(GRANT)])
    earned = [purse.draw("g1", "drawn", "2026-10", "usage/r1", D(1), D("0.5")).earned for _ in range(3)]
    assert earned == [D("0.333333333333"), D("0.333333333334"), D("0.333333333333")]
    assert sum(earned) == 1
    given_back = purse.draw("g1", "drawn", "2026-10", "usage/r1", D(-1), D("-0.5"))
    assert given_back.earned == D("-0.333333333333")


def test_what_was_given_earns_nothing() -> None:
    purse = Purse([GrantBalance(replace(GRANT, price_paid=D(0)))])
    assert purse.draw("g1", "drawn", "2026-10", "usage/r1", D(3), D(3)).earned == 0


def test_more_than_is_left_is_an_error_and_no_debt() -> None:
    purse = Purse([GrantBalance(GRANT, used=D(2))])
    assert purse.left("g1") == 1
    with pytest.raises(CreditError, match=r"grant g1: 1\.5 cannot be drawn, 2 of 3 is used"):
        purse.draw("g1", "drawn", "2026-10", "usage/r1", D("1.5"), D(1))
    with pytest.raises(CreditError, match="grant g1: -3 cannot be drawn, 2 of 3 is used"):
        purse.draw("g1", "drawn", "2026-10", "usage/r1", D(-3), D(-1))
    assert purse.draws == ()


def test_a_balance_is_the_sum_of_the_draws_in_any_order() -> None:
    draws = [
        Draw("g1", "sold", "2026-10", "", D(0), D(1), D(0)),
        Draw("g1", "drawn", "2026-10", "usage/r1", D(2), D("0.4"), D("0.666666666667")),
        Draw("g1", "drawn", "2026-10", "usage/r1", D(-1), D("-0.2"), D("-0.333333333334")),
    ]
    for read in permutations(draws):
        assert balances([GRANT], read) == (GrantBalance(GRANT, used=D(1), sold=True),)


def test_a_draw_without_its_grant_or_beyond_it_is_named() -> None:
    draw = Draw("g2", "drawn", "2026-10", "usage/r1", D(1), D(1), D(0))
    with pytest.raises(CreditError, match="grant g2 was drawn and is not among the grants: read all of the tenant's"):
        balances([GRANT], [draw])
    with pytest.raises(CreditError, match="grant g1: 4 of 3 used"):
        balances([GRANT], [draw._replace(grant_id="g1", quantity=D(4))])
    with pytest.raises(CreditError, match="two grants of one tenant have the same id"):
        Purse([GrantBalance(GRANT), GrantBalance(GRANT)])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "bribe"}, "grant g1: kind is one of top_up, promotional, prepaid, rollover, goodwill, not bribe"),
        ({"quantity": D(0)}, "grant g1: a quantity is above 0, not 0"),
        ({"price_paid": D(-1)}, "grant g1: a price is not below 0, not -1"),
        ({"granted_at": datetime(2026, 10, 1)}, "grant g1: times need an offset, such as 2026-10-01T00:00:00Z"),  # noqa: DTZ001
        ({"expires_at": datetime(2026, 12, 1)}, "grant g1: times need an offset, such as 2026-10-01T00:00:00Z"),  # noqa: DTZ001
        ({"expires_at": FIRST}, "grant g1: it expires before it is granted"),
    ],
)
def test_a_grant_that_cannot_be_says_why(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(CreditError) as raised:
        replace(GRANT, **change)  # type: ignore[arg-type]
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    ("granted", "expires", "serves"),
    [
        (FIRST, None, True),
        (END, None, False),  # granted at the end of the period is for the next one
        (FIRST, LATER, False),  # expired at its start
        (FIRST, datetime(2026, 10, 9, 0, 0, 0, 1, tzinfo=UTC), True),
    ],
)
def test_a_grant_serves_periods_of_which_it_has_seen_a_part(
    granted: datetime, expires: datetime | None, serves: bool
) -> None:
    assert replace(GRANT, granted_at=granted, expires_at=expires).serves(LATER, END) is serves

"""What a statement still takes: a table of what was noted, and the most that each kind of note may be after it."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.settled import Noted, NoteKind, Settled, settled

D = Decimal
ROOMS: tuple[NoteKind, ...] = ("credit_note", "write_off", "payment", "refund", "chargeback")


def _settled(*notes: str, total: str = "121", tax: str = "21", collected: str = "0") -> Settled:
    found = [Noted(cast("NoteKind", kind), D(amount)) for kind, amount in (note.split() for note in notes)]
    return settled("EUR", D(total), D(tax), D(collected), found)


@pytest.mark.parametrize(
    ("notes", "left"),
    [  # open, then at most: credit note, write-off, payment, refund, chargeback
        ((), "121 121 121 121 0 0"),
        (("payment 100",), "21 121 21 21 0 100"),
        (("payment 121",), "0 121 0 0 0 121"),
        (("payment 121", "credit_note 21"), "-21 100 0 0 21 121"),
        (("payment 121", "credit_note 21", "refund 21"), "0 100 0 0 0 100"),
        (("credit_note 121",), "0 0 0 0 0 0"),
        (("payment 100", "write_off 21"), "0 100 0 0 0 100"),
        (("payment 121", "chargeback 121"), "0 0 0 0 0 0"),
        # The bank has taken it back: a credit note for the same money would give it back twice.
        (("payment 121", "chargeback 50"), "0 71 0 0 0 71"),
        (("payment 121", "credit_note 71", "chargeback 50"), "-71 0 0 0 21 71"),
    ],
)
def test_what_is_open_and_the_most_of_each_kind(notes: tuple[str, ...], left: str) -> None:
    stands = _settled(*notes)
    assert [stands.open, *(stands.most(kind) for kind in ROOMS)] == [D(amount) for amount in left.split()]


def test_what_was_collected_before_the_statement_is_paid() -> None:
    stands = _settled(total="121", collected="121")
    assert [stands.open, stands.most("chargeback"), stands.most("write_off")] == [0, 121, 0]


def test_a_statement_below_0_is_owed_to_the_tenant_and_can_be_refunded() -> None:
    stands = _settled(total="-12.10", tax="-2.10")
    assert [stands.most("refund"), stands.most("credit_note"), stands.most("payment")] == [D("12.10"), 0, 0]


def test_the_tax_of_parts_is_the_tax_of_the_whole_to_the_last_unit() -> None:
    # 21 of 121 on three parts of 40.33, 40.33 and 40.34: 6.9993, 13.9986, 21
    taxes: list[Decimal] = []
    notes: list[Noted] = []
    for amount in (D("40.33"), D("40.33"), D("40.34")):
        tax = settled("EUR", D(121), D(21), D(0), notes).tax_of(amount)
        notes.append(Noted("credit_note", amount, tax))
        taxes.append(tax)
    assert taxes == [D("7.00"), D("7.00"), D("7.00")]


@given(st.integers(1, 10_000), st.integers(0, 100), st.lists(st.integers(1, 4_000), max_size=8))
def test_credits_never_take_back_more_tax_than_was_billed_nor_less_in_the_end(
    net: int, percent: int, wanted: list[int]
) -> None:
    tax = D(net * percent // 100).scaleb(-2)
    total = D(net).scaleb(-2) + tax
    notes: list[Noted] = []
    for number, cents in enumerate([*wanted, 10**7]):
        stands = settled("EUR", total, tax, D(0), notes)
        amount = min(D(cents).scaleb(-2), stands.most("credit_note" if number % 2 else "write_off"))
        part = stands.tax_of(amount)
        assert 0 <= part <= amount
        notes.append(Noted("credit_note" if number % 2 else "write_off", amount, part))
    stands = settled("EUR", total, tax, D(0), notes)
    assert [stands.most("credit_note"), stands.tax_returned, stands.open] == [0, tax, 0]

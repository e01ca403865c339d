"""Rewards: a statement for each provider and currency, out of everybody's closed periods, each amount once."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from sinks.payouts import PayoutRecord
from tests.support.billed import bill, month, usage
from tests.support.settlement import ClosableStore, MemorySettlement, put_closed
from tests.support.settlement_engine import on_the_engine_too
from tollstream.payouts.deciding import decide
from tollstream.payouts.refusal import PayoutRefusedError
from tollstream.payouts.rewarding import reward

D = Decimal


def _lines(record: PayoutRecord) -> list[str]:
    lines = json.loads(record.document)["lines"]
    return [f"{line['builder']}|{line['refers_to']}|{D(line['exact']).normalize():f}" for line in lines]


async def _two_builders(store: ClosableStore, label: str = "2026-10") -> None:
    mine = [
        bill("t1", label, usage("10", "3.333", "1"), usage("5", "2", "1", "lumen")),
        bill("t2", label, usage("4", "1.1", "1")),
    ]
    await put_closed(store, "acme", month(label), mine)
    await put_closed(store, "bolt", month(label), [bill("t1", label, usage("9", "0.5"), builder="bolt")])


@on_the_engine_too
async def test_each_provider_has_one_statement_with_a_line_for_every_builder(store: ClosableStore) -> None:
    await _two_builders(store)
    made = await reward(store, "2026-10", by="ada")
    assert [(each.payout_id, each.party, each.amount) for each in made.records] == [
        ("R000001", "lumen", D("2.00")), ("R000002", "north", D("4.93")),
    ]  # fmt: skip
    assert _lines(made.records[1]) == [
        "acme|usage|4.433", "bolt|usage|0.5", "|carried to the next statement|-0.003",
    ]  # fmt: skip
    again = await reward(store, "2026-10", by="bob")
    assert (again.new, again.records) == (False, made.records)
    assert [balance.residual for balance in await store.read_balance()] == [0]


async def test_rewards_and_earnings_never_meet(store: ClosableStore) -> None:
    await _two_builders(store)
    before = (await decide(store, "acme", "2026-10", by="ada", dry_run=True)).records[0].document
    await reward(store, "2026-10", by="ada")
    payout = (await decide(store, "acme", "2026-10", by="ada")).records[0]
    assert payout.document == before
    assert payout.amount == D("9.56")  # (10 - 3.333 - 1) + (5 - 2 - 1) + (4 - 1.1 - 1), rounded down
    accounts = {account for account, *_ in json.loads(payout.document)["postings"]}
    assert accounts == {"builder_payable", "payout_due", "payout_carried"}


@on_the_engine_too
async def test_the_next_month_has_what_is_new_and_the_fraction_that_was_carried(store: ClosableStore) -> None:
    await _two_builders(store)
    await _two_builders(store, "2026-11")
    await reward(store, "2026-10", by="ada")
    november = (await reward(store, "2026-11", by="ada")).records[1]
    assert _lines(november) == [
        "|carried|0.003", "acme|usage|4.433", "bolt|usage|0.5", "|carried to the next statement|-0.006",
    ]  # fmt: skip
    with pytest.raises(PayoutRefusedError, match="Rewards of 2026-10 are decided already"):
        await reward(store, "2026-09", by="ada")


async def test_an_open_period_is_refused_and_who_is_left_out_comes_with_the_next(store: ClosableStore) -> None:
    await _two_builders(store)
    await put_closed(store, "slow", month("2026-09"), [bill("t1", "2026-09", usage("9", "8"), builder="slow")])
    with pytest.raises(PayoutRefusedError, match=r"Not closed yet: slow 2026-10\. A provider gets one statement"):
        await reward(store, "2026-10", by="ada")
    with pytest.raises(PayoutRefusedError, match="--leave-out slov: no Builder of that name"):
        await reward(store, "2026-10", by="ada", leave_out=["slov"])
    october = await reward(store, "2026-10", by="ada", leave_out=["slow"])
    assert not any("slow" in line for record in october.records for line in _lines(record))
    await put_closed(store, "slow", month("2026-10"), [bill("t1", "2026-10", usage("9", "1"), builder="slow")])
    await _two_builders(store, "2026-11")
    await put_closed(store, "slow", month("2026-11"), [])
    november = (await reward(store, "2026-11", by="ada")).records[1]
    assert "slow|usage|9" in _lines(november)  # 8 of September and 1 of October


async def test_a_fraction_alone_is_no_statement(store: ClosableStore) -> None:
    await put_closed(store, "acme", month("2026-10"), [bill("t1", "2026-10", usage("1", "0.004"))])
    [october] = (await reward(store, "2026-10", by="ada")).records
    await put_closed(store, "acme", month("2026-11"), [])
    assert (october.amount, october.carried) == (D("0.00"), D("0.004"))
    assert (await reward(store, "2026-11", by="ada")).records == ()
    await put_closed(store, "acme", month("2026-12"), [bill("t1", "2026-12", usage("1", "0.006"))])
    assert [each.amount for each in (await reward(store, "2026-12", by="ada")).records] == [D("0.01")]


async def test_nobody_closed_anything_is_said() -> None:
    with pytest.raises(PayoutRefusedError, match="Nobody has closed a period that ends in 2026-10"):
        await reward(MemorySettlement(), "2026-10", by="ada")

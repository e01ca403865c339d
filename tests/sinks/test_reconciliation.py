"""Reconciliation finds each way in which the money can fail to add up, and nothing when it adds up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sinks import tables
from sinks.contract import Sink
from sinks.reconciliation import Accounts, Finding, Level, PartitionAccount, Residual, SumLine, findings
from tests.support import rows
from tests.support.rows import WINDOW, ledger_row, void_row

CENT = Decimal("0.01")
LAST_DIGIT = Decimal("0.000000000001")
SOUND = PartitionAccount(1, 0, 10, 10, 7, 2, 1, 7, 1, 0, Residual((), Decimal(0)))


async def store(sink: Sink, ledger: list[rows.Row], **checkpoint: Any) -> None:
    """A flush of these ledger rows, one accepted event each, per partition."""
    await sink.write_ledger(rows.ledger(ledger))
    await sink.write_totals(rows.totals(rows.totals_of(ledger)))
    for epoch, partition in sorted({(row["topic_epoch"], row["source_partition"]) for row in ledger}):
        here = [row for row in ledger if (row["topic_epoch"], row["source_partition"]) == (epoch, partition)]
        next_offset = max(row["source_offset"] for row in here) + 1
        counts = {"events": len(here), "accepted": len(here)} | checkpoint
        row = rows.checkpoint_row(next_offset, topic_epoch=epoch, source_partition=partition, **counts)
        await sink.write_checkpoints(rows.checkpoints([row]))


def a_days_rows() -> list[rows.Row]:
    """Two partitions, two currencies, a void, an unpriced event, and quantities to the last digit."""
    first = ledger_row(0, usage={"input_tokens": Decimal("0.000001")})
    unpriced = ledger_row(3, pricing="unpriced", unpriced_reason="no_price", rule_id="", **rows.NULL_AMOUNTS)
    euros = {"currency": "EUR", "customer_charge": Decimal("0.51") + LAST_DIGIT, "builder_earnings": LAST_DIGIT}
    return [
        first,
        ledger_row(1),
        void_row(2, first),
        unpriced,
        ledger_row(0, id="p1", source_partition=1, **euros | {"provider_reward": Decimal("0.30")}),
    ]


async def checks(sink: Sink) -> list[str]:
    return [finding.check for finding in findings(await sink.read_accounts())]


async def test_nothing_is_found_where_everything_agrees(sink: Sink) -> None:
    await store(sink, a_days_rows())
    accounts = await sink.read_accounts()
    assert findings(accounts) == []
    assert [account.ledger_rows for account in accounts.partitions] == [4, 1]
    assert (await sink.reconcile(1, [0, 1])).is_zero
    charges = {
        line.currency: line.ledger
        for account in accounts.partitions
        for line in account.residual.lines
        if line.name == "customer_charge"
    }
    assert charges == {"USD": Decimal("1.00"), "EUR": Decimal("0.51") + LAST_DIGIT}


async def test_an_empty_store_agrees(sink: Sink) -> None:
    assert await sink.read_accounts() == Accounts((), 0)
    assert (await sink.reconcile(1, [0])).is_zero


@pytest.mark.parametrize("name", tables.AMOUNTS)
async def test_a_total_off_by_the_last_digit_is_found(sink: Sink, name: str) -> None:
    ledger = a_days_rows()
    await store(sink, ledger)
    wrong = rows.totals_of(ledger)[0]
    await sink.write_totals(rows.totals([wrong | {name: wrong[name] + LAST_DIGIT}]))
    residual = await sink.reconcile(1, [0, 1])
    assert residual.amounts == LAST_DIGIT
    assert not residual.is_zero
    assert await checks(sink) == ["totals_equal_ledger"]
    assert (await sink.reconcile(1, [1])).is_zero
    assert (await sink.reconcile(2, [0])).is_zero


async def test_differences_that_cancel_each_other_out_are_found(sink: Sink) -> None:
    ledger = [ledger_row(0), ledger_row(1, feature="search")]
    await store(sink, ledger)
    chat, search = rows.totals_of(ledger)
    for total, difference in ((chat, CENT), (search, -CENT)):
        await sink.write_totals(rows.totals([total | {"customer_charge": total["customer_charge"] + difference}]))
    (line,) = (line for line in (await sink.reconcile(1, [0])).lines if line.difference)
    assert (line.ledger, line.totals, line.difference) == (Decimal(2), Decimal(2), 2 * CENT)


@pytest.mark.parametrize(
    ("meter", "quantity"),
    [("input_tokens", Decimal("200.000001")), ("images", Decimal(1)), ("input_tokens", Decimal(0))],
)
async def test_a_meter_that_differs_is_found(sink: Sink, meter: str, quantity: Decimal) -> None:
    ledger = [ledger_row(0), ledger_row(1)]
    await store(sink, ledger)
    (total,) = rows.totals_of(ledger)
    expected = abs(quantity - total["usage"].get(meter, 0))
    await sink.write_totals(rows.totals([total | {"usage": total["usage"] | {meter: quantity}}]))
    residual = await sink.reconcile(1, [0])
    assert (residual.usage, residual.amounts, residual.rows) == (expected, Decimal(0), Decimal(0))
    assert await checks(sink) == ["totals_equal_ledger"]


@pytest.mark.parametrize("count", ["ledger_rows", "net_events", "unpriced_events"])
async def test_a_count_that_differs_is_found(sink: Sink, count: str) -> None:
    await store(sink, [ledger_row(0)])
    (total,) = rows.totals_of([ledger_row(0)])
    await sink.write_totals(rows.totals([total | {count: total[count] + 1}]))
    assert (await sink.reconcile(1, [0])).rows == 1


async def test_a_ledger_row_that_its_total_lacks_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0), ledger_row(2)])
    await sink.write_ledger(rows.ledger([ledger_row(1)]))
    assert await checks(sink) == ["ledger_is_complete", "totals_equal_ledger"]


async def test_a_total_that_stopped_short_of_the_checkpoint_is_found(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([ledger_row(0), ledger_row(1)]))
    await sink.write_totals(rows.totals(rows.totals_of([ledger_row(0)])))
    await sink.write_checkpoints(rows.checkpoints([rows.checkpoint_row(2)]))
    assert await checks(sink) == ["totals_equal_ledger"]


async def test_a_total_without_any_ledger_row_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0)])
    await sink.write_totals(rows.totals(rows.totals_of([ledger_row(0, tenant="ghost")])))
    assert (await sink.reconcile(1, [0])).amounts == Decimal(2)  # 1.00 + 0.49 + 0.21 + 0.30


async def test_a_lost_ledger_row_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0)], events=2, accepted=2)
    assert await checks(sink) == ["ledger_is_complete"]


async def test_a_lost_dead_letter_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0)], events=2, dead_lettered=1)
    assert await checks(sink) == ["dead_letters_are_complete"]


async def test_an_event_that_went_nowhere_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0)], events=2)
    assert await checks(sink) == ["checkpoint_adds_up"]


async def test_a_ledger_row_whose_parts_do_not_add_up_is_found(sink: Sink) -> None:
    odd = [
        ledger_row(0, platform_fee=Decimal("0.21") + LAST_DIGIT),
        ledger_row(1, platform_fee=Decimal("0.21") - LAST_DIGIT),
    ]
    await store(sink, odd)
    assert (await sink.reconcile(1, [0])).imbalance == 2 * LAST_DIGIT
    assert await checks(sink) == ["ledger_balances"]


async def test_an_event_billed_twice_is_found(sink: Sink) -> None:
    await store(sink, [ledger_row(0, id="same"), ledger_row(1, id="same")])
    assert await checks(sink) == ["billed_once"]


async def test_an_event_accepted_in_two_partitions_is_a_warning(sink: Sink) -> None:
    await store(sink, [ledger_row(0, id="same"), ledger_row(0, id="same", source_partition=1)])
    (finding,) = findings(await sink.read_accounts())
    assert (finding.level, finding.check) == (Level.WARNING, "identity_in_one_partition")


async def test_replays_are_no_difference(sink: Sink) -> None:
    for _ in range(2):
        await store(sink, a_days_rows())
    assert await checks(sink) == []


@pytest.mark.parametrize("steps", [1, 2], ids=["ledger written", "ledger and totals written"])
async def test_a_flush_under_way_is_no_difference(sink: Sink, steps: int) -> None:
    await store(sink, [ledger_row(0)])
    grown = [ledger_row(0), ledger_row(1), ledger_row(2, feature="new")]
    await sink.write_ledger(rows.ledger(grown[1:]))
    if steps == 2:
        await sink.write_totals(rows.totals(rows.totals_of(grown)))
    assert (await sink.reconcile(1, [0])).is_zero
    assert await checks(sink) == []


async def test_totals_half_written_are_no_difference(sink: Sink) -> None:
    await store(sink, [ledger_row(0)])
    grown = [ledger_row(0), ledger_row(1), ledger_row(2, feature="new")]
    await sink.write_ledger(rows.ledger(grown[1:]))
    await sink.write_totals(rows.totals(rows.totals_of(grown)[:1]))
    assert await checks(sink) == []


async def test_the_first_flush_under_way_is_no_difference(sink: Sink) -> None:
    await sink.write_ledger(rows.ledger([ledger_row(0)]))
    assert (await sink.reconcile(1, [0])).is_zero


async def test_windows_before_the_time_asked_are_left_out(sink: Sink) -> None:
    later = WINDOW + timedelta(hours=1)
    ledger = [ledger_row(0), ledger_row(1, window_start=later)]
    await store(sink, ledger)
    wrong = rows.totals_of(ledger)[0]
    await sink.write_totals(rows.totals([wrong | {"customer_charge": CENT}]))
    assert not (await sink.reconcile(1, [0], WINDOW)).is_zero
    residual = await sink.reconcile(1, [0], later)
    assert residual.is_zero
    assert {line.name: line.ledger for line in residual.lines}["ledger_rows"] == 1


@pytest.mark.parametrize(
    ("account", "check", "said"),
    [
        (
            {"events": 11},
            "checkpoint_adds_up",
            "11 events passed, but 7 accepted + 2 duplicates + 1 dead-lettered = 10 (+1)",
        ),
        ({"ledger_rows": 6}, "ledger_is_complete", "7 accepted, 6 ledger rows below the checkpoint (-1)"),
        ({"dead_letter_rows": 2}, "dead_letters_are_complete", "1 dead-lettered, 2 stored (+1)"),
        ({"billed_twice": 3}, "billed_once", "3 identities stand at two places: these events are billed twice"),
    ],
)
def test_a_finding_says_both_figures(account: dict[str, int], check: str, said: str) -> None:
    broken = PartitionAccount(**{name: getattr(SOUND, name) for name in SOUND.__slots__} | account)
    assert findings(Accounts((SOUND, broken), 0)) == [Finding(Level.FAILURE, check, 1, 0, said)]


def test_the_first_five_differences_are_shown_and_the_rest_counted() -> None:
    lines = tuple(SumLine(1, 0, "", f"usage.m{n}", Decimal(n), Decimal(0), Decimal(n)) for n in range(8))
    broken = PartitionAccount(
        **{name: getattr(SOUND, name) for name in SOUND.__slots__} | {"residual": Residual(lines, Decimal(0))}
    )
    (finding,) = findings(Accounts((broken,), 0))
    assert finding.sentence.startswith("usage.m1: ledger 1, totals 0, off by 1; ")
    assert finding.sentence.endswith("; and 2 more")

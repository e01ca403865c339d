"""What a range comes to: only what is asked for, only below the cut, and no event that an adjustment would miss."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.rerating import Outcome, Rerater, Selection
from sinks.rerates import Partition
from tests.simulation.books import rater
from tests.support.desk import HORIZON, NOW, Desk, adjustment, rerating, usage
from tests.support.rerating import MemoryLedger, changes, outcomes, request
from tollstream.rerating.computing import Progress, compute
from tollstream.rerating.request import RerateRefusedError
from tollstream.rerating.summary import Summary
from topics.events import AnyEvent

HOUR = timedelta(hours=1)
DEAR = Selection(prices="p3")  # has a price for `large` and `fresh`


async def ledger_of(*events: AnyEvent) -> MemoryLedger:
    desk = Desk()
    await desk.take(*events)
    return MemoryLedger(desk.sink)


async def test_only_usage_of_the_range_the_builder_and_the_tenant_is_looked_at() -> None:
    early, late = NOW - HOUR, NOW - timedelta(minutes=1)
    ledger = await ledger_of(
        usage("a", time=early),
        usage("b", time=late),
        usage("c", time=late, tenant="south"),
        usage("d", time=late, builder="beta", tenant="north"),
    )
    assert outcomes(await changes(ledger, request())).keys() == {"a", "b", "c", "d"}
    assert outcomes(await changes(ledger, request(end=late))).keys() == {"a"}
    assert outcomes(await changes(ledger, request(start=late))).keys() == {"b", "c", "d"}
    assert outcomes(await changes(ledger, request(builder="acme"))).keys() == {"a", "b", "c"}
    assert outcomes(await changes(ledger, request(tenant="north"))).keys() == {"a", "b", "d"}
    assert outcomes(await changes(ledger, request(builder="acme", tenant="north"))).keys() == {"a", "b"}
    assert outcomes(await changes(ledger, request(builder="acme", tenant="west"))) == {}


async def test_of_unpriced_usage_only_what_still_waits_is_looked_at() -> None:
    desk = Desk()
    await desk.take(usage("rated"), usage("waits", model="fresh"), usage("later", model="fresh"))
    await desk.take(rerating("later"))
    found = outcomes(await changes(MemoryLedger(desk.sink), request(unpriced=True)))
    assert found == {"waits": Outcome.RATED_LATER}


@pytest.mark.parametrize("portion_rows", [1, 2, 1000])
async def test_portions_of_any_size_come_to_the_same_sums(portion_rows: int) -> None:
    events = [usage(f"e{number}", tenant=f"t{number % 3}", model="large") for number in range(9)]
    ledger = await ledger_of(*events, adjustment("e4", tenant="t1", earnings="1"))
    read: list[tuple[int, int]] = []
    found = await changes(
        ledger, request(selection=DEAR), portion_rows=portion_rows, advance=lambda done, of: read.append((done, of))
    )
    summary = Summary()
    for portion in found:
        summary.add(portion)
    assert read[-1][0] == read[-1][1] > 0
    assert summary.outcomes == {Outcome.CHANGED: 8, Outcome.BY_HAND: 1}
    # 1,000 tokens in and 200 out: 0.00001 and 0.00005 instead of 0.000015123457 and 0.00006, and 25 % on it.
    difference = Decimal("0.02") - Decimal("0.027123457000")
    assert summary.differences["USD"]["provider_reward"] + summary.differences["USD"]["platform_fee"] == 8 * difference
    assert {key[:2]: line.events for key, line in summary.lines.items()} == {
        ("acme", "t0"): 3, ("acme", "t1"): 2, ("acme", "t2"): 3,
    }  # fmt: skip


async def test_what_stands_at_or_behind_the_cut_is_not_there() -> None:
    desk = Desk()
    await desk.take(usage("a", model="large"), usage("b", model="large"))
    await desk.take(rerating("a", charge="-0.001"))
    ledger = MemoryLedger(desk.sink)

    async def at(cut: dict[Partition, int]) -> list[tuple[str, Decimal]]:
        rerater = Rerater(rater().books, rater().rules, DEAR)
        portions = compute(ledger, request(selection=DEAR), rerater, Progress(cut, NOW), HORIZON)
        found = [row async for portion in portions for row in portion.changes.to_dicts()]
        return sorted((row["id"], row["before.customer_charge"]) for row in found)

    whole = Decimal("0.033904321250")
    assert await at({(1, 0): 1}) == [("a", whole)]
    assert await at({(1, 0): 2}) == [("a", whole), ("b", whole)]
    assert await at({(1, 0): 3}) == [("a", whole - Decimal("0.001")), ("b", whole)]
    assert await at({(2, 0): 9}) == []


async def test_an_event_whose_identity_was_used_again_is_left_alone() -> None:
    """An adjustment would find the later one."""
    desk = Desk()
    later = NOW + HOUR
    await desk.take(usage("twice", time=NOW - HORIZON, model="large"), usage("once", time=NOW - HORIZON, model="large"))
    await desk.take(usage("twice", time=NOW, usage={"output_tokens": 7}, model="large"), at=later)
    ledger = MemoryLedger(desk.sink)
    found = [
        (row["id"], row["outcome"], row["difference.customer_charge"] is None)
        for portion in await changes(ledger, request(selection=DEAR))
        for row in portion.changes.sort("source_offset").to_dicts()
    ]
    assert found == [
        ("twice", Outcome.REUSED, True), ("once", Outcome.CHANGED, False), ("twice", Outcome.CHANGED, False),
    ]  # fmt: skip


def test_a_range_that_is_none_is_refused() -> None:
    with pytest.raises(RerateRefusedError, match="give a --to after --from"):
        request(end=NOW - timedelta(days=30))

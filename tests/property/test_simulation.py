"""Other books over ledgers that the pipeline made: the very same books change nothing, to the last digit.

The ledgers are those of the simulated logs: late events, several versions of the books, voids, adjustments, usage rated
late, unpriced usage, one or two epochs. What stands in them is worked out here once more, row by row in plain Python.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from decimal import Decimal, localcontext
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating import Rater
from billing.simulation import Amounts, Comparison, Outcome
from billing.windows import AMOUNT_COLUMNS
from sinks.memory import MemorySink
from sinks.memory_usage import MemoryUsage
from sinks.usage import UsageRange
from tests.simulation.books import START, rater
from tests.simulation.scheduler import run_straight
from tests.simulation.traffic import draw_log
from tests.support.desk import meter_of, process
from tollstream.simulation.books import PRICE_TAGS
from tollstream.simulation.run import simulate
from topics.block import DIMENSION_COLUMNS
from topics.events import AdjustmentEvent, VoidEvent

CORRECTIONS = (VoidEvent, AdjustmentEvent)
ALL = UsageRange(START - timedelta(days=400), START + timedelta(days=400))
seeds = st.integers(0, 2**32)


@dataclass
class Event:
    """A usage row, and what was done to it."""

    row: Mapping[str, Any]
    voided: bool = False
    added: tuple[Mapping[str, Any], ...] = ()

    @property
    def pricing(self) -> Mapping[str, Any] | None:
        """The row whose rule and currency count; None while unpriced."""
        return self.row if self.row["pricing"] == "rated" else self.added[-1] if self.added else None

    def amount(self, name: str) -> Decimal:
        return sum((row[name] for row in (self.row, *self.added) if row[name] is not None), Decimal(0))


def stored(seed: int, *, with_corrections: bool = True) -> MemorySink:
    """A drawn log, read to its end by one worker."""
    log, sink = draw_log(Random(seed)), MemorySink()
    for epoch in log.epochs:
        meter = meter_of(sink, epoch.parameters, log.grants)
        run_straight(meter.assign(dict.fromkeys(epoch.partitions)))
        for records in epoch.partitions.values():
            kept = [
                record
                for record in records
                if with_corrections or not any(isinstance(fact.event, CORRECTIONS) for fact in record.facts)
            ]
            run_straight(process(meter, kept))
    return sink


def events(sink: MemorySink) -> list[Event]:
    """Every usage row with its corrections, one after the other in the order of the log."""
    place = ("topic_epoch", "source_partition", "source_offset", "batch_index")
    rows = sorted(sink.ledger.to_dicts(), key=lambda row: tuple(row[name] for name in place))
    found = [Event(row) for row in rows if row["kind"] == "usage"]
    for row in rows:
        if row["kind"] == "usage":
            continue
        targets = [
            event
            for event in found
            if (event.row["identity_high"], event.row["identity_low"]) == (row["target_high"], row["target_low"])
            and (event.row["builder"], event.row["tenant"]) == (row["builder"], row["tenant"])
            and tuple(event.row[name] for name in place) < tuple(row[name] for name in place)
            and (
                event.row["topic_epoch"] < row["topic_epoch"]
                or event.row["source_partition"] == row["source_partition"]
            )
        ]
        if row["kind"] == "void":
            targets[-1].voided = True
        else:
            targets[-1].added += (row,)
    return found


def compared(
    sink: MemorySink, using: Rater | None = None, portion_rows: int = 1000, usage: UsageRange = ALL
) -> Comparison:
    books = using or rater()
    tags = PRICE_TAGS.union(*(book.tags_read for book in books.rules.versions))
    ledger = MemoryUsage(sink.ledger)
    return asyncio.run(simulate(ledger, books, usage, tags, portion_rows=portion_rows))


@given(seed=seeds)
@settings(max_examples=25)
def test_the_same_books_change_nothing_where_nothing_was_corrected(seed: int) -> None:
    found = compared(stored(seed, with_corrections=False))
    for lines in (found.totals, found.tenants, found.features, found.models, found.rules):
        for line in lines:
            assert line.before == line.after
            assert line.events_before == line.events_after
            assert line.change == Amounts()
    assert {left.outcome for left in found.left_out} <= {Outcome.UNPRICED}


@given(seed=seeds, portion_rows=st.integers(1, 40))
@settings(max_examples=40)
def test_both_sides_are_what_plain_addition_makes_of_the_ledger(seed: int, portion_rows: int) -> None:
    sink = stored(seed)
    found = compared(sink, portion_rows=portion_rows)
    expected: Counter[Outcome] = Counter()
    sums = {(side, name): Decimal(0) for side in ("before", "after") for name in AMOUNT_COLUMNS}
    with localcontext(prec=80):
        for event in events(sink):
            rated, stands = event.row["pricing"] == "rated", event.pricing is not None
            outcome = (
                Outcome.VOIDED if event.voided
                else Outcome.UNPRICED if not stands
                else Outcome.COMPARED if rated
                else Outcome.UNPRICED_AFTER
            )  # fmt: skip
            expected[outcome] += 1
            if outcome is Outcome.COMPARED:
                for name in AMOUNT_COLUMNS:
                    sums["before", name] += event.amount(name)
                    sums["after", name] += event.row[name]  # the same books make of it what they made of it then
    assert {outcome: number for outcome, number in found.events.items() if number} == dict(expected)
    [total] = found.totals or [None]
    for (side, name), value in sums.items():
        assert (getattr(getattr(total, side), name) if total else Decimal(0)) == value, (side, name)
    for lines in (found.tenants, found.features, found.models, found.rules):
        for side in ("before", "after"):
            for name in AMOUNT_COLUMNS:
                assert sum((getattr(getattr(line, side), name) for line in lines), Decimal(0)) == sums[side, name]


@given(seed=seeds, portion_rows=st.integers(1, 40))
@settings(max_examples=25)
def test_neither_portions_nor_tags_that_no_book_reads_change_the_answer(seed: int, portion_rows: int) -> None:
    sink = stored(seed)
    whole = compared(sink)
    assert compared(sink, portion_rows=portion_rows) == whole
    every_tag = asyncio.run(simulate(MemoryUsage(sink.ledger), rater(), ALL, DIMENSION_COLUMNS))
    assert every_tag == whole


@given(seed=seeds, hours=st.integers(-80, 80), minutes=st.sampled_from((0, 1, 30)))
@settings(max_examples=25)
def test_two_ranges_that_meet_hold_together_what_one_holds(seed: int, hours: int, minutes: int) -> None:
    sink = stored(seed)
    middle = START + timedelta(hours=hours, minutes=minutes)
    parts = [compared(sink, usage=UsageRange(*ends)) for ends in ((ALL.start, middle), (middle, ALL.end))]
    whole = compared(sink)
    assert {o: parts[0].events[o] + parts[1].events[o] for o in Outcome} == whole.events
    for view in ("totals", "tenants", "features", "models", "rules"):
        together: dict[Any, Any] = {}
        for line in (line for part in parts for line in getattr(part, view)):
            key = (line.key, line.currency)
            together[key] = together[key].plus(line) if key in together else line
        assert tuple(line for _, line in sorted(together.items())) == getattr(whole, view)


@given(seed=seeds)
@settings(max_examples=15)
def test_the_charge_is_what_the_three_get_on_both_sides_of_every_line(seed: int) -> None:
    found = compared(stored(seed))
    for lines in (found.totals, found.tenants, found.features, found.models, found.rules):
        for line in lines:
            for amounts in (line.before, line.after):
                charge, *parts = (getattr(amounts, field.name) for field in fields(amounts))
                assert charge == sum(parts, Decimal(0))

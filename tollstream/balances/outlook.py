"""Of which periods a live balance is made: those that are over and not closed yet, and the one that runs.

Why not the last one alone: credits that an open period has drawn are gone for the next one, and what it leaves of a
rollover allowance comes to it. So a balance goes through the open periods in the order in which they will be closed.
Without any closing it begins with the first period that a plan, a credit and usage can have had to do with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from billing.fx import FxRates, Rate
from billing.periods import Cycle, Period
from billing.surcharges import RuleBooks
from sinks.agreements import RateRecord
from sinks.clickhouse.readers.credits import CreditScope
from sinks.clickhouse.readers.journals import to_rows
from sinks.closings import CLOSING_USAGE, Closing, UsageScope
from sinks.rerates import Partition
from tollstream.closing.agreed import Agreements
from tollstream.closing.basis import Basis, basis_of, scope_of
from tollstream.closing.freezing import charge_currency, inputs_of
from tollstream.closing.periods import closed, running_period

PERIODS_MAX = 400  # open ones; more than anybody leaves open


@dataclass(frozen=True, slots=True)
class Known:
    """What is on record of a Builder. `begins`, without closings: the first moment that matters to a balance."""

    agreements: Agreements
    entries: Sequence[Closing]
    begins: datetime | None

    @property
    def is_new(self) -> bool:
        """Neither closed nor used: what it begins with may still come."""
        return self.begins is None and not closed(self.entries)


@dataclass(frozen=True, slots=True)
class Step:
    """One open period."""

    period: Period
    cycle: Cycle
    scope: UsageScope


@dataclass(frozen=True, slots=True)
class Outlook:
    """What balances of a Builder are made from, at a moment; the last step is the period that runs."""

    builder: str
    as_of: datetime
    agreements: Agreements
    entries: Sequence[Closing]
    steps: tuple[Step, ...]

    @property
    def running(self) -> Period:
        """The period that holds `as_of`."""
        return self.steps[-1].period

    @property
    def overdue(self) -> tuple[str, ...]:
        """Periods that are over and not closed."""
        return tuple(step.period.label for step in self.steps[:-1])

    @property
    def credits(self) -> CreditScope:
        """Which credits count, and what closings have drawn of them."""
        return CreditScope(
            self.builder, self.agreements.grants_place, tuple(entry.closing_id for entry in closed(self.entries))
        )

    def basis(self, step: Step, rules: RuleBooks, rows: pa.Table) -> Basis:
        """What the statements of a step depend on beside `rows`, its usage."""
        used = rows.select(["period_start", "rule_id"]).group_by(["period_start", "rule_id"]).aggregate([])
        named = [(row["period_start"], row["rule_id"]) for row in to_rows(used, CLOSING_USAGE)]
        currency = charge_currency(self.agreements, step.period, rows.column("currency").unique().to_pylist())
        inputs = inputs_of(self.agreements, rules, self.entries, step.period, named, currency)
        return basis_of(self.agreements, self.entries, step.period, step.cycle, inputs)


def outlook_of(known: Known, cut: Mapping[Partition, int], as_of: datetime) -> Outlook:
    """Of everything that is known, at a moment; `cut` is how far usage is stored."""
    agreements, entries = known.agreements, known.entries
    plans = agreements.plans(agreements.plans_place)
    running, cycle = running_period(plans, as_of)
    done = closed(entries)
    at = done[-1].period.end if done else known.begins
    open_ones: list[tuple[Period, Cycle]] = []
    while at is not None and at < running.start and len(open_ones) < PERIODS_MAX:
        period, its_cycle = running_period(plans, at)
        if period.start >= running.start or period.end <= at:
            break
        open_ones.append((period, its_cycle))
        at = period.end
    steps = [
        Step(each, its, scope_of(entries, agreements.builder, each, cut))
        for each, its in [*open_ones, (running, cycle)]
    ]
    return Outlook(agreements.builder, as_of, agreements, entries, tuple(steps))


def rates_for(records: Sequence[RateRecord], period: Period) -> FxRates:
    """A statement converts at its last day's rate, which nobody knows before that day: the newest one stands in."""
    newest: dict[tuple[str, str], RateRecord] = {}
    for record in records:
        if record.day <= period.last_day:
            held = newest.get((record.base, record.quote))
            if held is None or held.day < record.day:
                newest[record.base, record.quote] = record
    known = [record.dated for record in records]
    stand_ins = [
        Rate(period.last_day, record.base, record.quote, record.rate)
        for record in newest.values()
        if record.day < period.last_day
    ]
    return FxRates([*known, *stand_ins])

"""Everything that the statements of a period depend on beside the tenants' usage and credits: one for all tenants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from billing.fx import FxRates
from billing.periods import Cycle, Period
from billing.plans import PlanBooks, Segment
from sinks.clickhouse.readers.credits import CreditScope
from sinks.closings import Closing, Inputs, UsageScope, Words
from sinks.rerates import Partition
from tollstream.closing.agreed import Agreements
from tollstream.closing.periods import closed
from tollstream.closing.words import merged


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """A period that was closed, with the plans that it was closed with."""

    period: Period
    closing_id: str
    plans: PlanBooks

    def segments(self, tenant: str) -> tuple[Segment, ...]:
        """The tenant's plans then."""
        terms = self.plans.terms(tenant, self.period)
        return terms.segments if terms is not None else ()


@dataclass(frozen=True, slots=True)
class Basis:
    """Of one closing, or of a look at what it would be."""

    builder: str
    period: Period
    cycle: Cycle
    currency: str  # the charge currency
    plans: PlanBooks
    fx: FxRates
    words: Mapping[str, Mapping[str, Words]]  # period -> rule -> words
    closed: Mapping[datetime, ClosedPeriod]  # by start
    credits: CreditScope

    @property
    def closing_ids(self) -> tuple[str, ...]:
        """The closings that count so far, oldest first."""
        return self.credits.closing_ids


def basis_of(agreements: Agreements, entries: Sequence[Closing], period: Period, cycle: Cycle, inputs: Inputs) -> Basis:
    """What `inputs` names, as it stood at these places."""
    done = [entry for entry in closed(entries) if entry.period.start < period.start]
    return Basis(
        agreements.builder,
        period,
        cycle,
        inputs.currency,
        agreements.plans(inputs.plans),
        agreements.rates(inputs.rates),
        merged([*(entry.inputs.words for entry in done), inputs.words]),
        {
            entry.period.start: ClosedPeriod(entry.period, entry.closing_id, agreements.plans(entry.inputs.plans))
            for entry in done
        },
        CreditScope(agreements.builder, inputs.grants, tuple(entry.closing_id for entry in done)),
    )


def scope_of(entries: Sequence[Closing], builder: str, period: Period, cut: Mapping[Partition, int]) -> UsageScope:
    """The usage that a closing of `period` looks at: changes of earlier ones only if it is the next to be closed."""
    done = closed(entries)
    if not done or done[-1].period.end != period.start:
        return UsageScope(builder, period.start, period.end, cut)
    earlier = tuple(entry.period.start for entry in done)
    return UsageScope(builder, period.start, period.end, cut, earlier, done[-1].cut)

"""Which periods of a Builder are closed, by the journal of closings: only what is closed can be paid out."""

from __future__ import annotations

from dataclasses import dataclass

from billing.periods import Cycle, Period, PeriodError, parse_period
from sinks.closings import CLOSED, CLOSING_JOURNAL, Closing
from sinks.journals import JournalStore
from tollstream.payouts.refusal import PayoutRefusedError


@dataclass(frozen=True, slots=True)
class ClosedPeriod:
    """One closed period."""

    period: Period
    currency: str  # the charge currency
    statements: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of one Builder."""

    builder: str
    cycle: Cycle
    closed: tuple[ClosedPeriod, ...]  # oldest first

    def named(self, label: str) -> ClosedPeriod | None:
        """The closed period of this label."""
        return next((each for each in self.closed if each.period.label == label), None)

    def has(self, label: str) -> bool:
        """Whether a period of the Builder can be called so."""
        try:
            parse_period(self.cycle, label)
        except PeriodError:
            return False
        return True

    @property
    def next(self) -> Period | None:
        """The first period after the last closed one; None before any is closed."""
        return self.cycle.next(self.closed[-1].period) if self.closed else None


async def read_calendars(store: JournalStore, builder: str = "") -> dict[str, Calendar]:
    """Of one Builder or ("") of all who have closed, or begun to close, anything; in order of names."""
    entries = await store.read_journal(CLOSING_JOURNAL, {"builder": builder} if builder else {})
    by_builder: dict[str, list[Closing]] = {}
    for entry in entries:
        by_builder.setdefault(entry.builder, []).append(entry)
    return {name: _calendar(name, by_builder[name]) for name in sorted(by_builder)}


async def read_closed(store: JournalStore, builder: str, label: str) -> tuple[Calendar, ClosedPeriod]:
    """The Builder's calendar and the period; PayoutRefusedError while it is not closed."""
    calendar = (await read_calendars(store, builder)).get(builder)
    if calendar is None:
        raise PayoutRefusedError(
            f"{builder} has closed no period yet: `tollstream close --builder {builder} --period {label}` comes first. "
            "If the name is not right, `tollstream payouts --period` without --builder lists who there is."
        )
    found = calendar.named(label)
    if found is None:
        parse_period(calendar.cycle, label)  # a label that is none is told first
        raise PayoutRefusedError(
            f"{builder} has not closed {label}: nothing is paid out of a period that can still change. Close it first, "
            f"with `tollstream close --builder {builder} --period {label}`."
        )
    return calendar, found


def _calendar(builder: str, entries: list[Closing]) -> Calendar:
    closed = [
        ClosedPeriod(entry.period, entry.inputs.currency, entry.statements)
        for entry in entries
        if entry.state == CLOSED
    ]
    newest = max(entries, key=lambda entry: entry.sequence)
    return Calendar(builder, newest.cycle, tuple(sorted(closed, key=lambda each: each.period.start)))

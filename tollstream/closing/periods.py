"""Which period of a Builder a label means, and whether it is the one to close.

Cycle  The plan book in force at a period's end says how the Builder's periods are cut; without one they are months of
       UTC. So a label is tried with every cycle that was ever published, and has to fit the one that is in force then.
Order  Periods are closed one after the other: the next one begins where the last one ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from billing.periods import MONTHS, Cycle, Period, PeriodError, parse_period, period_of, refuse_misaligned
from billing.plans import PlanBooks
from sinks.closings import CLOSED, Closing
from tollstream.closing.refusal import CloseRefusedError


def cycle_of(plans: PlanBooks, period: Period) -> Cycle:
    """How periods are cut at the end of this one."""
    book = plans.in_force(period) or next(iter(plans.versions), None)
    return book.billing_cycle if book is not None else MONTHS


def named_period(plans: PlanBooks, label: str) -> tuple[Period, Cycle]:
    """The period of a label. Raises `PeriodError`, which says how one is written."""
    cycles = list(dict.fromkeys(book.billing_cycle for book in reversed(plans.versions))) or [MONTHS]
    wrong: PeriodError | None = None
    for cycle in cycles:
        try:
            period = parse_period(cycle, label)
        except PeriodError as error:
            wrong = wrong or error
            continue
        if cycle_of(plans, period) == cycle:
            return period, cycle
    if wrong is not None:
        raise wrong
    raise PeriodError(f"period {label!r}: no plan book that cuts such periods is in force at its end")


def running_period(plans: PlanBooks, now: datetime) -> tuple[Period, Cycle]:
    """The period that holds a moment."""
    for book in reversed(plans.versions):
        period = period_of(book.billing_cycle, now)
        if cycle_of(plans, period) == book.billing_cycle:
            return period, book.billing_cycle
    return period_of(MONTHS, now), MONTHS


def closed(entries: Sequence[Closing]) -> list[Closing]:
    """Closings that count, oldest first."""
    return [entry for entry in entries if entry.state == CLOSED]


def closed_entry(entries: Sequence[Closing], label: str) -> Closing | None:
    """The closing of a period, if it is closed."""
    return next((entry for entry in closed(entries) if entry.period.label == label), None)


def refuse_out_of_turn(entries: Sequence[Closing], period: Period, cycle: Cycle, now: datetime) -> None:
    """Raise `CloseRefusedError` for a period that still runs, or that is not the next one."""
    if now < period.end:
        raise CloseRefusedError(
            f"Period {period.label} runs until {period.end.isoformat()}, and it is {now.isoformat(timespec='seconds')} "
            "by the store's clock: close it afterwards; `tollstream balance` shows what stands so far."
        )
    done = closed(entries)
    if not done:
        return
    last = done[-1].period
    if period.start < last.end:
        raise CloseRefusedError(
            f"Period {period.label} begins before {last.label} ends, which is closed: what has changed in it comes on "
            "the next statement, as an adjustment."
        )
    if period.start > last.end:
        following = period_of(cycle, last.end)
        raise CloseRefusedError(
            f"Period {period.label} is not the next one: {last.label} is the last that is closed, so close "
            f"{following.label} first."
        )


def refuse_windows(period: Period, seconds: int) -> None:
    """Raise `CloseRefusedError` where a window would belong to two periods."""
    try:
        refuse_misaligned(period, seconds)
    except PeriodError as error:
        raise CloseRefusedError(f"{str(error)[0].upper()}{str(error)[1:]}.") from None

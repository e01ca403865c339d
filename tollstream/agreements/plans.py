"""Plan books: is a version one that may be recorded, and recording it.

Immutable  a version's text never changes, and what has been billed never becomes something else: a new version begins
           where the last closed period ends, or later. In a period that is not closed it may begin in the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from billing.errors import BillingError
from billing.loading import load_versions
from billing.periods import PeriodError, period_of, refuse_misaligned
from billing.plans import PlanBook, PlanBooks
from billing.surcharges import RuleBooks
from sinks.agreements import PLANS, PlanRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import Closing
from sinks.journals import append
from tollstream.closing.agreed import read_plan_record
from tollstream.closing.periods import closed, running_period
from tollstream.closing.steps import AFTER_FREEZE, read_entries, under_way
from tollstream.errors import UserError


class PlanRefusedError(UserError):
    """Nothing was recorded."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a version."""

    record: PlanRecord
    stood: bool  # it was published before, with the same text


def read_file(path: Path) -> PlanBook:
    """The version in a file; BookError, UserError."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the file of one version.")
    [book] = load_versions(path, PlanBook)
    return book


def record_of(book: PlanBook, by: str, reason: str) -> PlanRecord:
    """What is recorded of a version."""
    return PlanRecord(book.builder, book.version, book.effective_from, book.digest, book.content, by, reason)


def same(book: PlanBook, records: Sequence[PlanRecord]) -> PlanRecord | None:
    """The record of this very version, if it is published."""
    return next((each for each in records if (each.version, each.digest) == (book.version, book.digest)), None)


def objection(book: PlanBook, records: Sequence[PlanRecord], entries: Sequence[Closing]) -> str | None:
    """Why a version cannot be published, None where nothing is against it."""
    for record in records:
        if record.version == book.version:
            return (
                f"Version {book.version} of {book.builder}'s plans is published with another text, by "
                f"{record.recorded_by}: give this one a name of its own."
            )
    done, begun = closed(entries), under_way(entries)
    frozen = begun.period.end if begun is not None and begun.state in AFTER_FREEZE else None
    last = max((end for end in (done[-1].period.end if done else None, frozen) if end is not None), default=None)
    if last is not None and book.effective_from < last:
        return (
            f"Version {book.version} begins on {book.effective_from.isoformat()}, and periods are closed until "
            f"{last.isoformat()}: let it begin then, or later."
        )
    known = [read_plan_record(record) for record in records]
    if known and known[-1].currency != book.currency:
        return (
            f"{book.builder}'s plans are in {known[-1].currency}, this one is in {book.currency}: credits and what was "
            "billed are in that currency. Charge other currencies on statements (`currency` of a tenant)."
        )
    try:
        versions = PlanBooks([*known, book])
    except BillingError as error:
        return f"{str(error)[0].upper()}{str(error)[1:]}."
    if done:
        following, _ = running_period(versions, done[-1].period.end)
        if following.start != done[-1].period.end:
            return (
                f"With this cycle no period begins where the last closed one ends, on {done[-1].period.end_day}: the "
                f"one around it begins on {following.first_day}. Let periods be cut so that one begins there."
            )
    return None


async def cut_windows(store: ClickHouseStatementStore, book: PlanBook, window_seconds: int) -> str | None:
    """Why a period of this version could not be closed, None where each can: a window would belong to two of them.

    Looked at over a year, for clocks move; `window_seconds` is the installation's where no epoch has pinned its own.
    """
    pinned = {each.window_seconds for each in (await store.read_epochs()).values()} or {window_seconds}
    for weeks in range(0, 53, 4):
        period = period_of(book.billing_cycle, book.effective_from + timedelta(weeks=weeks))
        for seconds in sorted(pinned):
            try:
                refuse_misaligned(period, seconds)
            except PeriodError as error:
                return f"{str(error)[0].upper()}{str(error)[1:]}."
    return None


def warnings(book: PlanBook, rules: RuleBooks) -> list[str]:
    """What is probably not meant: rules that no published rule book has."""
    known = {rule.id for version in (*rules.versions, *rules.retroactive) for rule in version.rules}
    if not known:
        return []
    found = []
    for plan in book.plans:
        named = [(f"allowance {each.id}", rule) for each in plan.allowances for rule in each.rules]
        named += [("a tier", tier.rule) for tier in plan.tiers]
        for where, rule in named:
            if rule not in known:
                found.append(f"plan {plan.id}: {where} is about rule {rule}, which no published rule book has")
    return found


async def publish(
    store: ClickHouseStatementStore, book: PlanBook, by: str, reason: str, *, dry_run: bool = False
) -> Outcome:
    """Record a version, unless it stands already. Raises `PlanRefusedError`."""
    where = {"builder": book.builder}
    entries = await read_entries(store, book.builder)
    wanted = record_of(book, by, reason)
    stood: list[PlanRecord] = []

    def judge(records: list[PlanRecord]) -> list[PlanRecord]:
        standing = same(book, records)
        if standing is not None:
            stood.append(standing)
            return []
        why = objection(book, records, entries)
        if why is not None:
            raise PlanRefusedError(f"{why} Nothing was published.")
        return [wanted]

    if dry_run:
        judged = judge(await store.read_journal(PLANS, where))
        return Outcome(judged[0] if judged else stood[0], not judged)
    recorded = await append(store, PLANS, where, judge)
    return Outcome(recorded[0] if recorded else stood[0], not recorded)

"""Deciding the payout of a closed period: once, in order of periods, out of everything that no payout has cleared yet.

What counts     the Builder's accounts in statements of this period and of those before it, in every note that is on
                record, and in the payouts before: these take off what they paid, reason by reason. So nothing is paid
                twice, and nothing is lost: a note that comes later is in the next payout.
Who is first    the decision is recorded at a place of the Builder's journal that one writer gets, and it is judged
                again by whoever was second. Postings of earlier payouts come from that journal, never from what has
                been posted so far.
Run again       answers what stands.
Errors          `PayoutRefusedError`, and what the store raises; the same call again goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from billing.payouts import ACCOUNTS, Payout, payouts
from billing.postings import BUILDER_PAYABLE, Posting
from sinks.journals import append
from sinks.payable import Payable, SettlementStore
from sinks.payouts import PAYOUT_JOURNAL, PayoutRecord
from tollstream.payouts.closed import Calendar, ClosedPeriod, read_calendars, read_closed
from tollstream.payouts.documents import payout_document, postings_of
from tollstream.payouts.numbering import PAYOUT, following, written
from tollstream.payouts.posting import NOTES, mend, payout_postings
from tollstream.payouts.refusal import PayoutRefusedError
from tollstream.payouts.terms import read_terms

INSTANT = timedelta(microseconds=1)
STATEMENT = "statement"
AT_ONCE = 4  # Builders; each is a few short questions to the store


@dataclass(frozen=True, slots=True)
class Decision:
    """The payouts of a Builder for a period, one a currency; `new` if this run has decided them."""

    builder: str
    records: tuple[PayoutRecord, ...]
    new: bool


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of a run over several Builders."""

    decisions: tuple[Decision, ...]
    refused: tuple[str, ...]  # who has not closed the period yet, or not been paid for one before it, a sentence each


async def decide(
    store: SettlementStore, builder: str, label: str, *, by: str, reason: str = "", dry_run: bool = False
) -> Decision:
    """Of one Builder. With `dry_run` nothing is recorded, and the numbers are those that it would get."""
    calendar, closed = await read_closed(store, builder, label)
    if not dry_run:
        await mend(store, builder)
    posted = await store.read_payable(ACCOUNTS, builder)
    version, policy = (await read_terms(store, builder)).policy_at(closed.period.end - INSTANT)

    def judge(standing: list[PayoutRecord]) -> Sequence[PayoutRecord]:
        mine = [record for record in standing if record.kind == PAYOUT]
        if _of(mine, closed):
            return []
        _refuse_out_of_order(mine, calendar, closed)
        made = payouts(builder, closed.period, _owed(posted, calendar, closed, mine), policy)
        number = following(PAYOUT, mine)
        records = []
        for place, payout in enumerate(_worth_recording(made, closed)):
            name = written(PAYOUT, builder, number + place)
            document = payout_document(name, payout, closed.period, version, policy, closed.statements)
            records.append(
                PayoutRecord(
                    builder,
                    name,
                    PAYOUT,
                    builder,
                    closed.period.label,
                    closed.period.start,
                    payout.currency,
                    payout.amount,
                    payout.carried,
                    payout.due_at,
                    document,
                    by,
                    reason,
                )
            )
        return records

    where = {"builder": builder}
    if dry_run:
        standing = await store.read_journal(PAYOUT_JOURNAL, where)
        return Decision(builder, tuple(judge(standing) or _of(standing, closed)), new=not _of(standing, closed))
    recorded = await append(store, PAYOUT_JOURNAL, where, judge)
    stands = recorded or _of(await store.read_journal(PAYOUT_JOURNAL, where), closed)
    await store.write_postings([payout_postings(each) for each in stands if postings_of(each.document)])
    return Decision(builder, tuple(stands), new=bool(recorded))


async def decide_all(
    store: SettlementStore, label: str, *, by: str, reason: str = "", dry_run: bool = False
) -> Decided:
    """Of every Builder whose period of this label is closed; whoever cannot be decided holds up nobody else."""
    calendars = await read_calendars(store)
    ready = [builder for builder, calendar in calendars.items() if calendar.named(label) is not None]
    refused = [
        f"{builder} has not closed {label}: nothing of it was decided."
        for builder, calendar in calendars.items()
        if builder not in ready and calendar.has(label) and _still_to_close(calendar, label)
    ]

    async def one(builder: str) -> Decision | None:
        try:
            return await decide(store, builder, label, by=by, reason=reason, dry_run=dry_run)
        except PayoutRefusedError as error:
            refused.append(str(error))
            return None

    decisions: list[Decision] = []
    for first in range(0, len(ready), AT_ONCE):
        found = await asyncio.gather(*(one(builder) for builder in ready[first : first + AT_ONCE]))
        decisions += [each for each in found if each is not None]
    if not decisions:
        raise PayoutRefusedError(
            " ".join(refused) or f"Nobody has closed a period {label}: `tollstream close` comes first."
        )
    return Decided(tuple(decisions), tuple(refused))


def _still_to_close(calendar: Calendar, label: str) -> bool:
    """A period before the first one that was ever closed is nobody's business any more."""
    return not calendar.closed or label > calendar.closed[0].period.label


def _of(records: Sequence[PayoutRecord], closed: ClosedPeriod) -> list[PayoutRecord]:
    return [record for record in records if record.kind == PAYOUT and record.period == closed.period.label]


def _refuse_out_of_order(mine: Sequence[PayoutRecord], calendar: Calendar, closed: ClosedPeriod) -> None:
    decided = {record.period for record in mine}
    later = [record for record in mine if record.period_start > closed.period.start]
    if later:
        raise PayoutRefusedError(
            f"{calendar.builder} was paid for {later[0].period} already ({later[0].payout_id}), and what stood open of "
            f"{closed.period.label} is in that."
        )
    for before in calendar.closed:
        if before.period.start < closed.period.start and before.period.label not in decided:
            raise PayoutRefusedError(
                f"{before.period.label} of {calendar.builder} is closed and has no payout yet: payouts are decided in "
                f"order, so `tollstream payouts --builder {calendar.builder} --period {before.period.label}` comes "
                "first."
            )


def _owed(
    posted: Sequence[Payable], calendar: Calendar, closed: ClosedPeriod, before: Sequence[PayoutRecord]
) -> list[Posting]:
    """Everything up to the period, less what the payouts before have cleared."""
    labels = {each.period.label for each in calendar.closed if each.period.start <= closed.period.start}
    owed = [
        Posting(each.account, each.party, each.currency, each.refers_to, each.amount)
        for each in posted
        if each.document_kind in NOTES or (each.document_kind == STATEMENT and each.period in labels)
    ]
    for record in before:
        owed += postings_of(record.document)
    # A period in which nothing happened has a payout of 0, so that it is decided, and stays so.
    return [*owed, Posting(BUILDER_PAYABLE, calendar.builder, closed.currency, "usage", Decimal(0))]


def _worth_recording(made: Sequence[Payout], closed: ClosedPeriod) -> list[Payout]:
    """Those with lines, and that of the charge currency in any case."""
    return [each for each in made if each.lines or each.currency == closed.currency]

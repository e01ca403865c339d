"""Deciding the rewards of a month: what each provider is owed in each currency, out of all Builders' closed periods.

A statement of its own for every provider and currency, with a line for each Builder and reason. Nothing of it is in a
Builder's payout, and nothing of a Builder's earnings is in it: other accounts, other documents, other numbers.

What counts     what closed periods that end in the month or before it have posted to the provider, less the lines of
                the rewards before; a fraction of a smallest unit, or a sum below 0, is carried to the next statement.
Refuses         while a Builder has not closed a period that ends in the month; `leave_out` names those who are not
                waited for: what they close later is in the next statement.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.money import EXACT
from billing.periods import MONTHS, Period, parse_period
from billing.postings import PROVIDER_PAYABLE, Posting
from billing.rewards import RewardStatement, rewards
from sinks.journals import append
from sinks.payable import Payable, SettlementStore
from sinks.payouts import PAYOUT_JOURNAL, PayoutRecord
from tollstream.payouts.closed import Calendar, read_calendars
from tollstream.payouts.documents import postings_of, reward_document
from tollstream.payouts.numbering import REWARD, following, written
from tollstream.payouts.posting import mend, payout_postings
from tollstream.payouts.refusal import PayoutRefusedError

EVERYBODY = ""  # the Builder under which rewards are on record: they come from all of them
Covered = tuple[str, str, str, str]  # provider, currency, Builder, reason


@dataclass(frozen=True, slots=True)
class Rewarded:
    """The rewards of a month; `new` if this run has decided them."""

    records: tuple[PayoutRecord, ...]
    new: bool


async def reward(
    store: SettlementStore,
    label: str,
    *,
    by: str,
    reason: str = "",
    leave_out: Collection[str] = (),
    dry_run: bool = False,
) -> Rewarded:
    """Of all providers. With `dry_run` nothing is recorded, and the numbers are those that they would get."""
    month = parse_period(MONTHS, label)
    calendars = await read_calendars(store)
    where = {"builder": EVERYBODY}
    if not dry_run:
        await mend(store, EVERYBODY)
    posted = await store.read_payable([PROVIDER_PAYABLE], None)

    def judge(standing: list[PayoutRecord]) -> Sequence[PayoutRecord]:
        if _of(standing, month):
            return []
        later = [record for record in standing if record.period_start > month.start]
        if later:
            raise PayoutRefusedError(
                f"Rewards of {later[0].period} are decided already ({later[0].payout_id}), and what stood open of "
                f"{label} is in them."
            )
        _refuse_while_open(calendars, month, leave_out)
        covers = _covers(calendars, month, leave_out)
        number = following(REWARD, standing)
        return [
            _record(written(REWARD, EVERYBODY, number + place), made, month, covers, by, reason)
            for place, made in enumerate(_statements(month, posted, calendars, covers, standing))
        ]

    if dry_run:
        standing = await store.read_journal(PAYOUT_JOURNAL, where)
        return Rewarded(tuple(judge(standing) or _of(standing, month)), new=not _of(standing, month))
    recorded = await append(store, PAYOUT_JOURNAL, where, judge)
    stands = recorded or _of(await store.read_journal(PAYOUT_JOURNAL, where), month)
    await store.write_postings([payout_postings(each) for each in stands if postings_of(each.document)])
    return Rewarded(tuple(stands), new=bool(recorded))


def _of(records: Sequence[PayoutRecord], month: Period) -> list[PayoutRecord]:
    return [record for record in records if record.kind == REWARD and record.period == month.label]


def _refuse_while_open(calendars: Mapping[str, Calendar], month: Period, leave_out: Collection[str]) -> None:
    unknown = sorted(set(leave_out) - calendars.keys())
    if unknown:
        raise PayoutRefusedError(f"--leave-out {unknown[0]}: no Builder of that name has closed anything.")
    still_open = [
        f"{builder} {calendar.next.label}"
        for builder, calendar in calendars.items()
        if builder not in leave_out and calendar.next is not None and calendar.next.last_day <= month.last_day
    ]
    if still_open:
        more = f" and {len(still_open) - 5} more" if len(still_open) > 5 else ""
        raise PayoutRefusedError(
            f"Not closed yet: {', '.join(still_open[:5])}{more}. A provider gets one statement for {month.label}: "
            "close these first, or name them with --leave-out, and what they close later is in the next statement."
        )
    if not any(_in(calendar, month) for calendar in calendars.values()):
        raise PayoutRefusedError(f"Nobody has closed a period that ends in {month.label} or before it.")


def _in(calendar: Calendar, month: Period) -> list[str]:
    """Labels of closed periods that end in the month or before, by the Builder's own days."""
    return [each.period.label for each in calendar.closed if each.period.last_day <= month.last_day]


def _covers(calendars: Mapping[str, Calendar], month: Period, leave_out: Collection[str]) -> dict[str, str]:
    """Up to which period each Builder's statements are in it."""
    found = {builder: _in(calendar, month) for builder, calendar in calendars.items() if builder not in leave_out}
    return {builder: labels[-1] for builder, labels in found.items() if labels}


def _statements(
    month: Period,
    posted: Sequence[Payable],
    calendars: Mapping[str, Calendar],
    covers: Mapping[str, str],
    standing: Sequence[PayoutRecord],
) -> list[RewardStatement]:
    labels = {builder: set(_in(calendars[builder], month)) for builder in covers}
    open_now: dict[Covered, Decimal] = {}
    for each in posted:
        if each.period in labels.get(each.builder, ()):
            key = each.party, each.currency, each.builder, each.refers_to
            open_now[key] = EXACT.add(open_now.get(key, Decimal(0)), each.amount)
    carried: dict[str, dict[str, Decimal]] = {}
    for record in standing:
        document = json.loads(record.document)
        carried.setdefault(record.party, {})[record.currency] = record.carried
        for line in document["lines"]:
            key = record.party, record.currency, line["builder"], line["refers_to"]
            # What is left out of this run is not taken off either: its lines wait with it.
            if line["builder"] in labels:
                open_now[key] = EXACT.add(open_now.get(key, Decimal(0)), Decimal(line["exact"]))
    owed: dict[str, list[tuple[str, Posting]]] = {provider: [] for provider in carried}
    for (provider, currency, builder, reason), amount in sorted(open_now.items()):
        if amount:
            posting = Posting(PROVIDER_PAYABLE, provider, currency, reason, amount)
            owed.setdefault(provider, []).append((builder, posting))
    return [
        made
        for provider in sorted(owed)
        for made in rewards(provider, month.label, owed[provider], carried.get(provider))
        if any(line.builder for line in made.lines)  # a fraction that waits is no statement
    ]


def _record(
    number: str, made: RewardStatement, month: Period, covers: Mapping[str, str], by: str, reason: str
) -> PayoutRecord:
    return PayoutRecord(
        EVERYBODY,
        number,
        REWARD,
        made.provider,
        month.label,
        month.start,
        made.currency,
        made.amount,
        made.carried,
        month.end,
        reward_document(number, made, month, covers),
        by,
        reason,
    )

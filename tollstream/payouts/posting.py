"""From records to postings: each record is posted once, and one whose postings a crash left out is posted by the next.

The record decides, its document holds the postings, and writing them again is the same row: so whoever is about to
read accounts first writes what is missing (`mend`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from billing.postings import CASH, PAYOUT_DUE, PLATFORM, REWARD_DUE, Posting, balanced
from sinks.payable import SettlementStore
from sinks.payouts import MARK_JOURNAL, NOTE_JOURNAL, PAYOUT_JOURNAL, NoteRecord, PayoutMark, PayoutRecord
from sinks.statements import PostingSet
from tollstream.payouts.documents import postings_of

PAYOUT, REWARD, PAYOUT_PAID, REWARD_PAID = "payout", "reward", "payout_paid", "reward_paid"
NOTES = ("credit_note", "refund", "write_off", "chargeback", "payment")
KINDS = (PAYOUT, REWARD, PAYOUT_PAID, REWARD_PAID, *NOTES)
_DUE: Mapping[str, tuple[str, str]] = {PAYOUT: (PAYOUT_DUE, PAYOUT_PAID), REWARD: (REWARD_DUE, REWARD_PAID)}


def payout_postings(record: PayoutRecord) -> PostingSet:
    """What a payout or reward posts when it is decided."""
    return PostingSet(
        record.builder,
        record.kind,
        record.payout_id,
        postings_of(record.document),
        record.recorded_at,
        period=record.period,
        period_start=record.period_start,
    )


def mark_postings(record: PayoutRecord, mark: PayoutMark) -> PostingSet:
    """What it posts when it is paid: it is owed no more, and the money is gone."""
    account, kind = _DUE[record.kind]
    postings = [
        Posting(account, record.party, record.currency, mark.reference, record.amount),
        Posting(CASH, PLATFORM, record.currency, mark.reference, -record.amount),
    ]
    return PostingSet(
        record.builder,
        kind,
        record.payout_id,
        balanced(postings),
        mark.paid_at,
        period=record.period,
        period_start=record.period_start,
    )


def note_postings(record: NoteRecord) -> PostingSet:
    """What a note posts."""
    return PostingSet(
        record.builder,
        record.kind,
        record.note_id,
        postings_of(record.document),
        record.recorded_at,
        record.tenant,
        record.period,
        record.period_start,
    )


async def unposted(store: SettlementStore, builder: str) -> list[PostingSet]:
    """Sets of the Builder's ("": of rewards') records that are not posted: a crash came between."""
    where = {"builder": builder}
    records, marks, notes, posted = await asyncio.gather(
        store.read_journal(PAYOUT_JOURNAL, where),
        store.read_journal(MARK_JOURNAL, where),
        store.read_journal(NOTE_JOURNAL, where),
        store.read_posted_documents(builder, KINDS),
    )
    by_number = {record.payout_id: record for record in records}
    sets = [*map(payout_postings, records), *map(note_postings, notes)]
    sets += [mark_postings(by_number[mark.payout_id], mark) for mark in marks if mark.payout_id in by_number]
    return [each for each in sets if each.postings and (each.document_kind, each.document) not in posted]


async def mend(store: SettlementStore, builder: str) -> int:
    """Post what is missing; answers how many sets that were."""
    missing = await unposted(store, builder)
    if missing:
        await store.write_postings(missing)
    return len(missing)

"""Paid once: a mark with the reference of whoever paid, and the postings that say so.

The attempt comes first, as with a command (`sending.py`), so that nobody starts to pay by machine what somebody is
paying by hand. Of two marks the store keeps the first (`sinks.journals`); the second is told who, when, and under which
reference.
Errors  `AlreadyPaidError`, `PayoutRefusedError`; after either nothing has changed.
"""

from __future__ import annotations

from datetime import datetime

from sinks.journals import append, try_record
from sinks.payable import SettlementStore
from sinks.payout_terms import RELEASED, SEND_JOURNAL, SENT, SendRecord
from sinks.payouts import MARK_JOURNAL, PayoutMark, PayoutRecord
from tollstream.payouts.posting import mark_postings
from tollstream.payouts.refusal import AlreadyPaidError, PayoutRefusedError, said
from tollstream.payouts.standing import Standing, read_one

BY_HAND = ""


async def mark_paid(
    store: SettlementStore,
    number: str,
    *,
    reference: str,
    by: str,
    now: datetime,
    reason: str = "",
    paid_at: datetime | None = None,
    early: bool = False,
) -> Standing:
    """Mark a payout or reward as paid by hand; of one that was sent and not confirmed it says that it was paid."""
    standing = await read_one(store, number)
    record = standing.record
    await refuse_paid(store, standing)
    if not record.amount:
        raise PayoutRefusedError(f"{record.payout_id} is 0 {record.currency}: all of it is carried, nothing is to pay.")
    if now < record.due_at and not early and not standing.unconfirmed:
        raise PayoutRefusedError(
            f"{record.payout_id} is held until {said(record.due_at)}, for chargebacks to come in. If it was paid all "
            "the same, say --early, and the record will."
        )
    if not standing.unconfirmed and standing.answer is None:
        await claim(store, standing, SendRecord(record.builder, record.payout_id, SENT, by, BY_HAND, reason=reason))
    await record_mark(
        store, record, PayoutMark(record.builder, record.payout_id, reference, paid_at or now, by, reason)
    )
    return await read_one(store, number)


async def release(store: SettlementStore, number: str, *, by: str, reason: str) -> Standing:
    """A person says that an attempt did not pay: it may be sent again."""
    standing = await read_one(store, number)
    record = standing.record
    await refuse_paid(store, standing)
    if standing.answer is not None:
        raise PayoutRefusedError(
            f"{record.payout_id} was paid, says {standing.answer.command!r}, under the reference "
            f"{standing.answer.reference!r}, and the mark is missing: run the export with --hook once more, which "
            "writes it and pays nothing."
        )
    if not standing.unconfirmed:
        raise PayoutRefusedError(f"{record.payout_id} is not waiting for anybody: there is no attempt to release.")
    await claim(store, standing, SendRecord(record.builder, record.payout_id, RELEASED, by, reason=reason))
    return await read_one(store, number)


async def claim(store: SettlementStore, standing: Standing, entry: SendRecord) -> SendRecord:
    """Record the next entry of a payout's attempts; PayoutRefusedError where somebody was faster."""
    where = {"builder": entry.builder, "payout_id": entry.payout_id}

    def judge(found: list[SendRecord]) -> list[SendRecord]:
        if len(found) != len(standing.sends):
            newest, verbs = found[-1], f"{standing.record.kind}s"
            raise PayoutRefusedError(
                f"{entry.payout_id}: {newest.recorded_by} has recorded {newest.state!r} in the meantime "
                f"({said(newest.recorded_at)}). Nothing was sent; look at `tollstream {verbs} show {entry.payout_id}`."
            )
        return [entry]

    [recorded] = await append(store, SEND_JOURNAL, where, judge)
    return recorded


async def record_mark(store: SettlementStore, record: PayoutRecord, mark: PayoutMark) -> PayoutMark:
    """The mark as it stands, posted. Raises `AlreadyPaidError` where somebody else's stands."""
    where = {"builder": record.builder, "payout_id": record.payout_id}
    recorded = await try_record(store, MARK_JOURNAL, where, [mark], [])
    if not recorded:
        [standing] = await store.read_journal(MARK_JOURNAL, where)
        await store.write_postings([mark_postings(record, standing)])
        raise _already(standing)
    await store.write_postings([mark_postings(record, recorded[0])])
    return recorded[0]


async def refuse_paid(store: SettlementStore, standing: Standing) -> None:
    """`AlreadyPaidError` for what is paid; posts it first, in case a crash has left that out."""
    if standing.mark is not None:
        await store.write_postings([mark_postings(standing.record, standing.mark)])
        raise _already(standing.mark)


def _already(mark: PayoutMark) -> AlreadyPaidError:
    return AlreadyPaidError(number=mark.payout_id, by=mark.recorded_by, paid_at=mark.paid_at, reference=mark.reference)

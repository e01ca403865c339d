"""A payout or reward as it stands: decided, held, due, sent and not confirmed, paid.

nothing      all of it is carried
held         its hold days are not over
due          may be paid
unconfirmed  an attempt was recorded, and nobody knows whether money left: a person finds out, and says so with
             `mark-paid` (it was paid) or `release` (it was not)
paid         marked, with a reference
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sinks.journals import EPOCH, JournalStore
from sinks.payout_terms import ANSWERED, SEND_JOURNAL, SENT, SendRecord
from sinks.payouts import MARK_JOURNAL, PAYOUT_JOURNAL, PayoutMark, PayoutRecord
from tollstream.payouts.documents import instant, without_postings
from tollstream.payouts.numbering import Kind, place_of
from tollstream.payouts.refusal import PayoutRefusedError
from tollstream.rendering.figures import plain_money

PAID_EXIT, TRY_AGAIN_EXIT = 0, 75  # EX_TEMPFAIL: nothing was paid, ask again later


class State(StrEnum):
    """In the order in which a payout goes through them."""

    NOTHING = "nothing"
    HELD = "held"
    DUE = "due"
    UNCONFIRMED = "unconfirmed"
    PAID = "paid"


WORDS = {
    State.NOTHING: "nothing to pay",
    State.HELD: "held",
    State.DUE: "due",
    State.UNCONFIRMED: "sent, not confirmed",
    State.PAID: "paid",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A record, and what became of it."""

    record: PayoutRecord
    mark: PayoutMark | None
    sends: tuple[SendRecord, ...]  # oldest first

    @property
    def last(self) -> SendRecord | None:
        """The last attempt's last entry."""
        return self.sends[-1] if self.sends else None

    @property
    def answer(self) -> SendRecord | None:
        """The answer of a command that has paid, and whose mark a crash left out."""
        last = self.last
        paid = last is not None and last.state == ANSWERED and last.exit_code == PAID_EXIT and last.reference
        return last if paid and self.mark is None else None

    @property
    def unconfirmed(self) -> bool:
        """Whether only a person can say if it was paid."""
        last = self.last
        if self.mark is not None or last is None or self.answer is not None:
            return False
        return last.state == SENT or (last.state == ANSWERED and last.exit_code != TRY_AGAIN_EXIT)

    def state(self, now: datetime) -> State:
        """At a moment."""
        if self.mark is not None:
            return State.PAID
        if not self.record.amount:
            return State.NOTHING
        if self.last is not None and (self.unconfirmed or self.answer is not None):
            return State.UNCONFIRMED
        return State.DUE if now >= self.record.due_at else State.HELD

    def as_json(self, now: datetime) -> dict[str, Any]:
        """The document, who decided it, and what became of it."""
        record, mark = self.record, self.mark
        return without_postings(record.document) | {
            "decided_at": instant(record.recorded_at) if record.recorded_at != EPOCH else None,  # of a dry run
            "decided_by": record.recorded_by,
            "reason": record.reason,
            "state": str(self.state(now)),
            "paid": None
            if mark is None
            else {
                "reference": mark.reference,
                "paid_at": instant(mark.paid_at),
                "by": mark.recorded_by,
                "reason": mark.reason,
            },
            "attempts": [
                {
                    "state": each.state,
                    "at": instant(each.recorded_at),
                    "by": each.recorded_by,
                    "command": each.command,
                    "exit_code": each.exit_code,
                    "reference": each.reference,
                    "output": each.output,
                    "reason": each.reason,
                }
                for each in self.sends
            ],
        }


async def read_standing(store: JournalStore, builder: str, kind: Kind, period: str = "") -> list[Standing]:
    """Of a Builder ("": rewards), of one period or of all; in order of numbers."""
    where = {"builder": builder}
    records, marks, sends = await asyncio.gather(
        store.read_journal(PAYOUT_JOURNAL, where),
        store.read_journal(MARK_JOURNAL, where),
        store.read_journal(SEND_JOURNAL, where),
    )
    by_number = {mark.payout_id: mark for mark in marks}
    attempts: dict[str, list[SendRecord]] = {}
    for send in sends:
        attempts.setdefault(send.payout_id, []).append(send)
    return [
        Standing(record, by_number.get(record.payout_id), tuple(attempts.get(record.payout_id, ())))
        for record in records
        if record.kind == kind and period in ("", record.period)
    ]


async def read_one(store: JournalStore, number: str) -> Standing:
    """The one of this number; PayoutRefusedError where there is none."""
    kind, builder = place_of(number)
    for each in await read_standing(store, builder, kind):
        if each.record.payout_id == number.strip():
            return each
    whose = f"{builder} has no payout" if builder else "There is no reward"
    raise PayoutRefusedError(f"{whose} {number.strip()}: `tollstream {kind}s --period` prints the numbers.")


def row(standing: Standing, now: datetime) -> dict[str, str]:
    """For a payment run: a row of the export."""
    record = standing.record
    return {
        "number": record.payout_id,
        "kind": record.kind,
        "party": record.party,
        "period": record.period,
        "currency": record.currency,
        "amount": plain_money(record.amount, record.currency),
        "due_at": instant(record.due_at),
        "state": str(standing.state(now)),
        "reference": standing.mark.reference if standing.mark else "",
    }

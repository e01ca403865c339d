"""Do the postings add up? Everything that is posted, in every currency, to 0; and what is on record and not posted.

Errors  none of its own: what is found is a value, with a sentence of what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sinks.payable import Balance, SettlementStore
from sinks.reconciliation import Finding, Level
from tollstream.payouts.closed import read_calendars
from tollstream.payouts.numbering import PAYOUT, REWARD, Kind
from tollstream.payouts.posting import unposted
from tollstream.payouts.rewarding import EVERYBODY
from tollstream.payouts.sending import unconfirmed_sentence
from tollstream.payouts.standing import read_standing

NAME = "postings balance"


class PostingsStore(SettlementStore, Protocol):
    """A store that also looks at each document by itself."""

    async def read_unbalanced(self) -> list[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Postings:
    """What is posted, by currency, and what is wrong with it."""

    balances: tuple[Balance, ...]
    findings: tuple[Finding, ...]


async def check_postings(store: PostingsStore) -> Postings:
    """All books of all Builders."""
    balances = await store.read_balance()
    found = [
        _finding(Level.FAILURE, f"all postings in {each.currency} add up to {each.residual:f}, and should to 0.")
        for each in balances
        if each.residual
    ]
    found += [
        _finding(
            Level.FAILURE,
            f"{each['document_kind']} {each['document']} adds up to {each['residual']:f} {each['currency']}, and "
            "should to 0: somebody has written past the constraint. Restore posting_sets.",
        )
        for each in await store.read_unbalanced()
    ]
    for builder in (EVERYBODY, *await read_calendars(store)):
        missing = [each.document for each in await unposted(store, builder)]
        if missing:
            whose = f"`tollstream payouts --builder {builder} --period`" if builder else "`tollstream rewards --period`"
            found.append(
                _finding(
                    Level.WARNING,
                    f"{', '.join(missing[:5])}: on record and not posted, because something broke off. {whose} of any "
                    "decided period posts what is missing.",
                )
            )
        found += await _unconfirmed(store, builder)
    return Postings(tuple(balances), tuple(found))


async def _unconfirmed(store: SettlementStore, builder: str) -> Sequence[Finding]:
    kind: Kind = PAYOUT if builder else REWARD
    return [
        _finding(Level.WARNING, unconfirmed_sentence(each))
        for each in await read_standing(store, builder, kind)
        if each.unconfirmed
    ]


def _finding(level: Level, sentence: str) -> Finding:
    return Finding(level, NAME, None, None, sentence)

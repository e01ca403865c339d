"""Entries of a closing: each one at the place behind the one it follows, so that whoever was overtaken notices.

Before `frozen` only one may go on: whoever finds its place taken stops. After it everybody computes the same, so
whoever finds its place taken by the same step of the same attempt goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.closings import ABANDONED, CLOSED, CLOSING_JOURNAL, FROZEN, NUMBERED, PLANNED, WRITTEN, Closing
from sinks.journals import try_record
from tollstream.closing.refusal import CloseRefusedError

AFTER_FREEZE = (FROZEN, NUMBERED, WRITTEN)


async def read_entries(store: ClickHouseStatementStore, builder: str) -> list[Closing]:
    """Every entry of the Builder, oldest first."""
    return await store.read_journal(CLOSING_JOURNAL, {"builder": builder})


def under_way(entries: Sequence[Closing]) -> Closing | None:
    """The newest entry of a closing that is neither closed nor abandoned."""
    newest = entries[-1] if entries else None
    return newest if newest is not None and newest.state not in (CLOSED, ABANDONED) else None


def attempts(entries: Sequence[Closing], label: str) -> int:
    """How often the period was attempted."""
    return max((entry.attempt for entry in entries if entry.period.label == label), default=0)


async def advance(store: ClickHouseStatementStore, entries: list[Closing], entry: Closing) -> Closing:
    """Record the next entry behind `entries`; answers what stands there: this one, or that of whoever was faster.

    `entries` is brought up to date. Raises `CloseRefusedError` where somebody else's entry forbids to go on."""
    where = {"builder": entry.builder}
    recorded = await try_record(store, CLOSING_JOURNAL, where, [entry], entries)
    known = len(entries)
    entries[:] = await read_entries(store, entry.builder)
    if recorded:
        return recorded[0]
    theirs = entries[known] if len(entries) > known else None
    same = theirs is not None and theirs.closing_id == entry.closing_id
    if theirs is not None and same and entry.state in (NUMBERED, WRITTEN, CLOSED) and theirs.state != ABANDONED:
        return entries[-1]
    who = theirs.by if theirs is not None else "Somebody"
    label = (theirs or entry).period.label
    raise CloseRefusedError(
        f"{who} closes {entry.builder} {label} at this moment, and was faster: nothing of this attempt counts. Run "
        "the same again to see what stands, or to take over if theirs broke off."
    )


__all__ = ["AFTER_FREEZE", "PLANNED", "advance", "attempts", "read_entries", "under_way"]

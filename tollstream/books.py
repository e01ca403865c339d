"""The published books, as every verb reads them: from the store, which is the only place where they stand."""

from __future__ import annotations

import asyncio

from billing.prices import PriceBooks
from billing.publication import PRICES, RULES
from billing.published import books_of
from billing.surcharges import RuleBooks
from sinks.contract import Sink
from tollstream.errors import UserError


async def load_published(sink: Sink) -> tuple[PriceBooks, RuleBooks]:
    """Every version that stands, retroactive ones included; UserError where prices or rules were never published."""
    records = await sink.read_books((PRICES, RULES))
    missing = [kind for kind in (PRICES, RULES) if not any(record.kind == kind for record in records)]
    if missing:
        raise UserError(nothing_published(missing[0]))
    return await asyncio.to_thread(books_of, records)


def nothing_published(kind: str) -> str:
    """What to do about a store without prices or rules."""
    return (
        f"The store has no {kind}: publish a version with `tollstream {kind} publish FILE --by NAME --reason TEXT`; "
        "docs/publishing.md goes through it."
    )

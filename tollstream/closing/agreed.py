"""What statements are agreed on, as it stood at a place: plan books, exchange rates, credits.

A place never changes its meaning (`sinks.journals`), so a closing that names one can be computed again years later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from billing.fx import FxRates
from billing.loading import parse_version
from billing.plans import PlanBook, PlanBooks
from billing.published import suffix_of
from sinks.agreements import GRANTS, PLANS, RATES, PlanRecord, RateRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from tollstream.errors import UserError


@dataclass(slots=True)
class Agreements:
    """Everything on record for a Builder when it was read."""

    builder: str
    plan_records: Sequence[PlanRecord]
    rate_records: Sequence[RateRecord]
    grants_place: int
    _books: dict[str, PlanBook] = field(default_factory=dict)
    _shelves: dict[int, PlanBooks] = field(default_factory=dict)

    @property
    def plans_place(self) -> int:
        """Place of the newest plan book; 0 without any."""
        return max((record.sequence for record in self.plan_records), default=0)

    @property
    def rates_place(self) -> int:
        """Place of the newest rates; 0 without any."""
        return max((record.sequence for record in self.rate_records), default=0)

    def plans(self, place: int) -> PlanBooks:
        """The plan books up to a place."""
        if place not in self._shelves:
            records = [record for record in self.plan_records if record.sequence <= place]
            self._shelves[place] = PlanBooks([self._book(record) for record in records])
        return self._shelves[place]

    def rates(self, place: int) -> FxRates:
        """The exchange rates up to a place."""
        return FxRates(record.dated for record in self.rate_records if record.sequence <= place)

    def _book(self, record: PlanRecord) -> PlanBook:
        if record.digest not in self._books:
            self._books[record.digest] = read_plan_record(record)
        return self._books[record.digest]


def read_plan_record(record: PlanRecord) -> PlanBook:
    """The book whose text a record holds."""
    name = f"version {record.version} of {record.builder}'s published plans"
    book = parse_version(record.content, suffix_of(record.content), name, PlanBook)
    if (book.builder, book.version, book.effective_from, book.digest) != (
        record.builder,
        record.version,
        record.effective_from,
        record.digest,
    ):
        raise UserError(
            f"{name}: its text in the store's table `plan_books` is not the one that was published, or its columns are "
            "not. Nothing is closed with it: bring the table back from a backup."
        )
    return book


async def read_agreements(store: ClickHouseStatementStore, builder: str) -> Agreements:
    """What stands now."""
    plans = await store.read_journal(PLANS, {"builder": builder})
    rates = await store.read_journal(RATES, {})
    grants = await store.newest_place(GRANTS, {"builder": builder})
    return Agreements(builder, plans, rates, grants)

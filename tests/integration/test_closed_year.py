"""A year of usage, closed month by month: what statements have billed is the ledger, to the last digit.

Every month brings usage of its own, usage of earlier months that comes late, usage that is taken back, rated again, or
waits for a price until later, all drawn from a seed. After each closing the ledger is what was billed;
statements of a Builder without plans add up to it, those of one with plans balance with it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sinks.clickhouse.client import Client
from sinks.statements import StatementQuery
from tests.support.closing_desk import ClosingDesk, migrated
from tests.support.rows import Row

TENANTS = ("globex", "initech", "umbrella", "wayne", "zeta")
ACCEPTED = ("unpriced",)


@pytest.fixture
def client(clickhouse_url: str) -> Iterator[Client]:
    with migrated(clickhouse_url) as client:
        yield client


def months(year: int) -> list[datetime]:
    """First moments of the months, and of the year after."""
    return [datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(13)]


class Year:
    """What happens, month by month, to one Builder's usage."""

    def __init__(self, desk: ClosingDesk, seed: int) -> None:
        self.desk, self.draw = desk, random.Random(seed)
        self.usage: list[Row] = []  # that can still be corrected
        self.waiting: list[Row] = []

    def month(self, start: datetime, end: datetime) -> None:
        """A month's usage, and what becomes of earlier usage meanwhile."""
        own = [self._use(start, end) for _ in range(self.draw.randint(6, 14))]
        self._store(own)
        if self.draw.random() < 0.6:
            waits = self.desk.waiting(self._tenant(), self._time(start, end))
            self.waiting.append(waits)
            self._store([waits])
        self._store(list(self._corrections(start)))

    def _corrections(self, start: datetime) -> Iterator[Row]:
        for _ in range(self.draw.randint(0, 4)):
            if self.usage:
                yield self.desk.rerate(self.draw.choice(self.usage), f"{self.draw.randint(-400, 900) / 1000}")
        for _ in range(self.draw.randint(0, 3)):
            late = self._use(start - timedelta(days=self.draw.randint(1, 200)), start)
            yield late

    def take_back(self) -> None:
        """Some usage, with all that was added to it."""
        for _ in range(self.draw.randint(0, 3)):
            if self.usage:
                self._store([self.desk.void(self._pop(self.usage))])

    def price(self) -> None:
        """Some of what waits gets a price; now and then it is taken back at once."""
        if self.waiting and self.draw.random() < 0.7:
            waits = self._pop(self.waiting)
            self._store([self.desk.rate_later(waits, f"{self.draw.randint(1, 3000) / 1000}")])
            if self.draw.random() < 0.3:
                self._store([self.desk.void(waits)])

    def _use(self, start: datetime, end: datetime) -> Row:
        charge = Decimal(self.draw.randint(1, 10**9)) * 4 / Decimal(10**9)
        first = datetime(2025, 1, 1, tzinfo=UTC)
        row = self.desk.usage(
            self._tenant(), self._time(max(start, first), max(end, first + timedelta(days=1))), f"{charge:.12f}",
            provider=self.draw.choice(("north", "south", "")), feature=self.draw.choice(("chat", "search")),
        )  # fmt: skip
        self.usage.append(row)
        return row

    def _store(self, rows: list[Row]) -> None:
        if rows:
            self.desk.store_rows(*rows)

    def _tenant(self) -> str:
        return self.draw.choice(TENANTS)

    def _time(self, start: datetime, end: datetime) -> datetime:
        return start + timedelta(seconds=self.draw.randrange(int((end - start).total_seconds())))

    def _pop(self, rows: list[Row]) -> Row:
        return rows.pop(self.draw.randrange(len(rows)))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("planned", [False, True])
async def test_a_year_of_late_voided_and_rerated_usage_is_billed_to_the_last_digit(
    client: Client, planned: bool
) -> None:
    desk = ClosingDesk(client, portion=3)
    year = Year(desk, seed=20_250_101)
    if planned:
        await desk.plan("globex", "initech", since="2024-01-01T00:00:00Z")
    starts = months(2025)
    kinds: set[str] = set()
    for start, end in itertools.pairwise(starts):
        year.month(start, end)
        year.take_back()
        await desk.close(f"{start:%Y-%m}", *ACCEPTED)
        billed_is_ledger(desk)
        # What comes between two closings belongs to the next one.
        year.price()
        year.take_back()
        kinds |= {line["key"].split("/")[2] for each in await desk.statements(period=f"{start:%Y-%m}")
                  for line in each["lines"] if line["kind"] == "adjustment"}  # fmt: skip
    await desk.close("2026-01", *ACCEPTED)
    billed_is_ledger(desk)
    assert {"late", "void", "rerate"} <= kinds
    await statements_add_up(desk, planned=planned)


def billed_is_ledger(desk: ClosingDesk) -> None:
    """Per tenant, and so for the Builder: nothing in the ledger is beyond the cut when this is asked."""
    assert desk.sums_by_tenant("billed_usage") == desk.sums_by_tenant("usage_ledger")


async def statements_add_up(desk: ClosingDesk, *, planned: bool) -> None:
    """Numbers, lines and postings of the whole year against the ledger."""
    heads = await desk.store.read_heads(StatementQuery(builder=desk.builder))
    assert sorted(head.number for head in heads) == list(range(1, len(heads) + 1))
    assert await desk.store.read_unbalanced() == []
    posted: dict[str, Decimal] = {}
    for each in await desk.store.read_posted(desk.builder):
        posted[each.account] = posted.get(each.account, Decimal(0)) + each.amount
    ledger = desk.sums("usage_ledger")
    assert -posted["provider_payable"] == ledger["provider_reward"]
    assert -posted.get("platform_fee", Decimal(0)) == ledger["platform_fee"]
    assert sum(posted.values()) == 0
    assert posted["tenant_receivable"] == sum(head.total for head in heads)
    if not planned:
        assert -posted["builder_payable"] == ledger["builder_earnings"]
        [row] = desk.client.query_rows(
            f"SELECT sum(exact) AS exact FROM {desk.client.configuration.database}.statement_lines FINAL",
            doing="adding",
        )
        assert row["exact"] == ledger["customer_charge"]
        assert posted["tenant_receivable"] + posted["rounding_difference"] == ledger["customer_charge"]

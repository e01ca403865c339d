"""The end of the month: plans are published, every Builder's month is closed, payouts and rewards are decided.

The path is that of `tollstream plans publish`, `fx add`, `grants add`, `close`, `payouts` and `rewards`, with every
check that stands in the way of a closing and nothing accepted. Then all of it is asked for once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from billing.periods import Period
from billing.plans import PlanBook
from billing.postings import PLATFORM_FEE, PLATFORM_FUNDING
from sinks.agreements import GrantRecord
from sinks.clickhouse import ClickHouseConfiguration, ClickHouseSink
from sinks.clickhouse.settlement_store import ClickHouseSettlementStore
from sinks.payable import Balance, Payable
from sinks.statements import StatementQuery, StoredStatement
from tollstream.agreements import grants, plans, rates
from tollstream.books import load_published
from tollstream.closing.checks import Accepted
from tollstream.closing.log import KafkaLog
from tollstream.closing.run import Installation, Result, close
from tollstream.demo import settings
from tollstream.payouts.deciding import Decided, decide_all
from tollstream.payouts.numbering import PAYOUT, REWARD
from tollstream.payouts.rewarding import EVERYBODY, reward
from tollstream.payouts.standing import Standing, read_standing

BY = "demo"
REASON = "the end of the month"
STATEMENTS_MAX = 1_000
BOUGHT = ("quill", "northwind", "drafts-100")  # Builder, tenant and top-up that it bought in the month
EURO = "0.92"  # for one dollar; an example


@dataclass(frozen=True, slots=True)
class Settlement:
    """A closed month, as the store has it."""

    period: Period
    meters: Mapping[tuple[str, str], str]  # (Builder, word on its statements) -> what is counted
    closings: tuple[Result, ...]
    statements: tuple[StoredStatement, ...]  # in order of Builders and numbers
    payouts: tuple[Standing, ...]
    rewards: tuple[Standing, ...]
    platform: tuple[Payable, ...]  # fees, and allowances that the platform pays for; a credit is below 0
    balances: tuple[Balance, ...]  # of everything that is posted, by currency
    unbalanced: int  # documents whose postings do not add up to 0
    changed: tuple[str, ...]  # what became otherwise when all of it was asked for again

    @property
    def residual(self) -> Decimal:
        """Over all currencies, without sign."""
        return sum((abs(each.residual) for each in self.balances), Decimal(0))


@dataclass(frozen=True, slots=True)
class _Stands:
    """Every document of the month."""

    statements: tuple[StoredStatement, ...]
    payouts: tuple[Standing, ...]
    rewards: tuple[Standing, ...]

    def differs_from(self, other: _Stands) -> list[str]:
        """Numbers of documents that are not the same, to the letter, or are only in one."""
        mine, others = self._texts(), other._texts()
        return [number for number in sorted(mine.keys() | others.keys()) if mine.get(number) != others.get(number)]

    def _texts(self) -> dict[str, str]:
        decided = {each.record.payout_id: each.record.document for each in (*self.payouts, *self.rewards)}
        return {each.head.reference: each.document for each in self.statements} | decided


async def settle(
    configuration: ClickHouseConfiguration, bootstrap_servers: str, topic: str, folder: Path, period: Period
) -> Settlement:
    """Close the month of every Builder with a plan book in the folder. Raises what a closing and a payout raise."""
    books = await asyncio.to_thread(_read_books, folder)
    builders = sorted(book.builder for book in books)
    store = await ClickHouseSettlementStore.connect(configuration)
    try:
        await _agree(store, books, period)
        installation = await _installation(store, configuration, bootstrap_servers, topic)
        closings = await _close(installation, builders, period)
        await _decide(store, period)
        before = await _read(store, builders, period)
        again = await _close(installation, builders, period)
        paid_again, rewarded_again = await _decide(store, period)
        after = await _read(store, builders, period)
        return Settlement(
            period=period,
            meters=_meters(books),
            closings=tuple(closings),
            statements=after.statements,
            payouts=after.payouts,
            rewards=after.rewards,
            platform=tuple(await store.read_payable([PLATFORM_FEE, PLATFORM_FUNDING], None)),
            balances=tuple(await store.read_balance()),
            unbalanced=len(await store.read_unbalanced()),
            changed=(
                *before.differs_from(after),
                *(f"{each.entry.builder} was closed again" for each in again if not each.stood),
                *(f"{each.builder} was paid again" for each in paid_again.decisions if each.new),
                *["rewards were decided again"] * rewarded_again,
            ),
        )
    finally:
        await store.close()


def _meters(books: list[PlanBook]) -> dict[tuple[str, str], str]:
    units = ((book.builder, unit) for book in books for plan in book.plans for unit in plan.units)
    return {(builder, word): unit.meter for builder, unit in units for word in (unit.one, unit.many)}


def _read_books(folder: Path) -> list[PlanBook]:
    return [plans.read_file(path) for path in sorted(folder.glob("*.toml"))]


async def _agree(store: ClickHouseSettlementStore, books: list[PlanBook], period: Period) -> None:
    """Plans, an exchange rate and a top-up: what statements are made under."""
    await asyncio.gather(*(plans.publish(store, book, BY, "plans of the demonstration") for book in books))
    day = period.last_day.isoformat()
    await rates.record_rates(store, [rates.rate(day, "USD", "EUR", EURO, "an example", BY, "for the demonstration")])
    builder, tenant, name = BOUGHT
    [book] = [each for each in books if each.builder == builder]
    [top_up] = [each for plan in book.plans for each in plan.top_ups if each.id == name]
    bought_at = period.start + timedelta(days=9)
    grant = top_up.bought("order-1", tenant=tenant, currency=book.currency, at=bought_at)
    await grants.record_grant(store, GrantRecord(builder, grant, BY, "order 1"))


async def _installation(
    store: ClickHouseSettlementStore, configuration: ClickHouseConfiguration, bootstrap_servers: str, topic: str
) -> Installation:
    sink = await ClickHouseSink.connect(configuration)
    try:
        _, rules = await load_published(sink)
    finally:
        await sink.close()
    log = KafkaLog(bootstrap_servers, topic, settings.TOPIC_EPOCH, settings.PARTITIONS)
    return Installation(store, rules, log, settings.WINDOW_SECONDS)


async def _close(installation: Installation, builders: list[str], period: Period) -> list[Result]:
    """Nothing is accepted: whatever stands in the way of a real closing stands in the way of this one."""
    nothing = Accepted(frozenset(), BY, REASON)
    return list(await asyncio.gather(*(close(installation, each, period.label, nothing) for each in builders)))


async def _decide(store: ClickHouseSettlementStore, period: Period) -> tuple[Decided, bool]:
    decided = await decide_all(store, period.label, by=BY, reason=REASON)
    rewarded = await reward(store, period.label, by=BY, reason=REASON)
    return decided, rewarded.new


async def _read(store: ClickHouseSettlementStore, builders: list[str], period: Period) -> _Stands:
    queries = [StatementQuery(builder=builder, period=period.label, limit=STATEMENTS_MAX) for builder in builders]
    statements, payouts, rewards = await asyncio.gather(
        asyncio.gather(*(store.read_statements(query) for query in queries)),
        asyncio.gather(*(read_standing(store, builder, PAYOUT, period.label) for builder in builders)),
        read_standing(store, EVERYBODY, REWARD, period.label),
    )
    numbered = [each for some in statements for each in sorted(some, key=lambda each: each.head.number)]
    return _Stands(tuple(numbered), tuple(each for some in payouts for each in some), tuple(rewards))

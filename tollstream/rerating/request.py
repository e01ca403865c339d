"""What is asked of a re-rating, and the plan that records it.

Errors  `RerateRefusedError`: nothing was published; the sentence says why, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from billing.prices import PriceBook, PriceBooks
from billing.publication import PRICES, RULES
from billing.rerating import ByHand, Selection
from billing.surcharges import RuleBook, RuleBooks
from sinks.rerates import PLANNED, Partition, Rerate
from sinks.usage import UsageRange
from tollstream.errors import UserError

# What the ledger's window column can hold.
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class RerateRefusedError(UserError):
    """Nothing was published."""


@dataclass(frozen=True, slots=True)
class Request:
    """Usage with an event time in [start, end), of one Builder and tenant or ("") of all."""

    start: datetime = FIRST
    end: datetime = LAST
    builder: str = ""
    tenant: str = ""
    unpriced: bool = False  # only what waits for a price
    selection: Selection = field(default_factory=Selection)
    by_hand: ByHand = ByHand.LEAVE

    def __post_init__(self) -> None:
        if not FIRST <= self.start < self.end <= LAST:
            raise RerateRefusedError(
                f"--from {self.start.isoformat()} to {self.end.isoformat()} is no range of usage: give a --to after "
                f"--from, both between {FIRST.year} and {LAST.year}."
            )

    @property
    def usage(self) -> UsageRange:
        """As the ledger is asked for it."""
        return UsageRange(self.start, self.end, self.builder, self.unpriced)


def plan_of(
    request: Request,
    *,
    rerate_id: str,
    by: str,
    reason: str,
    topic_epoch: int,
    books: Mapping[str, str],
    cut: Mapping[Partition, int],
) -> Rerate:
    """The entry that records it, still without counts and sums."""
    return Rerate(
        rerate_id=rerate_id,
        state=PLANNED,
        by=by,
        reason=reason,
        topic_epoch=topic_epoch,
        event_time_from=request.start,
        event_time_to=request.end,
        builder=request.builder,
        tenant=request.tenant,
        unpriced=request.unpriced,
        prices=request.selection.prices,
        rules=request.selection.rules,
        timeline=request.selection.timeline,
        by_hand=request.by_hand,
        books=books,
        cut=cut,
    )


def request_of(plan: Rerate) -> Request:
    """What was asked for when it was planned."""
    return Request(
        start=plan.event_time_from,
        end=plan.event_time_to,
        builder=plan.builder,
        tenant=plan.tenant,
        unpriced=plan.unpriced,
        selection=Selection(plan.prices, plan.rules, plan.timeline),
        by_hand=ByHand(plan.by_hand),
    )


def digests(prices: PriceBooks, rules: RuleBooks) -> dict[str, str]:
    """Every version that can be chosen, by kind and name."""
    return {name: book.digest for name, book in _named(prices, rules)}


def books_of_plan(plan: Rerate, prices: PriceBooks, rules: RuleBooks) -> tuple[PriceBooks, RuleBooks]:
    """The versions that there were when it was planned: what was published since must not change what it computes."""
    published = dict(_named(prices, rules))
    for name, digest in plan.books.items():
        if name not in published or published[name].digest != digest:
            raise RerateRefusedError(
                f"Re-rating {plan.rerate_id} was planned with version {name!r}, and what is published under that name "
                "now is not that: it cannot be finished exactly. Bring the store's table `books` back from a backup."
            )
    known = [published[name] for name in plan.books]
    return (
        PriceBooks([book for book in known if isinstance(book, PriceBook)]),
        RuleBooks([book for book in known if isinstance(book, RuleBook)]),
    )


def _named(prices: PriceBooks, rules: RuleBooks) -> Iterator[tuple[str, PriceBook | RuleBook]]:
    for price in (*prices.versions, *prices.retroactive):
        yield f"{PRICES} {price.version}", price
    for rule in (*rules.versions, *rules.retroactive):
        yield f"{RULES} {rule.version}", rule

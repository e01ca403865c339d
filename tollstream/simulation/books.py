"""The books of a simulation: new ones for the whole range, and for the rest those that are published.

A new book applies to every event of the range, whatever its effective_from says; a published one to the events of its
time, as in the stream, and to those that a re-rating rated with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from billing.documents import EPOCH, Versions
from billing.loading import load_versions
from billing.prices import PriceBook, PriceBooks
from billing.rating import Rater
from billing.simulation import OfVersions
from billing.surcharges import RuleBook, RuleBooks
from tollstream.errors import UserError
from topics.meters import MeterCatalogue

B = TypeVar("B", PriceBook, RuleBook)
Published = Callable[[], Awaitable[tuple[PriceBooks, RuleBooks]]]
# The tags that prices depend on; rule books name theirs themselves.
PRICE_TAGS = frozenset({"provider", "model", "mode", "region"})


@dataclass(frozen=True, slots=True)
class TrialBooks:
    """What usage is rated with: of each kind either one new version, or the published ones."""

    prices: PriceBooks
    rules: RuleBooks
    new_prices: PriceBook | None
    new_rules: RuleBook | None

    def of_versions(self, catalogue: MeterCatalogue) -> OfVersions:
        """Events that were re-rated: with the versions of that re-rating, but for what is new."""
        known: dict[tuple[str, str], Rater | None] = {}

        def rater(prices: str, rules: str) -> Rater | None:
            pair = ("" if self.new_prices else prices, "" if self.new_rules else rules)
            if pair not in known:
                price_book, rule_book = self.prices.named(pair[0]), self.rules.named(pair[1])
                known[pair] = (
                    Rater(
                        PriceBooks([throughout(price_book)]) if price_book else self.prices,
                        RuleBooks([throughout(rule_book)]) if rule_book else self.rules,
                        catalogue,
                    )
                    if price_book or rule_book
                    else None
                )
            return known[pair]

        return rater

    @property
    def tags(self) -> frozenset[str]:
        """On which it depends what an event costs."""
        return PRICE_TAGS.union(*(book.tags_read for book in self.rules.versions))


async def trial_books(new_prices: str | None, new_rules: str | None, published: Published) -> TrialBooks:
    """`new_*` name a file, or a published version; `published` is asked only where it is needed."""
    if new_prices is None and new_rules is None:
        raise UserError("Nothing to try: name a rule book with --rules, a price book with --prices, or both.")
    prices = None if new_prices is None else _file(new_prices, PriceBook)
    rules = None if new_rules is None else _file(new_rules, RuleBook)
    if prices is None or rules is None:
        price_books, rule_books = await published()
        if prices is None and new_prices is not None:
            prices = _named(new_prices, price_books, "prices")
        if rules is None and new_rules is not None:
            rules = _named(new_rules, rule_books, "rules")
    return TrialBooks(
        PriceBooks([throughout(prices)]) if prices else price_books,
        RuleBooks([throughout(rules)]) if rules else rule_books,
        prices,
        rules,
    )


def throughout(book: B) -> B:
    """The same book, applying at all times."""
    return book.model_copy(update={"effective_from": EPOCH, "retroactive": False})


def _file(name: str, model: type[B]) -> B | None:
    """The version in a file; None where there is no such file or folder."""
    path = Path(name)
    if not path.exists():
        return None
    versions = load_versions(path, model)
    if len(versions) > 1:
        raise UserError(f"{name} holds {len(versions)} versions, and a simulation is of one: name its file.")
    return versions[0]


def _named(name: str, books: Versions[B], kind: str) -> B:
    found = books.named(name)
    if found is None:
        raise UserError(
            f"{name}: there is no such file, and no published version of the {kind} has this name. "
            f"`tollstream {kind} history` lists those that there are."
        )
    return found

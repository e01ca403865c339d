"""What price books and rule books do not have in common, as far as publishing them goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from billing.documents import Versions
from billing.prices import PriceBook, PriceBooks
from billing.prices import differences as price_differences
from billing.publication import PRICES, RULES
from billing.published import Book
from billing.surcharges import RuleBook, RuleBooks
from billing.surcharges import differences as rule_differences


class Change(Protocol):
    """One thing that would be otherwise."""

    @property
    def kind(self) -> str:
        """added, removed or changed."""

    @property
    def where(self) -> str:
        """What it is about."""

    def record(self) -> Mapping[str, str | None]:
        """For --json; `old` and `new` are among it."""


class Difference(Protocol):
    """All that a version would change against another."""

    @property
    def changes(self) -> Sequence[Change]: ...

    @property
    def terms(self) -> Sequence[str]:
        """What changes for the book as a whole, a sentence each."""

    @property
    def dangers(self) -> Sequence[str]:
        """What nobody should publish unread."""

    @property
    def counts(self) -> Mapping[str, int]: ...

    @property
    def empty(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the two."""

    name: str  # "prices" | "rules", as the verbs, the store and the settings call it
    noun: str
    counted: str  # what a book is a list of
    model: type[Book]
    compare: Callable[[Book | None, Book], Difference]

    def size(self, book: Book) -> int:
        """How many entries or rules it has."""
        return len(book.prices if isinstance(book, PriceBook) else book.rules)

    def count(self, book: Book) -> str:
        """`1 rule`, `212 rules`"""
        size = self.size(book)
        one = {"entries": "entry", "rules": "rule"}[self.counted]
        return f"{size} {one if size == 1 else self.counted}"

    def of(self, prices: PriceBooks, rules: RuleBooks) -> Versions[Book]:
        """The versions of this kind among both."""
        return cast(Versions[Book], prices if self.name == PRICES else rules)


def _compare_prices(old: Any, new: Any) -> Difference:
    return price_differences.compare(old, new)


def _compare_rules(old: Any, new: Any) -> Difference:
    return rule_differences.compare(old, new)


PRICES_KIND = Kind(PRICES, "price book", "entries", PriceBook, _compare_prices)
RULES_KIND = Kind(RULES, "rule book", "rules", RuleBook, _compare_rules)

"""What a lint is: a check with a code and a severity that looks at a whole book and answers findings as values.

A check never raises for what it finds, and never stops at the first: one run shows everything that is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from billing.prices import PriceBook
from billing.surcharges.book import RuleBook, resolve_rule
from billing.surcharges.lints.last_month import LastMonth
from billing.surcharges.lints.trial import Trial, try_out
from billing.surcharges.rule import Rule
from topics.meters import MeterCatalogue


class Severity(StrEnum):
    """Whether it stops publication."""

    ERROR = "error"  # wrong whatever the Builder wants, and mended in the book itself
    WARNING = "warning"  # can be meant, or is mended elsewhere


@dataclass(frozen=True, slots=True)
class Lint:
    """One finding. `rule_id` is empty where it is about the book as a whole."""

    code: str
    severity: Severity
    rule_id: str
    sentence: str  # what is wrong, why it matters, what to do


@dataclass(frozen=True)
class Subject:
    """What the checks look at; None where it was not given, and what needs it is not checked."""

    book: RuleBook
    catalogue: MeterCatalogue
    prices: PriceBook | None
    last_month: LastMonth | None

    def winner(self, tags: Mapping[str, str]) -> Rule | None:
        """The rule that would apply to usage with these tags, the model under the name that rules know it by."""
        return resolve_rule(self.book, tags)

    @cached_property
    def trial(self) -> Trial:
        """Last month's usage under this book; nothing where it is not known."""
        return try_out(self.book, self.prices, self.last_month.groups if self.last_month else ())


class Found(NamedTuple):
    """What a check answers, before code and severity are added."""

    rule_id: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Check:
    """One lint: `about` is its line in the documentation, `needs` what it cannot look without."""

    code: str
    severity: Severity
    about: str
    find: Callable[[Subject], Iterator[Found]]
    needs: str = ""  # "last_month" | "prices"

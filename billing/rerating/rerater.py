"""Which books past usage is rated with once more, and the rating.

Choice  of price book and rule book, each by itself:
        named     the version that `Selection` names, also a retroactive one, for everything
        as rated  otherwise what the event was last re-rated with, so that a correction stands until it is corrected
        own time  otherwise, or with `timeline` in any case, the version that applies at the event's own time
Later   usage that came without a price, and has none at its own time, is rated by the first later version that gives
        it one; likewise for its rule. Named versions have none after them.
Unknown a re-rating may have named a version that is not published here: such an event is not rated (`UNKNOWN`).
Errors  `RerateError` for a version named now that was never published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
import polars as pl

from billing.documents import NONE
from billing.errors import BillingError
from billing.prices import PriceBook, PriceBooks
from billing.publication import PRICES, RULES
from billing.rating import Rater
from billing.surcharges import RuleBook, RuleBooks
from billing.windows import AMOUNT_COLUMNS
from topics.block import USAGE_PREFIX
from topics.meters import MeterCatalogue

B = TypeVar("B", PriceBook, RuleBook)
Name = tuple[str, str]  # (PRICES or RULES, version)
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
NEEDS_PRICE = ("no_book", "no_price")
NEEDS_RULE = ("no_rule", "no_unit")
MIXED = "mixed_currencies"  # the rule's own amounts are in another currency than the prices
UNKNOWN = "unknown_version"


class RerateError(BillingError):
    """Past usage cannot be rated like this; says what to do instead."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What past usage is rated with; "" means that no version is named."""

    prices: str = ""
    rules: str = ""
    timeline: bool = False  # also what was re-rated with other versions before


class Rerater:
    """Rates what `billed_so_far` answers; keeps a rater for each pair of versions that it has met."""

    def __init__(
        self, prices: PriceBooks, rules: RuleBooks, selection: Selection, catalogue: MeterCatalogue | None = None
    ) -> None:
        self._selection, self._catalogue = selection, catalogue
        self._timelines = prices, rules
        self._prices: list[PriceBook] = [*prices.versions, *prices.retroactive]
        self._rules: list[RuleBook] = [*rules.versions, *rules.retroactive]
        self._named = _number(self._prices, selection.prices, "prices"), _number(self._rules, selection.rules, "rules")
        self._raters: dict[tuple[int, int], Rater] = {}
        self._named_otherwise: dict[Name, Rerater] = {}

    def rate(self, billed: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
        """One rated row per row of `billed`, in their order, as `Rater.rate` has it."""
        prices, rules, unknown = self._first_choice(billed)
        events = billed.select(
            "event_time", "dimension", *(name for name in billed.columns if name.startswith(USAGE_PREFIX))
        )
        came_unpriced = (billed["pricing"] == "unpriced").to_numpy()
        pending = np.arange(billed.height)
        parts: list[pl.DataFrame] = []
        while len(pending):
            rated = self._rate(events[pending], dimensions, prices[pending], rules[pending])
            reasons = rated["unpriced_reason"].to_numpy()
            needs = came_unpriced[pending] & (reasons != "")
            again = needs & self._advance(pending, reasons, prices, rules)
            done = ~again
            parts.append(rated.filter(done).with_columns(pl.Series("row", pending[done])))
            pending = pending[again]
        if not parts:
            return self._rate(events, dimensions, prices, rules)
        rated = pl.concat(parts).sort("row").drop("row")
        return _unpriced(rated, pl.Series(unknown), UNKNOWN) if unknown.any() else rated

    def retroactive(self, waiting: pl.DataFrame, reasons: pl.Series, dimensions: pl.DataFrame) -> Counter[Name]:
        """How many of these rows, which have no price for these reasons, each retroactive version would price if it
        alone were named in addition: it is never chosen otherwise."""
        found: Counter[Name] = Counter()
        for kind, book, lacking in self._unnamed():
            rows = reasons.is_in(lacking)
            if isinstance(book, PriceBook):
                rows &= _served_by(book, dimensions)[waiting["dimension"].to_list()]
            if rows.any():
                name = kind, book.version
                if name not in self._named_otherwise:
                    mine, version = self._selection, book.version
                    chosen = replace(mine, prices=version) if kind == PRICES else replace(mine, rules=version)
                    self._named_otherwise[name] = Rerater(*self._timelines, chosen, self._catalogue)
                rated = self._named_otherwise[name].rate(waiting.filter(rows), dimensions)
                found[name] += int((rated["unpriced_reason"] == "").sum())
        return +found

    def _unnamed(self) -> Iterator[tuple[str, PriceBook | RuleBook, tuple[str, ...]]]:
        """Each retroactive version of a kind of which none is named, and what its kind remedies."""
        prices, rules = self._timelines
        if self._named[0] is None:
            yield from ((PRICES, book, NEEDS_PRICE) for book in prices.retroactive)
        if self._named[1] is None:
            yield from ((RULES, book, (*NEEDS_RULE, MIXED)) for book in rules.retroactive)

    def _first_choice(self, billed: pl.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The numbers of both versions of each row, and which rows name a version that is not known."""
        times = billed["event_time"].to_numpy()
        unknown = np.zeros(billed.height, dtype=bool)
        chosen: list[np.ndarray] = []
        for timeline, names, named, column in (
            (self._timelines[0], [book.version for book in self._prices], self._named[0], "price_version"),
            (self._timelines[1], [book.version for book in self._rules], self._named[1], "rule_version"),
        ):
            if named is not None:
                chosen.append(np.full(billed.height, named))
                continue
            own = timeline.numbers(times)
            if not self._selection.timeline and billed["named"].any():
                numbers = {name: number for number, name in enumerate(names)}
                last = billed[column].to_list()
                for row in np.flatnonzero(billed["named"].to_numpy()).tolist():
                    unknown[row] |= last[row] not in numbers
                    own[row] = numbers.get(last[row], own[row])
            chosen.append(own)
        return chosen[0], chosen[1], unknown

    def _advance(self, pending: np.ndarray, reasons: np.ndarray, prices: np.ndarray, rules: np.ndarray) -> np.ndarray:
        """Move rows on to the next version of what they lack, in place; answers which could be."""
        moved = np.zeros(len(pending), dtype=bool)
        for lacking, numbers, timeline, named in (
            (NEEDS_PRICE, prices, self._timelines[0], self._named[0]),
            ((*NEEDS_RULE, MIXED), rules, self._timelines[1], self._named[1]),
        ):
            if named is None:
                mine = np.isin(reasons, lacking) & (numbers[pending] + 1 < len(timeline.versions))
                numbers[pending[mine]] += 1
                moved |= mine
        return moved

    def _rate(
        self, events: pl.DataFrame, dimensions: pl.DataFrame, prices: np.ndarray, rules: np.ndarray
    ) -> pl.DataFrame:
        pairs = np.unique(np.stack([prices, rules], axis=1), axis=0)
        if len(pairs) <= 1:
            pair = (int(pairs[0][0]), int(pairs[0][1])) if len(pairs) else (NONE, NONE)
            return self._rate_pair(events, dimensions, pair)
        parts = []
        for price, rule in pairs.tolist():
            rows = np.flatnonzero((prices == price) & (rules == rule))
            parts.append(self._rate_pair(events[rows], dimensions, (price, rule)).with_columns(pl.Series("at", rows)))
        return pl.concat(parts).sort("at").drop("at")

    def _rate_pair(self, events: pl.DataFrame, dimensions: pl.DataFrame, pair: tuple[int, int]) -> pl.DataFrame:
        price, rule = pair
        own = None if price == NONE else self._prices[price]
        rules = None if rule == NONE else self._rules[rule]
        mixed = own is not None and rules is not None and rules.currency not in (None, own.currency)
        if pair not in self._raters:
            self._raters[pair] = Rater(
                PriceBooks(_always(own)), RuleBooks([] if mixed else _always(rules)), self._catalogue
            )
        rated = self._raters[pair].rate(events, dimensions)
        return _unpriced(rated, rated["unpriced_reason"] == "no_rule", MIXED) if mixed else rated


def _served_by(book: PriceBook, dimensions: pl.DataFrame) -> pl.Series:
    """Of each set of tags, whether the book has any price of its model."""
    served = {(entry.provider, entry.model) for entry in book.prices}
    served |= {(alias.provider, name) for alias in book.aliases for name in alias.names}
    return pl.Series([tags in served for tags in dimensions.select("provider", "model").iter_rows()], dtype=pl.Boolean)


def _number(versions: Sequence[B], name: str, kind: str) -> int | None:
    if not name:
        return None
    for number, version in enumerate(versions):
        if version.version == name:
            return number
    known = ", ".join(version.version for version in versions)
    raise RerateError(f"No version {name!r} of the {kind} was ever published: the published ones are {known}.")


def _unpriced(rated: pl.DataFrame, rows: pl.Series, reason: str) -> pl.DataFrame:
    """`rated` with these rows unpriced for this reason."""
    return rated.with_columns(
        pl.when(rows).then(pl.lit("unpriced")).otherwise("pricing").alias("pricing"),
        pl.when(rows).then(pl.lit(reason)).otherwise("unpriced_reason").alias("unpriced_reason"),
        *(pl.when(~rows).then(name).alias(name) for name in ("base_cost", *AMOUNT_COLUMNS)),
    )


def _always(book: B | None) -> list[B]:
    """The version as the only one there ever was, so that the rater has no other choice."""
    return [] if book is None else [book.model_copy(update={"effective_from": BEGINNING, "retroactive": False})]

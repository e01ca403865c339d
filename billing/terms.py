"""Terms: all that rating has to know about a set of tags under one version of the books, resolved once and numbered.

A block of 50,000 events has a few hundred sets of tags, and the next block has the same ones: prices and rules are
looked up when a set is first met, and a block gathers its columns by number. So the cost of an event does not depend
on how many entries and rules the books have.
Conditions (prompt size, time of day) depend on the single event: an event whose prices have any is moved on to the
terms of the slot it meets (billing/prices/sheet.py), which are numbered like all others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import polars as pl

from billing.documents import NONE
from billing.prices import PROMPT_METERS, PriceBooks, PriceSheet, sheet_of
from billing.prices.schedules import Schedules
from billing.prices.sheet import PLAIN
from billing.surcharges import Rule, RuleBooks, resolve_rule
from topics.block import QUANTITY_MAX, QUANTITY_UNIT, USAGE_PREFIX

MONEY = pl.Decimal(38, 12)
TERMS_MAX = 200_000
UNCONDITIONAL = UNKNOWN = -1
PRICE_PREFIX = "p."  # a column "p.input_tokens" holds the price of one unit, null where there is none
SCHEMA: dict[str, pl.DataType] = {
    "has_book": pl.Boolean(),
    "has_model": pl.Boolean(),
    "price_version": pl.String(),
    "rule_version": pl.String(),
    "currency": pl.String(),
    "share": MONEY,
    "rule_id": pl.String(),
    "kind": pl.String(),  # "" without a rule
    "parameter": MONEY,
    "unit_meter": pl.String(),  # "" where the rule has none
    "needs_units": pl.Boolean(),
    "floor": MONEY,
    "cap": MONEY,
}
# A prompt is compared with thresholds of at most 10^9 tokens: a class beyond this is above all of them by itself, and
# ten of them still fit 64 bits.
_PROMPT_CLASS_MAX = QUANTITY_MAX * QUANTITY_UNIT // 2


@dataclass(frozen=True, slots=True)
class Terms:
    """Of one set of tags, under one version of each book, in one slot of its price sheet."""

    has_book: bool
    has_model: bool
    price_version: str
    rule_version: str
    currency: str
    share: Decimal | None
    rule: Rule | None
    sheet: PriceSheet | None
    prices: Mapping[str, Decimal]  # meter -> price of one unit

    def row(self) -> tuple[object, ...]:
        """In the order of `SCHEMA`."""
        rule = self.rule
        of_rule = (
            (rule.id, rule.kind, rule.parameter, rule.meter or "", rule.surcharge.needs_units, rule.floor, rule.cap)
            if rule
            else ("", "", None, "", False, None, None)
        )
        versions = (self.price_version, self.rule_version, self.currency)
        return (self.has_book, self.has_model, *versions, self.share, *of_rule)


class TermTable:
    """Every set of terms met so far, by number; forgets them all between blocks once there are too many."""

    def __init__(self, books: PriceBooks, rules: RuleBooks) -> None:
        self._books, self._rules = books, rules
        self._prices: dict[tuple[PriceSheet, int], Mapping[str, Decimal]] = {}
        self._forget()

    def _forget(self) -> None:
        self._terms: list[Terms] = []
        self._numbers: dict[tuple[object, ...], int] = {}
        self._variants = np.empty((0, 0), dtype=np.int64)  # [number, slot] -> number
        self._schedules = Schedules()
        self._frame = pl.DataFrame(schema=SCHEMA)
        self._sheet_numbers = np.zeros(0, dtype=np.int64)  # of each set of terms

    def make_room(self) -> None:
        """Forget everything once there is too much of it. Numbers given before are void then."""
        if len(self._terms) > TERMS_MAX:
            self._forget()

    def number(self, tags: Mapping[str, str], price: int, rule: int) -> int:
        """The terms of a set of tags under price version `price` and rule version `rule` (NONE: none yet)."""
        key = (price, rule, *tags.values())
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = self._add(self._resolve(tags, price, rule))
        return known

    def _resolve(self, tags: Mapping[str, str], price: int, rule: int) -> Terms:
        book = None if price == NONE else self._books.versions[price]
        rules = None if rule == NONE else self._rules.versions[rule]
        canonical = book.canonical_model(tags["provider"], tags["model"]) if book else ""
        sheet = sheet_of(book, tags) if book else None
        return Terms(
            has_book=book is not None,
            has_model=bool(tags["provider"] and tags["model"]),
            price_version=book.version if book else "",
            rule_version=rules.version if rules else "",
            currency=book.currency if book else "",
            share=book.reward_share(tags["provider"]) if book else None,
            rule=resolve_rule(rules, tags, canonical) if rules else None,
            sheet=sheet,
            prices=self._prices_of(sheet, PLAIN),
        )

    def _prices_of(self, sheet: PriceSheet | None, slot: int) -> Mapping[str, Decimal]:
        if sheet is None:
            return {}
        if (sheet, slot) not in self._prices:
            self._prices[sheet, slot] = sheet.prices(slot)
        return self._prices[sheet, slot]

    def _add(self, terms: Terms) -> int:
        self._terms.append(terms)
        return len(self._terms) - 1

    def under_conditions(self, numbers: np.ndarray, events: pl.DataFrame) -> np.ndarray:
        """The number of each event's terms, from the number without conditions, its time and its prompt."""
        sheets = self._conditional_sheets()[numbers]
        rows = np.flatnonzero(sheets != UNCONDITIONAL)
        if not len(rows):
            return numbers
        slots = self._schedules.slots(sheets[rows], events["event_time"].to_numpy()[rows], _prompts(events, rows))
        moved = numbers.copy()
        moved[rows] = self._variants_of(numbers[rows], slots)
        return moved

    def _conditional_sheets(self) -> np.ndarray:
        """For each number which sheet of `_schedules` its prices are of."""
        known = len(self._sheet_numbers)
        if known < len(self._terms):
            fresh = [
                self._schedules.number(terms.sheet) if terms.sheet and terms.sheet.conditional else UNCONDITIONAL
                for terms in self._terms[known:]
            ]
            self._sheet_numbers = np.concatenate([self._sheet_numbers, np.array(fresh, dtype=np.int64)])
        return self._sheet_numbers

    def _variants_of(self, numbers: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """The numbers of terms in other slots; a combination that is new gets the next number."""
        height, width = max(len(self._terms), len(self._variants)), max(int(slots.max()) + 1, self._variants.shape[1])
        if self._variants.shape != (height, width):
            wider = np.full((height, width), UNKNOWN, dtype=np.int64)
            wider[: len(self._variants), : self._variants.shape[1]] = self._variants
            self._variants = wider
        found: np.ndarray = self._variants[numbers, slots]
        if (found == UNKNOWN).any():
            fresh = np.flatnonzero(found == UNKNOWN)
            for number, slot in np.unique(np.stack([numbers[fresh], slots[fresh]], axis=1), axis=0).tolist():
                plain = self._terms[number]
                prices = self._prices_of(plain.sheet, slot)
                self._variants[number, slot] = number if slot == PLAIN else self._add(replace(plain, prices=prices))
            found = self._variants[numbers, slots]
        return found

    def frame(self, meters: Collection[str]) -> pl.DataFrame:
        """All terms, a row each in the order of their numbers: SCHEMA, and the prices of at least these meters."""
        known = self._frame.height
        if known < len(self._terms):
            priced = [name.removeprefix(PRICE_PREFIX) for name in self._frame.columns if name not in SCHEMA]
            fresh = pl.DataFrame([terms.row() for terms in self._terms[known:]], schema=SCHEMA, orient="row")
            fresh = fresh.with_columns(self._price_column(meter, known) for meter in priced)
            self._frame = pl.concat([self._frame, fresh]).rechunk()
        missing = [meter for meter in meters if PRICE_PREFIX + meter not in self._frame.columns]
        if missing:
            self._frame = self._frame.with_columns(self._price_column(meter, 0) for meter in missing)
        return self._frame

    def _price_column(self, meter: str, since: int) -> pl.Series:
        return pl.Series(PRICE_PREFIX + meter, [terms.prices.get(meter) for terms in self._terms[since:]], dtype=MONEY)

    def rules(self, numbers: np.ndarray) -> list[Rule]:
        """The distinct rules among these terms."""
        used = np.zeros(len(self._terms), dtype=bool)
        used[numbers] = True
        found = {id(rule): rule for number in np.flatnonzero(used).tolist() if (rule := self._terms[number].rule)}
        return list(found.values())


def _prompts(events: pl.DataFrame, rows: np.ndarray) -> np.ndarray:
    """The prompt of some events, in millionths of a token."""
    prompts = np.zeros(len(rows), dtype=np.int64)
    for meter in PROMPT_METERS:
        if USAGE_PREFIX + meter in events.columns:
            quantities = events[USAGE_PREFIX + meter].fill_null(0).to_numpy()[rows]
            prompts += np.minimum(quantities, _PROMPT_CLASS_MAX)
    return prompts

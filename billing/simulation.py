"""Simulation: past usage under other books, event by event, and what changes for whom.

Before   what the ledger says of an event: its row and its adjustments since (billing/standing.py).
After    what the rater makes of the same event now: tiers, floors, caps and rounding as in the stream. What was rated
         again since is rated as `OfVersions` says of the versions of its latest re-rating.
Compared events that have a price on both sides, in one currency. Every other event is left out of both sides, counted
         and listed under its `Outcome`, with the amounts of the side that has some: nothing is 0 because it is unknown.
Sums     exact; currencies are never added. Overflow is refused as in window totals. Memory grows with the number of
         tenants, features, models and rules, not with the number of events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

import polars as pl

from billing.money import EXACT
from billing.rating import Rater
from billing.standing import RERATED_BY, standing
from billing.windows import AMOUNT_COLUMNS, SUM_MAX, TotalsOverflowError

ZERO = Decimal(0)
# (price version, rule version) of a re-rating -> what rates such an event; None: what rates every other.
OfVersions = Callable[[str, str], Rater | None]
# What each table of the comparison has a line for.
VIEWS: Mapping[str, tuple[str, ...]] = {
    "totals": (),
    "tenants": ("builder", "tenant"),
    "features": ("builder", "feature"),
    "models": ("provider", "model"),
}
TAGS = ("builder", "tenant", "feature", "provider", "model")  # which the tables need, whatever the books read
DETAILS = ("builder", "feature", "provider", "model")
BEFORE, AFTER = "before.", "after."
_BOTH = tuple(side + name for side in (BEFORE, AFTER) for name in AMOUNT_COLUMNS)
_CELL = (
    "outcome", "reason", f"{BEFORE}rule_id", f"{AFTER}rule_id", f"{BEFORE}currency", f"{AFTER}currency",
)  # fmt: skip


class Outcome(StrEnum):
    """What became of an event, in order of precedence."""

    VOIDED = "voided"  # taken back: on neither side
    UNPRICED = "unpriced"  # has no price in the ledger, and would have none
    UNPRICED_BEFORE = "unpriced_before"  # waits for a price, and would have one
    UNPRICED_AFTER = "unpriced_after"  # was charged, and would wait for a price
    OTHER_CURRENCY = "other_currency"  # charged in one currency, and would be in another
    COMPARED = "compared"


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums of one side: customer_charge = provider_reward + platform_fee + builder_earnings."""

    customer_charge: Decimal = ZERO
    provider_reward: Decimal = ZERO
    platform_fee: Decimal = ZERO
    builder_earnings: Decimal = ZERO

    def plus(self, other: Amounts) -> Amounts:
        return Amounts(*(EXACT.add(getattr(self, name), getattr(other, name)) for name in AMOUNT_COLUMNS))

    def minus(self, other: Amounts) -> Amounts:
        return Amounts(*(EXACT.subtract(getattr(self, name), getattr(other, name)) for name in AMOUNT_COLUMNS))


NOTHING = Amounts()


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant, feature, model or rule, in one currency."""

    key: tuple[str, ...]
    currency: str
    events_before: int  # as many as after, but for rules: there each side has its own
    events_after: int
    before: Amounts
    after: Amounts

    @property
    def change(self) -> Amounts:
        """After minus before."""
        return self.after.minus(self.before)

    def plus(self, other: Line) -> Line:
        """Both together, under this one's key."""
        return Line(
            self.key,
            self.currency,
            self.events_before + other.events_before,
            self.events_after + other.events_after,
            self.before.plus(other.before),
            self.after.plus(other.after),
        )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Events that are not compared, by why, and by what they have in common."""

    outcome: Outcome
    reason: str  # why there is no price on the side that has none; "" otherwise
    builder: str
    feature: str
    provider: str
    model: str
    currency_before: str  # "" where that side has no price
    currency_after: str
    events: int
    before: Amounts  # 0 where that side has no price
    after: Amounts

    def plus(self, other: LeftOut) -> LeftOut:
        """Both together, under this one's names."""
        events = self.events + other.events
        return replace(self, events=events, before=self.before.plus(other.before), after=self.after.plus(other.after))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The whole answer; lines sorted by key and currency."""

    totals: tuple[Line, ...]  # one per currency
    tenants: tuple[Line, ...]
    features: tuple[Line, ...]
    models: tuple[Line, ...]
    rules: tuple[Line, ...]  # by the rule that applies: before, and after
    left_out: tuple[LeftOut, ...]
    events: Mapping[Outcome, int]  # of every outcome, 0 included


class Simulation:
    """Takes portions of past usage, in any order, each once; answers the comparison of all."""

    def __init__(self, rater: Rater, of_versions: OfVersions = lambda prices, rules: None) -> None:
        self._rater, self._of_versions = rater, of_versions
        self._lines: dict[str, dict[tuple[tuple[str, ...], str], Line]] = {name: {} for name in (*VIEWS, "rules")}
        self._left_out: dict[tuple[str, ...], LeftOut] = {}
        self._events = dict.fromkeys(Outcome, 0)

    def add(self, rows: pl.DataFrame, dimensions: pl.DataFrame) -> None:
        """Ledger rows of whole (builder, tenant, window)s: `standing`'s columns, event_time and usage.*."""
        before = standing(rows, dimensions)
        if not before.height:
            return
        cells = _cells(before, self._rate(before, dimensions), dimensions)
        for outcome, events in cells.group_by("outcome").agg(pl.col("events").sum()).iter_rows():
            self._events[Outcome(outcome)] += events
        compared = pl.col("outcome") == Outcome.COMPARED
        self._add_lines(cells.filter(compared))
        self._add_left_out(cells.filter(~compared))

    def comparison(self) -> Comparison:
        """Of everything added so far."""
        lines = {name: tuple(found for _, found in sorted(table.items())) for name, table in self._lines.items()}
        left_out = tuple(found for _, found in sorted(self._left_out.items(), key=lambda item: item[0]))
        return Comparison(**lines, left_out=left_out, events=dict(self._events))

    def _rate(self, before: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
        rated = self._rater.rate(before, dimensions)
        parts = []
        again = before.select(*RERATED_BY).with_row_index("row").filter(pl.col(RERATED_BY[0]) != "")
        for versions, group in again.group_by(*RERATED_BY):
            rater = self._of_versions(*map(str, versions))
            if rater is not None:
                parts.append(rater.rate(before[group["row"]], dimensions).with_columns(group["row"]))
        if not parts:
            return rated
        replaced = pl.concat(parts)
        kept = rated.with_row_index("row").filter(~pl.col("row").is_in(replaced["row"].implode()))
        return pl.concat([kept.select(replaced.columns), replaced]).sort("row").drop("row")

    def _add_lines(self, cells: pl.DataFrame) -> None:
        for view, key in VIEWS.items():
            for names, events, before, after in _sums(cells, [*key, f"{BEFORE}currency"]):
                self._add_line(view, Line(names[:-1], names[-1], events, events, before, after))
        for names, events, before, _ in _sums(cells, [f"{BEFORE}rule_id", f"{BEFORE}currency"]):
            self._add_line("rules", Line(names[:1], names[1], events, 0, before, NOTHING))
        for names, events, _, after in _sums(cells, [f"{AFTER}rule_id", f"{AFTER}currency"]):
            self._add_line("rules", Line(names[:1], names[1], 0, events, NOTHING, after))

    def _add_line(self, view: str, line: Line) -> None:
        table, key = self._lines[view], (line.key, line.currency)
        table[key] = table[key].plus(line) if key in table else line

    def _add_left_out(self, cells: pl.DataFrame) -> None:
        key = ["outcome", "reason", *DETAILS, f"{BEFORE}currency", f"{AFTER}currency"]
        for names, events, before, after in _sums(cells, key):
            outcome, reason, builder, feature, provider, model, currency_before, currency_after = names
            found = LeftOut(
                Outcome(outcome), reason, builder, feature, provider, model, currency_before, currency_after,
                events, before, after,
            )  # fmt: skip
            known = self._left_out.get(names)
            self._left_out[names] = known.plus(found) if known else found


def _cells(before: pl.DataFrame, after: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
    """Sums of events that have everything in common that any table asks for."""
    names = ("pricing", "unpriced_reason", "rule_id", "currency", *AMOUNT_COLUMNS)
    frame = before.select("dimension", "voided", pl.col(*names).name.prefix(BEFORE)).hstack(
        after.select(pl.col(*names).name.prefix(AFTER))
    )
    frame = frame.with_columns(_outcome()).with_columns(_reason(), *map(_currency, (BEFORE, AFTER)))
    _refuse_overflow(frame)
    cells = frame.group_by("dimension", *_CELL).agg(pl.len().cast(pl.Int64).alias("events"), pl.col(*_BOTH).sum())
    tagged = cells.hstack(dimensions.select(TAGS)[cells["dimension"].to_list()])
    # Of what was taken back only the number is told.
    voided = pl.col("outcome") == Outcome.VOIDED
    blank = [*DETAILS, f"{BEFORE}currency", f"{AFTER}currency"]
    return tagged.with_columns(
        *(pl.when(voided).then(pl.lit("")).otherwise(name).alias(name) for name in blank),
        *(pl.when(~voided).then(name).otherwise(ZERO).cast(frame.schema[name]).alias(name) for name in _BOTH),
    )


def _outcome() -> pl.Expr:
    had, would_have = (pl.col(f"{side}pricing") == "rated" for side in (BEFORE, AFTER))
    return (
        pl.when("voided").then(pl.lit(Outcome.VOIDED))
        .when(~had & ~would_have).then(pl.lit(Outcome.UNPRICED))
        .when(~had).then(pl.lit(Outcome.UNPRICED_BEFORE))
        .when(~would_have).then(pl.lit(Outcome.UNPRICED_AFTER))
        .when(pl.col(f"{BEFORE}currency") != pl.col(f"{AFTER}currency")).then(pl.lit(Outcome.OTHER_CURRENCY))
        .otherwise(pl.lit(Outcome.COMPARED))
        .alias("outcome")
    )  # fmt: skip


def _reason() -> pl.Expr:
    outcome = pl.col("outcome")
    return (
        pl.when(outcome.is_in([Outcome.UNPRICED, Outcome.UNPRICED_AFTER])).then(f"{AFTER}unpriced_reason")
        .when(outcome == Outcome.UNPRICED_BEFORE).then(f"{BEFORE}unpriced_reason")
        .otherwise(pl.lit(""))
        .alias("reason")
    )  # fmt: skip


def _currency(side: str) -> pl.Expr:
    """Of the amounts; where there are none, the currency they would be in says nothing."""
    priced = pl.col(f"{side}pricing") == "rated"
    return pl.when(priced).then(f"{side}currency").otherwise(pl.lit("")).alias(f"{side}currency")


def _sums(cells: pl.DataFrame, key: list[str]) -> Iterator[tuple[tuple[str, ...], int, Amounts, Amounts]]:
    """For each value of `key`: it, the number of events, and both sides added up."""
    summed = cells.group_by(key).agg(pl.col("events").sum(), pl.col(*_BOTH).sum())
    width = len(AMOUNT_COLUMNS)
    for row in summed.iter_rows():
        amounts = row[len(key) + 1 :]
        yield row[: len(key)], row[len(key)], Amounts(*amounts[:width]), Amounts(*amounts[width:])


def _refuse_overflow(frame: pl.DataFrame) -> None:
    """Polars adds up without looking: refuse what could leave Decimal(38, 12), as window totals do."""
    for name in _BOTH:
        low, high = frame[name].min(), frame[name].max()
        if isinstance(low, Decimal) and isinstance(high, Decimal) and max(-low, high) * frame.height >= SUM_MAX:
            raise TotalsOverflowError(
                f"{name}: {frame.height} events between {low} and {high} could leave Decimal(38, 12)"
            )

"""What a re-rating comes to: by Builder, tenant and model, in total, and what cannot be rated. Sums are exact."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from billing.money import EXACT
from billing.rerating import CHANGES, Outcome
from billing.windows import AMOUNT_COLUMNS
from tollstream.rerating.computing import PortionChanges

Key = tuple[str, str, str, str, str]  # (builder, tenant, provider, model, currency)
LeftKey = tuple[str, str, str, str, str, str]  # (outcome, reason, provider, model, mode, region)
SIDES = ("before", "after", "difference")
LEFT = tuple(outcome for outcome in Outcome if outcome not in (*CHANGES, Outcome.SAME))
_TAGS = ("builder", "tenant", "provider", "model", "mode", "region")


@dataclass(slots=True)
class Line:
    """The events that change, of one tenant and model; amounts in the order of AMOUNT_COLUMNS."""

    events: int = 0
    rated_later: int = 0  # of these, those that waited for a price
    before: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(AMOUNT_COLUMNS))
    after: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(AMOUNT_COLUMNS))
    difference: list[Decimal] = field(default_factory=lambda: [Decimal(0)] * len(AMOUNT_COLUMNS))

    def add(self, other: Line) -> None:
        self.events += other.events
        self.rated_later += other.rated_later
        for side in SIDES:
            mine = getattr(self, side)
            mine[:] = [EXACT.add(one, more) for one, more in zip(mine, getattr(other, side), strict=True)]


@dataclass(slots=True)
class Summary:
    """Of all portions so far."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    lines: dict[Key, Line] = field(default_factory=dict)
    left: Counter[LeftKey] = field(default_factory=Counter)
    retroactive: Counter[tuple[str, str]] = field(default_factory=Counter)  # (kind, version) -> what it would price

    @property
    def changes(self) -> int:
        """How many adjustments that makes."""
        return sum(self.outcomes[outcome] for outcome in CHANGES)

    @property
    def totals(self) -> dict[str, Line]:
        """By currency."""
        totals: dict[str, Line] = {}
        for key, line in sorted(self.lines.items()):
            totals.setdefault(key[-1], Line()).add(line)
        return totals

    @property
    def differences(self) -> dict[str, dict[str, Decimal]]:
        """Currency -> amount -> sum of the differences."""
        return {
            currency: dict(zip(AMOUNT_COLUMNS, line.difference, strict=True)) for currency, line in self.totals.items()
        }

    def add(self, portion: PortionChanges) -> None:
        """Take a portion up."""
        changes = portion.changes
        self.retroactive.update(portion.retroactive)
        for outcome, count in changes.group_by("outcome").len().iter_rows():
            self.outcomes[Outcome(outcome)] += count
        tagged = changes.select("outcome", "reason", "new.currency", *_sides()).hstack(
            portion.dimensions.select(_TAGS)[changes["dimension"].to_list()]
        )
        self._add_lines(tagged.filter(pl.col("outcome").is_in([str(each) for each in CHANGES])))
        left = tagged.filter(pl.col("outcome").is_in([str(each) for each in LEFT]))
        for *key, count in left.group_by("outcome", "reason", "provider", "model", "mode", "region").len().iter_rows():
            outcome, reason, provider, model, mode, region = key
            self.left[outcome, reason, provider, model, mode, region] += count

    def _add_lines(self, changed: pl.DataFrame) -> None:
        rows = changed.group_by("builder", "tenant", "provider", "model", "new.currency").agg(
            pl.len(), (pl.col("outcome") == str(Outcome.RATED_LATER)).sum().alias("later"), pl.col(_sides()).sum()
        )
        for builder, tenant, provider, model, currency, events, later, *amounts in rows.iter_rows():
            third = len(AMOUNT_COLUMNS)
            sides = [amounts[start : start + third] for start in range(0, len(amounts), third)]
            self.lines.setdefault((builder, tenant, provider, model, currency), Line()).add(Line(events, later, *sides))


def _sides() -> list[str]:
    return [f"{side}.{name}" for side in SIDES for name in AMOUNT_COLUMNS]

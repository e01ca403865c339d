"""A trial: what last month's usage would be charged under a new book, from sums.

Every kind charges in proportion to base and units, so the charge of a sum is the sum of the charges; only the rounding
of each event (less than 10^-12) is lost. A floor or a cap works on single events, which sums do not show: there the
charge is known between bounds, from the least and the most that one event came to. Never a guess in between:
`tollstream rules simulate` rates every event, and says exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from billing.money import EXACT
from billing.prices import PriceBook
from billing.surcharges.book import RuleBook, resolve_rule
from billing.surcharges.kinds import KINDS
from billing.surcharges.lints.last_month import ZERO, UsageGroup
from billing.surcharges.rule import Rule

MONEY = pl.Decimal(38, 12)
QUANTITY = pl.Decimal(38, 6)


@dataclass(frozen=True, slots=True)
class Tried:
    """A group under the rule that would apply to it. Amounts in the group's currency."""

    group: UsageGroup
    rule: Rule
    priced: bool  # False: the rule charges for a meter that these events do not have
    charge_least: Decimal  # of the whole group
    charge_most: Decimal
    event_least: Decimal  # of one event, before floor and cap
    event_most: Decimal

    @property
    def earnings_least(self) -> Decimal:
        return EXACT.subtract(self.charge_least, self.group.base_cost)

    @property
    def earnings_most(self) -> Decimal:
        return EXACT.subtract(self.charge_most, self.group.base_cost)


@dataclass(frozen=True, slots=True)
class Trial:
    """Rated usage under a book. What was unpriced has no base, and is left out."""

    tried: tuple[Tried, ...]
    without_rule: tuple[UsageGroup, ...]

    def by_rule(self) -> dict[str, list[Tried]]:
        """Rule id -> what it would apply to."""
        found: dict[str, list[Tried]] = {}
        for each in self.tried:
            found.setdefault(each.rule.id, []).append(each)
        return found


def try_out(book: RuleBook, prices: PriceBook | None, groups: Sequence[UsageGroup]) -> Trial:
    """`groups` under `book`; `prices` says what models the served names stand for."""
    matched: list[tuple[UsageGroup, Rule]] = []
    without = []
    for group in groups:
        if group.rated_events <= 0:
            continue
        tags = group.tags
        canonical = prices.canonical_model(tags["provider"], tags["model"]) if prices else tags["model"]
        rule = resolve_rule(book, tags, canonical)
        if rule is None:
            without.append(group)
        else:
            matched.append((group, rule))
    sums = _charges(
        [rule for _, rule in matched], [group.base_cost for group, _ in matched],
        [group.usage.get(rule.meter or "", ZERO) for group, rule in matched],
    )  # fmt: skip
    least = _charges(
        [rule for _, rule in matched], [group.base_least for group, _ in matched],
        [group.usage_least.get(rule.meter or "", ZERO) for group, rule in matched],
    )  # fmt: skip
    most = _charges(
        [rule for _, rule in matched], [group.base_most for group, _ in matched],
        [group.usage_most.get(rule.meter or "", ZERO) for group, rule in matched],
    )  # fmt: skip
    tried = [
        _tried(group, rule, charge, *sorted(events))
        for (group, rule), charge, *events in zip(matched, sums, least, most, strict=True)
    ]
    return Trial(tuple(tried), tuple(without))


def _charges(rules: Sequence[Rule], bases: Sequence[Decimal], units: Sequence[Decimal]) -> list[Decimal]:
    """What the kind of each rule makes of a base and units, with the formulas that rating uses."""
    if not rules:
        return []
    frame = pl.DataFrame(
        {
            "kind": [rule.kind for rule in rules],
            "base": pl.Series(bases, dtype=MONEY),
            "units": pl.Series(units, dtype=QUANTITY),
            "parameter": pl.Series([rule.parameter for rule in rules], dtype=MONEY),
        }
    )
    branches = []
    for name in sorted({rule.kind for rule in rules}):
        mine = pl.col("kind") == name
        masked = pl.when(mine).then(pl.col("parameter"))
        branches.append(pl.when(mine).then(KINDS[name].charge(pl.col("base"), masked, pl.col("units"))))
    return frame.select(pl.coalesce(*branches).cast(MONEY)).to_series().to_list()


def _tried(group: UsageGroup, rule: Rule, charge: Decimal, least: Decimal, most: Decimal) -> Tried:
    priced = not rule.surcharge.needs_units or rule.meter in group.meters
    floor, cap = rule.floor, rule.cap
    if (floor is None or floor <= least) and (cap is None or most <= cap):
        return Tried(group, rule, priced, charge, charge, least, most)
    events = Decimal(group.rated_events)
    lift = max((floor or ZERO) - least, ZERO)  # at most so much does the floor add to one event,
    cut = max(most - cap, ZERO) if cap is not None else ZERO  # and the cap take from one
    low, high = (max(least, floor or ZERO), max(most, floor or ZERO))
    if cap is not None:
        low, high = min(low, cap), min(high, cap)
    lowest = max(EXACT.subtract(charge, EXACT.multiply(events, cut)), EXACT.multiply(events, low))
    highest = min(EXACT.add(charge, EXACT.multiply(events, lift)), EXACT.multiply(events, high))
    return Tried(group, rule, priced, lowest, highest, least, most)

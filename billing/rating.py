"""Rating: usage in, exact money out, for a block of events at a time.

Amount of a meter = quantity x unit price; base = their sum; provider_reward = base x share; platform_fee = base -
provider_reward; customer_charge by the rule; builder_earnings = customer_charge - base. Each product and quotient is
rounded once, half-even, 12 places; so for every event, and every sum, charge = reward + fee + earnings exactly.

Unpriced usage has null amounts and a reason: no_book, no_model, no_price, no_rule, no_unit (the first that applies).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa

from billing.documents import NONE, BookError
from billing.prices import PriceBooks, resolve_price
from billing.surcharges import Rule, RuleBooks, resolve_rule
from billing.surcharges.kind import SurchargeKind
from billing.surcharges.kinds import KINDS
from topics.block import USAGE_PREFIX
from topics.meters import MeterCatalogue, load_catalogue

MONEY = pl.Decimal(38, 12)
ZERO = Decimal(0)
TERMS_MAX = 200_000


@dataclass(frozen=True, slots=True)
class Terms:
    """All that rating needs to know about one tag set under one version of the books."""

    prices: dict[str, Decimal | None]
    share: Decimal | None
    currency: str
    price_version: str
    rule_version: str
    rule: Rule | None
    has_model: bool


class Rater:
    """Rates blocks; keeps the resolved terms of tag sets it has seen."""

    def __init__(self, books: PriceBooks, rules: RuleBooks, catalogue: MeterCatalogue | None = None) -> None:
        self.books, self.rules = books, rules
        catalogue = catalogue or load_catalogue()
        _refuse_unknown_meters(books, rules, catalogue)
        self._inference = frozenset(name for name in catalogue if catalogue[name].kind == "inference")
        self._terms: dict[tuple[object, ...], Terms] = {}

    def rate(self, events: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
        """One rated row per event, in their order; see the module for the columns' meaning."""
        times = events["event_time"].to_numpy()
        price_numbers, rule_numbers = self.books.numbers(times), self.rules.numbers(times)
        rows, distinct = _combinations(events["dimension"].to_numpy(), price_numbers, rule_numbers)
        tags = dimensions.rows(named=True)
        meters = [name.removeprefix(USAGE_PREFIX) for name in events.columns if name.startswith(USAGE_PREFIX)]
        priced = [meter for meter in meters if meter in self._inference]
        terms = [self._resolve(tags[dimension], price, rule, priced) for dimension, price, rule in distinct.tolist()]
        return _amounts(events, rows, terms, priced, meters)

    def _resolve(self, tags: dict[str, str], price: int, rule: int, meters: Sequence[str]) -> Terms:
        key = (price, rule, *tags.values())
        known = self._terms.get(key)
        if known is None or not known.prices.keys() >= set(meters):
            if len(self._terms) > TERMS_MAX:
                self._terms.clear()
            book = None if price == NONE else self.books.versions[price]
            rules = None if rule == NONE else self.rules.versions[rule]
            wanted = {*meters, *(known.prices if known else ())}
            known = self._terms[key] = Terms(
                prices={meter: resolve_price(book, tags, meter) if book else None for meter in wanted},
                share=book.reward_share(tags["provider"]) if book else None,
                currency=book.currency if book else "",
                price_version=book.version if book else "",
                rule_version=rules.version if rules else "",
                rule=resolve_rule(rules, tags) if rules else None,
                has_model=bool(tags["provider"] and tags["model"]),
            )
        return known


def _refuse_unknown_meters(books: PriceBooks, rules: RuleBooks, catalogue: MeterCatalogue) -> None:
    """A price or rule for a meter that no event can have is a slip of the pen, found before it costs money."""
    for book in books.versions:
        for entry in book.prices:
            for meter in entry.meters:
                if meter not in catalogue or catalogue[meter].kind != "inference":
                    raise BookError(
                        f"price book {book.version}, {entry.provider} {entry.model}: {meter!r} is no inference meter "
                        "of the catalogue: correct the name, or declare the meter"
                    )
    for version in rules.versions:
        for rule in version.rules:
            if rule.meter is not None and rule.meter not in catalogue:
                raise BookError(
                    f"rule book {version.version}, rule {rule.id}: {rule.meter!r} is no meter of the catalogue: "
                    "correct the name, or declare the meter"
                )


def _combinations(dimension: np.ndarray, prices: np.ndarray, rules: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct (dimension, price version, rule version), and each event's row among them."""
    if len(dimension) and prices.min() == prices.max() and rules.min() == rules.max():
        highest = int(dimension.max()) + 1
        distinct = np.stack([np.arange(highest), np.full(highest, prices[0]), np.full(highest, rules[0])], axis=1)
        return dimension.astype(np.int64), distinct
    stacked = np.stack([dimension.astype(np.int64), prices, rules], axis=1)
    distinct, rows = np.unique(stacked, axis=0, return_inverse=True)
    return rows.reshape(-1), distinct


def quantities(millionths: pl.Series) -> pl.Series:
    """Int64 millionths as Decimal(38, 6), exactly: the two's complement, widened to 128 bits. Null becomes 0."""
    values = millionths.fill_null(0).to_numpy()
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    array = pa.Array.from_buffers(pa.decimal128(38, 6), len(values), [None, pa.py_buffer(words)])
    return pl.Series(millionths.name, pl.from_arrow(array))


def _amounts(
    events: pl.DataFrame, rows: np.ndarray, terms: list[Terms], priced: list[str], meters: list[str]
) -> pl.DataFrame:
    def gather(values: list[object], dtype: pl.DataType | type[pl.DataType] = MONEY) -> pl.Series:
        return pl.Series(values, dtype=dtype).gather(rows)

    height = events.height
    rules = [each.rule for each in terms]
    frame: dict[str, pl.Series] = {
        "share": gather([each.share for each in terms]),
        "kind": gather([rule.kind if rule else "" for rule in rules], pl.Categorical),
        "has_book": gather([bool(each.price_version) for each in terms], pl.Boolean),
        "has_model": gather([each.has_model for each in terms], pl.Boolean),
        "floor": gather([rule.floor if rule else None for rule in rules]),
        "cap": gather([rule.cap if rule else None for rule in rules]),
        "parameter": gather([rule.parameter if rule else None for rule in rules]),
        "needs_units": gather([bool(rule and rule.surcharge.needs_units) for rule in rules], pl.Boolean),
    }
    for meter in priced:
        frame["q." + meter] = quantities(events[USAGE_PREFIX + meter])
        frame["p." + meter] = gather([each.prices[meter] for each in terms])
    units = pl.Series([None] * height, dtype=pl.Int64)
    for meter in sorted({rule.meter for rule in rules if rule and rule.meter}):
        mine = gather([bool(rule and rule.meter == meter) for rule in rules], pl.Boolean)
        if meter in meters:
            units = pl.select(pl.when(mine).then(events[USAGE_PREFIX + meter]).otherwise(units)).to_series()
    frame["units"] = quantities(units)
    frame["has_units"] = units.is_not_null()
    missing = pl.any_horizontal(
        pl.lit(False), *((pl.col("q." + meter) > 0) & pl.col("p." + meter).is_null() for meter in priced)
    )
    base = pl.sum_horizontal(
        pl.lit(ZERO, dtype=MONEY), *((pl.col("q." + meter) * pl.col("p." + meter)).fill_null(ZERO) for meter in priced)
    )
    reason = (
        pl.when(~pl.col("has_book")).then(pl.lit("no_book"))
        .when(missing & ~pl.col("has_model")).then(pl.lit("no_model"))
        .when(missing).then(pl.lit("no_price"))
        .when(pl.col("kind") == "").then(pl.lit("no_rule"))
        .when(pl.col("needs_units") & ~pl.col("has_units")).then(pl.lit("no_unit"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    charged = pl.coalesce(
        pl.lit(None, dtype=MONEY),
        *(_charge(KINDS[kind]) for kind in sorted({rule.kind for rule in rules if rule})),
    )
    bounded = pl.max_horizontal(pl.min_horizontal(charged, pl.col("cap")), pl.col("floor"))
    rated = (
        pl.DataFrame(frame)
        .with_columns(reason.alias("unpriced_reason"), base.alias("base_cost"))
        .with_columns(pl.when(pl.col("unpriced_reason") == "").then(pl.col("base_cost")).alias("base_cost"))
        .with_columns(
            (pl.col("base_cost") * pl.col("share")).alias("provider_reward"),
            pl.when(pl.col("base_cost").is_not_null()).then(bounded).alias("customer_charge"),
        )
    )
    return rated.select(
        pl.when(pl.col("unpriced_reason") == "").then(pl.lit("rated")).otherwise(pl.lit("unpriced")).alias("pricing"),
        "unpriced_reason",
        gather([each.price_version for each in terms], pl.String).alias("price_version"),
        gather([each.rule_version for each in terms], pl.String).alias("rule_version"),
        gather([each.rule.id if each.rule else "" for each in terms], pl.String).alias("rule_id"),
        gather([each.currency for each in terms], pl.String).alias("currency"),
        "base_cost",
        "provider_reward",
        (pl.col("base_cost") - pl.col("provider_reward")).alias("platform_fee"),
        (pl.col("customer_charge") - pl.col("base_cost")).alias("builder_earnings"),
        "customer_charge",
    )


def _charge(kind: SurchargeKind) -> pl.Expr:
    """The charge where the event's rule is of this kind, null elsewhere."""
    mine = pl.col("kind") == kind.name
    # Branches are evaluated for all rows: a parameter that belongs to another kind must not take part.
    masked = pl.when(mine).then(pl.col("parameter"))
    return pl.when(mine).then(kind.charge(pl.col("base_cost"), masked, pl.col("units")))

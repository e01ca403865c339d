"""Rating: usage in, exact money out, for a block of events at a time.

Amount of a meter = quantity x unit price; base = their sum; provider_reward = base x share; platform_fee = base -
provider_reward; customer_charge by the rule; builder_earnings = customer_charge - base. Each product and quotient is
rounded once, half-even, 12 places; so for every event, and every sum, charge = reward + fee + earnings exactly.

Unpriced usage has null amounts and a reason: no_book, no_model, no_price, no_rule, no_unit (the first that applies).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa

from billing.documents import BookError
from billing.prices import PriceBooks
from billing.surcharges import RuleBooks
from billing.surcharges.kind import SurchargeKind
from billing.surcharges.kinds import KINDS
from billing.terms import MONEY, PRICE_PREFIX, TermTable
from topics.block import USAGE_PREFIX
from topics.meters import MeterCatalogue, load_catalogue

ZERO = Decimal(0)
QUANTITY_PREFIX = "q."


class Rater:
    """Rates blocks; keeps the resolved terms of tag sets it has seen."""

    def __init__(self, books: PriceBooks, rules: RuleBooks, catalogue: MeterCatalogue | None = None) -> None:
        """BookError for a meter that cannot occur, or amounts of two currencies that would have to be added."""
        self.books, self.rules = books, rules
        catalogue = catalogue or load_catalogue()
        _refuse_unknown_meters(books, rules, catalogue)
        _refuse_mixed_currencies(books, rules)
        self._inference = frozenset(name for name in catalogue if catalogue[name].kind == "inference")
        self._terms = TermTable(books, rules)

    def rate(self, events: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
        """One rated row per event, in their order; see the module for the columns' meaning."""
        self._terms.make_room()
        times = events["event_time"].to_numpy()
        rows, distinct = _combinations(
            events["dimension"].to_numpy(), self.books.numbers(times), self.rules.numbers(times)
        )
        tags = dimensions.rows(named=True)
        resolved = (self._terms.number(tags[row], price, rule) for row, price, rule in distinct.tolist())
        numbers = np.fromiter(resolved, dtype=np.int64, count=len(distinct))[rows]
        return self._amounts(events, self._terms.under_conditions(numbers, events))

    def _amounts(self, events: pl.DataFrame, numbers: np.ndarray) -> pl.DataFrame:
        used = [name.removeprefix(USAGE_PREFIX) for name in events.columns if name.startswith(USAGE_PREFIX)]
        priced = [meter for meter in used if meter in self._inference]
        rules = self._terms.rules(numbers)
        units = sorted({rule.meter for rule in rules if rule.meter is not None and rule.meter in used})
        frame = self._terms.frame(priced).select(pl.all().gather(numbers))
        frame = frame.with_columns(
            *(quantities(events[USAGE_PREFIX + meter]).alias(QUANTITY_PREFIX + meter) for meter in priced),
            _units(events, frame["unit_meter"], units),
        )
        return _split(frame, priced, sorted({rule.kind for rule in rules}))


def _refuse_unknown_meters(books: PriceBooks, rules: RuleBooks, catalogue: MeterCatalogue) -> None:
    """A price or rule for a meter that no event can have is a slip of the pen, found before it costs money."""
    for book in (*books.versions, *books.retroactive):
        for entry in book.prices:
            for meter in (meter for meters in entry.all_meters() for meter in meters):
                if meter not in catalogue or catalogue[meter].kind != "inference":
                    raise BookError(
                        f"price book {book.version}, {entry.provider} {entry.model}: {meter!r} is no inference meter "
                        "of the catalogue: correct the name, or declare the meter"
                    )
    for version in (*rules.versions, *rules.retroactive):
        for rule in version.rules:
            if rule.meter is not None and rule.meter not in catalogue:
                raise BookError(
                    f"rule book {version.version}, rule {rule.id}: {rule.meter!r} is no meter of the catalogue: "
                    "correct the name, or declare the meter"
                )


def _refuse_mixed_currencies(books: PriceBooks, rules: RuleBooks) -> None:
    """A rule's amounts are added to a base: where a rule book names its currency, it is that of the prices."""
    for number, version in enumerate(rules.versions):
        following = rules.versions[number + 1 :][:1]
        end = following[0].effective_from if following else None
        for at, book in enumerate(books.versions):
            if version.currency not in (None, book.currency) and books.overlaps(at, version.effective_from, end):
                raise BookError(
                    f"rule book {version.version} is in {version.currency}, and price book {book.version}, which "
                    f"applies at the same time, in {book.currency}: amounts of two currencies cannot be added"
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


def _units(events: pl.DataFrame, unit_meter: pl.Series, meters: list[str]) -> pl.Series:
    """Each event's quantity of its rule's meter as Decimal(38, 6); null where it has none."""
    units = pl.Series([None] * events.height, dtype=pl.Int64)
    for meter in meters:
        units = pl.select(pl.when(unit_meter == meter).then(events[USAGE_PREFIX + meter]).otherwise(units)).to_series()
    absent = pl.select(pl.when(units.is_not_null()).then(quantities(units)))
    return absent.to_series().alias("units")


def _split(frame: pl.DataFrame, priced: list[str], kinds: list[str]) -> pl.DataFrame:
    """The amounts of events with their terms, from base to earnings; `kinds` are those of the rules among them."""
    amounts = [(pl.col(QUANTITY_PREFIX + meter), pl.col(PRICE_PREFIX + meter)) for meter in priced]
    missing = pl.any_horizontal(pl.lit(False), *((quantity > 0) & price.is_null() for quantity, price in amounts))
    base = pl.sum_horizontal(
        pl.lit(ZERO, dtype=MONEY), *((quantity * price).fill_null(ZERO) for quantity, price in amounts)
    )
    reason = (
        pl.when(~pl.col("has_book")).then(pl.lit("no_book"))
        .when(missing & ~pl.col("has_model")).then(pl.lit("no_model"))
        .when(missing).then(pl.lit("no_price"))
        .when(pl.col("kind") == "").then(pl.lit("no_rule"))
        .when(pl.col("needs_units") & pl.col("units").is_null()).then(pl.lit("no_unit"))
        .otherwise(pl.lit(""))
    )  # fmt: skip
    charged = pl.coalesce(pl.lit(None, dtype=MONEY), *(_charge(KINDS[kind]) for kind in kinds))
    bounded = pl.max_horizontal(pl.min_horizontal(charged, pl.col("cap")), pl.col("floor"))
    priced_base = pl.when(pl.col("unpriced_reason") == "").then(pl.col("base_cost"))
    rated = (
        frame.with_columns(reason.alias("unpriced_reason"), base.alias("base_cost"), pl.col("units").fill_null(ZERO))
        .with_columns(priced_base.alias("base_cost"))
        .with_columns(
            (pl.col("base_cost") * pl.col("share")).alias("provider_reward"),
            pl.when(pl.col("base_cost").is_not_null()).then(bounded).alias("customer_charge"),
        )
    )
    return rated.select(
        pl.when(pl.col("unpriced_reason") == "").then(pl.lit("rated")).otherwise(pl.lit("unpriced")).alias("pricing"),
        "unpriced_reason",
        "price_version",
        "rule_version",
        "rule_id",
        "currency",
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

"""From what stands and what it comes to now: what becomes of each event, and the amounts to add to it.

Difference  new amounts minus those that rating made so far; charge = reward + fee + earnings holds of both, and so of
            it. What was added by hand is no rating: by default such an event is left alone and shown, because nobody
            but its author knows whether the new rating replaces it (`ByHand.REPLACE`) or goes beneath it (`KEEP`).
Only        what an adjustment can say is a change: usage that was billed is never made unpriced, and never moves to
            another currency.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import polars as pl

from billing.windows import AMOUNT_COLUMNS

AMOUNT_MAX = Decimal(10) ** 15  # of one event; workers refuse more


class ByHand(StrEnum):
    """What a re-rating does with events that have adjustments made by hand."""

    LEAVE = "leave"
    KEEP = "keep"
    REPLACE = "replace"


class Outcome(StrEnum):
    """What becomes of an event."""

    SAME = "same"
    CHANGED = "changed"
    RATED_LATER = "rated_later"  # it waited for a price, and has one now
    WAITING = "waiting"  # it still has none; `reason` says why
    UNRATED = "unrated"  # it was billed, and these books have no price for it; `reason` says why
    BY_HAND = "by_hand"  # it was corrected by hand, and is left alone
    OTHER_CURRENCY = "other_currency"  # its money stands in another currency than the new amounts are in
    TOO_LARGE = "too_large"  # more than one event can cost
    REUSED = "reused"  # its identity belongs to a later event by now; see `mark_reused`


CHANGES = (Outcome.CHANGED, Outcome.RATED_LATER)


def differences(billed: pl.DataFrame, rated: pl.DataFrame, by_hand: ByHand = ByHand.LEAVE) -> pl.DataFrame:
    """One row per event of `billed` with `rated` beside it: outcome, reason, new versions, rule and currency,
    before.*, after.* and difference.* of the four amounts; the last two are null where nothing is to be added."""
    both = pl.concat(
        [
            billed,
            rated.select(
                pl.col("unpriced_reason").alias("reason"),
                *(
                    pl.col(name).alias("new." + name)
                    for name in ("price_version", "rule_version", "rule_id", "currency")
                ),
                *(pl.col(name).alias("new." + name) for name in AMOUNT_COLUMNS),
            ),
        ],
        how="horizontal",
    )
    both = both.with_columns(
        *((pl.col("rated." + name) + pl.col("by_hand." + name)).alias("before." + name) for name in AMOUNT_COLUMNS),
        *(_difference(name, by_hand).alias("difference." + name) for name in AMOUNT_COLUMNS),
    )
    both = both.with_columns(_outcome(by_hand).alias("outcome"))
    adds = pl.col("outcome").is_in([str(outcome) for outcome in CHANGES])
    return both.with_columns(
        *(pl.when(adds).then(pl.col("difference." + name)).alias("difference." + name) for name in AMOUNT_COLUMNS),
    ).with_columns(
        *((pl.col("before." + name) + pl.col("difference." + name)).alias("after." + name) for name in AMOUNT_COLUMNS),
    )


def mark_reused(changes: pl.DataFrame, reused: pl.Series) -> pl.DataFrame:
    """Changes with those events (`reused`: a truth for each) left alone: an adjustment would find a later event."""
    return changes.with_columns(
        pl.when(reused).then(pl.lit(str(Outcome.REUSED))).otherwise("outcome").alias("outcome"),
        *(
            pl.when(~reused).then(pl.col(f"{which}.{name}")).alias(f"{which}.{name}")
            for which in ("difference", "after")
            for name in AMOUNT_COLUMNS
        ),
    )


def _difference(name: str, by_hand: ByHand) -> pl.Expr:
    difference = pl.col("new." + name) - pl.col("rated." + name)
    return difference - pl.col("by_hand." + name) if by_hand is ByHand.REPLACE else difference


def _outcome(by_hand: ByHand) -> pl.Expr:
    left = pl.col("by_hand") if by_hand is ByHand.LEAVE else pl.lit(value=False)
    largest = pl.max_horizontal(
        *(pl.col(f"{which}.{name}").abs() for which in ("new", "difference") for name in AMOUNT_COLUMNS)
    )
    differs = pl.any_horizontal(*(pl.col("difference." + name) != 0 for name in AMOUNT_COLUMNS))
    return (
        pl.when(left).then(pl.lit(str(Outcome.BY_HAND)))
        .when((pl.col("reason") != "") & pl.col("waits")).then(pl.lit(str(Outcome.WAITING)))
        .when(pl.col("reason") != "").then(pl.lit(str(Outcome.UNRATED)))
        .when(pl.col("has_money") & (pl.col("new.currency") != pl.col("currency")))
        .then(pl.lit(str(Outcome.OTHER_CURRENCY)))
        .when(largest > AMOUNT_MAX).then(pl.lit(str(Outcome.TOO_LARGE)))
        .when(pl.col("waits")).then(pl.lit(str(Outcome.RATED_LATER)))
        .when(differs).then(pl.lit(str(Outcome.CHANGED)))
        .otherwise(pl.lit(str(Outcome.SAME)))
    )  # fmt: skip

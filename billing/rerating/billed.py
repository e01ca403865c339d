"""What past usage stands at: of each event, what rating made of it so far, and what was added to it by hand.

Shapes    Takes ledger rows of whole windows (usage and the voids and adjustments of it) with `COLUMNS`, event_time,
          kind, dimension and usage.*; answers one row per usage event that was not taken back. In it
          rated.*    row plus re-ratings, 0 where nothing is billed yet      by_hand.*  adjustments without a pricing
          waits      unpriced, and not rated later                          has_money  whether anything stands anywhere
          versions, rule_id and currency are those of the latest re-rating, where there is one (`named`)
Targets   a void or adjustment is about the latest usage before it with the identity it names, of the same tenant
          (agents/targets.py); one whose target is not among the rows counts for nothing.
Exact     amounts of one event are a few numbers below 10^15, so no sum can leave Decimal(38, 12).
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.windows import AMOUNT_COLUMNS
from topics.block import USAGE_PREFIX, Kind

PLACE = ("topic_epoch", "source_partition", "source_offset", "batch_index")
PRICED = ("price_version", "rule_version", "rule_id", "currency")
# What is asked of the ledger beside what rating takes.
COLUMNS = (
    *PLACE,
    *("id", "identity_high", "identity_low", "target_high", "target_low"),
    *("pricing", "unpriced_reason", *PRICED, *AMOUNT_COLUMNS),
)
RERATED = ("rerated", "rated_later")  # `pricing` of an adjustment that says what it was rated with
ZERO = Decimal(0)
_SUBJECT = ["owner", "high", "low"]


def billed_so_far(rows: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
    """See the module."""
    ordered = _in_order(rows, dimensions)
    usage = ordered.filter(pl.col("kind") == Kind.USAGE)
    corrected = _corrections(ordered.filter(pl.col("kind") != Kind.USAGE))
    joined = usage.join(corrected, on=["number", "group"], how="left", maintain_order="left")
    return joined.filter(~pl.col("voided").fill_null(value=False)).select(
        "event_time",
        "dimension",
        *PLACE,
        "id",
        "identity_high",
        "identity_low",
        "pricing",
        "unpriced_reason",
        ((pl.col("pricing") == "unpriced") & ~pl.col("rated_later").fill_null(value=False)).alias("waits"),
        (pl.col("customer_charge").is_not_null() | pl.col("moved").is_not_null()).alias("has_money"),
        pl.col("named").fill_null(value=False),
        (pl.col("hands").fill_null(0) > 0).alias("by_hand"),
        *(pl.coalesce("last." + name, name).alias(name) for name in PRICED),
        *(
            (pl.col(name).fill_null(ZERO) + pl.col("more." + name).fill_null(ZERO)).alias("rated." + name)
            for name in AMOUNT_COLUMNS
        ),
        *(pl.col("hand." + name).fill_null(ZERO).alias("by_hand." + name) for name in AMOUNT_COLUMNS),
        *(name for name in ordered.columns if name.startswith(USAGE_PREFIX)),
    )


def _in_order(rows: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
    """By subject and place; `number` counts usage events, so corrections carry that of the latest one before them."""
    owners = dimensions.select(pl.struct("builder", "tenant").rank("dense").alias("owner"))["owner"]
    about = pl.col("kind") == Kind.USAGE
    return (
        rows.with_columns(
            owners.gather(rows["dimension"]).alias("owner"),
            pl.when(about).then("identity_high").otherwise("target_high").alias("high"),
            pl.when(about).then("identity_low").otherwise("target_low").alias("low"),
        )
        .sort(*_SUBJECT, *PLACE)
        .with_columns(
            about.cum_sum().alias("number"),
            # A correction whose target is not here must not be counted to the usage that happens to stand before it.
            pl.struct(_SUBJECT).rle_id().alias("group"),
        )
    )


def _corrections(rows: pl.DataFrame) -> pl.DataFrame:
    """What was done to each usage event, in the order of the log."""
    rerated = pl.col("pricing").is_in(RERATED)
    adjusted = pl.col("kind") == Kind.ADJUSTMENT
    by_hand = adjusted & ~rerated
    return rows.group_by("number", "group", maintain_order=True).agg(
        (pl.col("kind") == Kind.VOID).any().alias("voided"),
        (pl.col("pricing") == "rated_later").any().alias("rated_later"),
        rerated.any().alias("named"),
        by_hand.sum().alias("hands"),
        adjusted.any().alias("moved"),
        *(pl.col(name).filter(adjusted).last().alias("last." + name) for name in PRICED),
        *(pl.col(name).filter(rerated).sum().alias("more." + name) for name in AMOUNT_COLUMNS),
        *(pl.col(name).filter(by_hand).sum().alias("hand." + name) for name in AMOUNT_COLUMNS),
    )

"""What usage stands at in the ledger: its own row, the adjustments since, and whether it was taken back.

Shapes  `standing(rows, dimensions)`: ledger rows of whole (builder, tenant, window)s, usage and corrections mixed; out
        come the usage rows in any order, amounts and pricing as corrected, and `voided`; `rerated_prices` and
        `rerated_rules` are the versions of the latest re-rating, "" without one.
Target  as when the correction was accepted (agents/targets.py): of the usage of the same tenant under the target's
        identity at smaller places, the latest. Corrections of other usage than is among the rows change nothing.
Errors  `StandingError` where an adjustment is in another currency than what it adjusts: that is no sum.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from billing.errors import BillingError
from billing.rerating.billed import RERATED
from billing.windows import AMOUNT_COLUMNS
from topics.block import Kind

IDENTITY = ("identity_high", "identity_low")
TARGET = ("target_high", "target_low")
PLACE = ("topic_epoch", "source_partition", "source_offset", "batch_index")
PRICING = ("pricing", "unpriced_reason", "rule_id", "currency")
BILLED_COLUMNS = (*PRICING, *AMOUNT_COLUMNS)
# What is needed besides where there are corrections.
CORRECTION_COLUMNS = (*IDENTITY, *TARGET, *PLACE, "price_version", "rule_version")
RERATED_BY = ("rerated_prices", "rerated_rules")


class StandingError(BillingError):
    """The ledger holds an adjustment that cannot be added to its event."""


def standing(rows: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
    """`rows` has kind, dimension and BILLED_COLUMNS; without CORRECTION_COLUMNS, only usage is looked at."""
    usage = rows.filter(pl.col("kind") == Kind.USAGE).with_columns(
        pl.lit(value=False).alias("voided"), *(pl.lit("").alias(name) for name in RERATED_BY)
    )
    corrections = rows.filter(pl.col("kind") != Kind.USAGE)
    if not corrections.height or not set(CORRECTION_COLUMNS) <= set(rows.columns):
        return usage
    # Few events are ever corrected: all others are left alone, looked at by half of their identity.
    meant = pl.col(IDENTITY[1]).is_in(corrections[TARGET[1]].unique().implode())
    few, owners = usage.filter(meant), _owners(dimensions)
    few = few.with_row_index("row").with_columns(_owner(few, owners)).drop("voided", *RERATED_BY)
    corrections = corrections.with_columns(_owner(corrections, owners))
    corrected = _corrected(few, _sums(_aimed(few, corrections))).select(usage.columns)
    return pl.concat([usage.filter(~meant), corrected])


def _owners(dimensions: pl.DataFrame) -> np.ndarray:
    """A number for each tag set's Builder and tenant."""
    owners = pl.struct("builder", "tenant").rank("dense").alias("owner")
    found: np.ndarray = dimensions.select(owners)["owner"].to_numpy()
    return found


def _owner(rows: pl.DataFrame, owners: np.ndarray) -> pl.Series:
    return pl.Series("owner", owners[rows["dimension"].to_numpy()])


def _aimed(usage: pl.DataFrame, corrections: pl.DataFrame) -> pl.DataFrame:
    """Corrections in log order with the `row` of the usage that each is about, as far as it is among `usage`."""
    key = ["high", "low", "owner"]
    where = dict(zip(PLACE, ("epoch", "partition", "offset", "index"), strict=True))
    aims = corrections.rename(dict(zip(TARGET, key[:2], strict=True))).select(
        *key,
        "kind",
        *PLACE,
        "rule_id",
        "currency",
        *AMOUNT_COLUMNS,
        *(
            pl.when(pl.col("pricing").is_in(RERATED)).then(version).alias(name)
            for name, version in zip(RERATED_BY, ("price_version", "rule_version"), strict=True)
        ),
    )
    targets = usage.rename({**dict(zip(IDENTITY, key[:2], strict=True)), **where}).select(
        *key, "row", *where.values(), pl.col("currency").alias("billed_in"), "pricing"
    )
    epoch, partition, offset, index = (pl.col(name) for name in PLACE)
    same_log = (pl.col("epoch") == epoch) & (pl.col("partition") == partition)
    before = (pl.col("offset") < offset) | ((pl.col("offset") == offset) & (pl.col("index") < index))
    return (
        aims.join(targets, on=key)
        .filter((pl.col("epoch") < epoch) | (same_log & before))
        .sort(*where.values())
        .unique(PLACE, keep="last", maintain_order=True)
        .sort(*PLACE)
    )


def _sums(aimed: pl.DataFrame) -> pl.DataFrame:
    """One row per corrected usage: voided or not, and its adjustments added up."""
    adjustments = aimed.filter(pl.col("kind") == Kind.ADJUSTMENT)
    mixed = adjustments.group_by("row").agg(
        pl.col("currency").n_unique().alias("currencies"),
        ((pl.col("pricing") == "rated") & (pl.col("currency") != pl.col("billed_in"))).any().alias("other"),
    )
    if mixed.filter((pl.col("currencies") > 1) | pl.col("other")).height:
        raise StandingError(
            "The ledger holds an adjustment in another currency than its event: amounts of two currencies have no sum. "
            "Void that event and send it again."
        )
    added = adjustments.group_by("row", maintain_order=True).agg(
        pl.col(*AMOUNT_COLUMNS).sum().name.prefix("added."),
        pl.col("rule_id", "currency").last().name.prefix("added."),
        pl.col(*RERATED_BY).drop_nulls().last(),
    )
    voids = aimed.filter(pl.col("kind") == Kind.VOID).select(pl.col("row").unique(), pl.lit(value=True).alias("voided"))
    return voids.join(added, on="row", how="full", coalesce=True)


def _corrected(usage: pl.DataFrame, sums: pl.DataFrame) -> pl.DataFrame:
    """`usage` with `sums` added. Usage that had no price takes that of its adjustment: it was rated late."""
    adjusted = pl.col("added.customer_charge").is_not_null()
    late = adjusted & (pl.col("pricing") == "unpriced")
    amounts = (
        pl.when(adjusted).then(pl.col(name).fill_null(0) + pl.col(f"added.{name}")).otherwise(pl.col(name)).alias(name)
        for name in AMOUNT_COLUMNS
    )
    return usage.join(sums, on="row", how="left", maintain_order="left").with_columns(
        pl.col("voided").fill_null(value=False),
        pl.col(*RERATED_BY).fill_null(""),
        *amounts,
        *(pl.when(late).then(f"added.{name}").otherwise(name).alias(name) for name in ("rule_id", "currency")),
        pl.when(late).then(pl.lit("rated")).otherwise("pricing").alias("pricing"),
        pl.when(late).then(pl.lit("")).otherwise("unpriced_reason").alias("unpriced_reason"),
    )

"""A month of ledger rows, seeded: what the meter would have stored, made without a broker and block after block.

Rows    400 tenants of 8 Builders with a skew, 6 features, 3 models, standard and batch: some 10,000 tag sets. Every
        quantity is drawn by itself (lognormal tokens), so that hardly two rows are equal and nothing can be folded.
Money   the real rater with bench/books/simulate; one in a thousand events is voided, one in a thousand adjusted.
Blocks  50,000 rows each, in the order of time, assembled and sorted by the worker's own code (agents/rows.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from agents.rows import LEDGER_AMOUNTS, MONEY, LedgerFrame, ledger_table
from billing.prices import PriceBooks
from billing.rating import Rater
from billing.surcharges import RuleBooks
from billing.windows import window_start
from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, QUANTITY_UNIT, USAGE_PREFIX, Kind

BOOKS = Path(__file__).parent / "books" / "simulate"
MONTH = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 31
BLOCK_ROWS = 50_000
PARTITIONS = 8
WINDOW_SECONDS = 3600
TENANTS = 400
BUILDERS = 8
FEATURES = ("chat", "summary", "search", "agent", "report", "extract")
MODELS = (("northwind", "nw-large"), ("northwind", "nw-small"), ("lumen", "lumen-pro"))
MODES = ("standard", "batch")
ADJUSTED = Decimal("-0.01")
CORRECTED = 1_000  # one in so many is voided, and one adjusted
MEDIANS = {"input_tokens": 900, "cached_input_tokens": 400, "output_tokens": 250, "reasoning_tokens": 300}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LedgerBlock:
    """One flush: the rows as they go to the sink, and how many of them there are."""

    table: pa.Table
    rows: int


def ledger_blocks(rows: int, *, seed: int = 11) -> Iterator[LedgerBlock]:
    """`rows` ledger rows over the month, corrections among them."""
    draw = np.random.default_rng(seed)
    rater = Rater(PriceBooks.load(BOOKS / "prices.toml"), RuleBooks.load(BOOKS / "rules-before.toml"))
    dimensions = _dimensions()
    offsets = np.zeros(PARTITIONS, dtype=np.int64)
    made = 0
    while made < rows:
        count = min(BLOCK_ROWS, rows - made)
        corrections = 2 * (count // CORRECTED)
        events = _events(draw, dimensions, count - corrections, offsets, made / rows, (made + count) / rows)
        block = _with_corrections(draw, events.hstack(rater.rate(events, dimensions)), corrections // 2, offsets)
        yield LedgerBlock(ledger_table(LedgerFrame(block, dimensions), 1), block.height)
        made += count


def _dimensions() -> pl.DataFrame:
    rows = [
        {
            **dict.fromkeys(DIMENSION_COLUMNS, ""),
            "source": f"/gateway/{tenant % 4}",
            "builder": f"builder-{tenant % BUILDERS}",
            "tenant": f"tenant-{tenant:03d}",
            "workspace": f"workspace-{tenant % 3}",
            "feature": feature,
            "provider": provider,
            "model": model,
            "requested_model": model,
            "mode": mode,
            "route": "primary",
            "status": "completed",
            "usage_source": "provider",
        }
        for tenant in range(TENANTS)
        for feature in FEATURES
        for provider, model in MODELS
        for mode in MODES
    ]
    return pl.DataFrame(rows, schema=DIMENSION_SCHEMA)


def _events(
    draw: np.random.Generator, dimensions: pl.DataFrame, count: int, offsets: np.ndarray, first: float, last: float
) -> pl.DataFrame:
    tenant = (TENANTS * draw.random(count) ** 2).astype(np.int64)
    # Each tenant has features and models of its own that it uses most: new books treat them differently.
    feature = ((len(FEATURES) * draw.random(count) ** 1.5).astype(np.int64) + tenant) % len(FEATURES)
    model = ((len(MODELS) * draw.random(count) ** 1.5).astype(np.int64) + tenant // 7) % len(MODELS)
    mode = (draw.random(count) < 0.2).astype(np.int64)
    month = DAYS * 86_400 * 1_000_000
    start = (MONTH - EPOCH) // timedelta(microseconds=1)
    event_time = start + np.sort((month * (first + (last - first) * draw.random(count))).astype(np.int64))
    partition = tenant % PARTITIONS
    usage: dict[str, np.ndarray] = {
        name: draw.lognormal(np.log(median), 1.0, count).astype(np.int64) for name, median in MEDIANS.items()
    }
    with_meter = {
        "cached_input_tokens": draw.random(count) < 0.5,
        "reasoning_tokens": model != 1,
        "documents": feature == FEATURES.index("extract"),
    }
    usage |= {"requests": np.ones(count, dtype=np.int64), "documents": draw.integers(1, 9, count)}
    identities = draw.integers(0, 2**64, (count, 3), dtype=np.uint64)
    return pl.DataFrame(
        {
            "partition": partition.astype(np.int32),
            "offset": _places(partition, offsets),
            "index": np.zeros(count, dtype=np.int32),
            "record_time": event_time + 1_500_000,
            "event_time": event_time,
            "kind": np.full(count, int(Kind.USAGE), dtype=np.uint8),
            "dimension": (((tenant * len(FEATURES) + feature) * len(MODELS) + model) * 2 + mode).astype(np.uint32),
            "identity_high": identities[:, 0],
            "identity_low": identities[:, 1],
            "payload_hash": identities[:, 2],
            "target_high": np.zeros(count, dtype=np.uint64),
            "target_low": np.zeros(count, dtype=np.uint64),
            "window_start": window_start(event_time, WINDOW_SECONDS),
        }
    ).with_columns(
        pl.format("{}-{}", pl.col("partition"), pl.col("offset")).alias("id"),
        pl.lit("").alias("traceparent"),
        pl.lit("").alias("note"),
        *(
            pl.when(pl.Series(with_meter.get(name, np.ones(count, dtype=bool))))
            .then(pl.Series(values * QUANTITY_UNIT))
            .alias(USAGE_PREFIX + name)
            for name, values in sorted(usage.items())
        ),
    )


def _places(partition: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The next offsets of each partition, which go on."""
    places = np.empty(len(partition), dtype=np.int64)
    for number in range(PARTITIONS):
        mine = np.flatnonzero(partition == number)
        places[mine] = offsets[number] + np.arange(len(mine))
        offsets[number] += len(mine)
    return places


def _with_corrections(draw: np.random.Generator, rows: pl.DataFrame, each: int, offsets: np.ndarray) -> pl.DataFrame:
    """`each` events of the block voided, and as many others adjusted by a cent less."""
    chosen = draw.permutation(rows.height)[: 2 * each]
    if not len(chosen):
        return rows
    taken = rows[chosen]
    meters = [name for name in rows.columns if name.startswith(USAGE_PREFIX)]
    void = pl.Series(np.arange(len(chosen)) < each)
    cent = {"customer_charge": ADJUSTED, "builder_earnings": ADJUSTED}
    corrections = taken.with_columns(
        pl.when(void).then(int(Kind.VOID)).otherwise(int(Kind.ADJUSTMENT)).cast(pl.UInt8).alias("kind"),
        pl.Series("offset", _places(taken["partition"].to_numpy(), offsets)),
        pl.col("identity_high").alias("target_high"),
        pl.col("identity_low").alias("target_low"),
        pl.Series("identity_high", draw.integers(0, 2**64, len(chosen), dtype=np.uint64)),
        pl.lit("refund").alias("note"),
        *(pl.when(void).then(-pl.col(name)).alias(name) for name in meters),
        *(
            pl.when(void)
            .then(pl.lit(Decimal(0)) - pl.col(name))
            .otherwise(cent.get(name, Decimal(0)))
            .cast(MONEY)
            .alias(name)
            for name in LEDGER_AMOUNTS
        ),
    )
    return pl.concat([rows, corrections])

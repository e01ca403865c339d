"""The rows that a sink stores, as Arrow schemas: what `Sink` methods take, whatever stands behind them.

Money columns are Decimal(38, 12) in `currency`; null means unpriced (quarantined), never 0. Quantities are
Decimal(38, 6). `window_start`, `event_time` and `record_time` are UTC; windows are half-open.
A row's identity is its place in the log: (topic_epoch, source_partition, source_offset, batch_index).
"""

from __future__ import annotations

import pyarrow as pa

MONEY = pa.decimal128(38, 12)
QUANTITY = pa.decimal128(38, 6)
TAG = pa.dictionary(pa.int32(), pa.string())
TIME = pa.timestamp("us", tz="UTC")
USAGE = pa.map_(pa.string(), QUANTITY)

AMOUNTS = ("customer_charge", "provider_reward", "platform_fee", "builder_earnings")

LEDGER = pa.schema(
    [
        ("builder", TAG),
        ("tenant", TAG),
        ("window_start", pa.timestamp("s", tz="UTC")),
        ("topic_epoch", pa.uint16()),
        ("source_partition", pa.uint16()),
        ("source_offset", pa.int64()),
        ("batch_index", pa.uint32()),
        ("kind", TAG),  # usage | void | adjustment
        ("pricing", TAG),  # rated | unpriced
        ("unpriced_reason", TAG),  # "" when rated
        ("event_time", TIME),  # a void or adjustment carries its own time, and its target's window_start
        ("record_time", TIME),
        ("source", TAG),
        ("id", pa.string()),
        ("identity_high", pa.uint64()),
        ("identity_low", pa.uint64()),
        ("payload_hash", pa.uint64()),
        ("target_high", pa.uint64()),  # 0 for usage
        ("target_low", pa.uint64()),
        ("traceparent", pa.string()),
        ("workspace", TAG),
        ("deployment", TAG),
        ("feature", TAG),
        ("workflow", TAG),
        ("action", TAG),
        ("business_unit", TAG),
        ("outcome", TAG),
        ("provider", TAG),
        ("model", TAG),
        ("requested_model", TAG),
        ("mode", TAG),
        ("route", TAG),
        ("region", TAG),
        ("status", TAG),
        ("usage_source", TAG),
        ("note", TAG),
        ("usage", USAGE),
        ("price_version", TAG),
        ("rule_version", TAG),
        ("rule_id", TAG),
        ("currency", TAG),
        ("base_cost", MONEY),
        ("customer_charge", MONEY),
        ("provider_reward", MONEY),
        ("platform_fee", MONEY),
        ("builder_earnings", MONEY),
    ]
)

# What a window total is kept by, below (topic_epoch, source_partition): the key of `usage_totals`.
TOTALS_KEY = (
    "builder",
    "tenant",
    "window_start",
    "workspace",
    "feature",
    "provider",
    "model",
    "mode",
    "rule_id",
    "currency",
)

TOTALS = pa.schema(
    [
        ("builder", TAG),
        ("tenant", TAG),
        ("window_start", pa.timestamp("s", tz="UTC")),
        ("workspace", TAG),
        ("feature", TAG),
        ("provider", TAG),
        ("model", TAG),
        ("mode", TAG),
        ("rule_id", TAG),
        ("currency", TAG),
        ("topic_epoch", pa.uint16()),
        ("source_partition", pa.uint16()),
        ("last_offset", pa.int64()),  # the version: the last offset included
        ("ledger_rows", pa.int64()),  # rows of any kind added up here
        ("net_events", pa.int64()),  # usage minus voids
        ("unpriced_events", pa.int64()),  # usage minus voids, of what waits for a price
        ("usage", USAGE),
        ("customer_charge", MONEY),
        ("provider_reward", MONEY),
        ("platform_fee", MONEY),
        ("builder_earnings", MONEY),
    ]
)

DEAD_LETTERS = pa.schema(
    [
        ("topic_epoch", pa.uint16()),
        ("source_partition", pa.uint16()),
        ("source_offset", pa.int64()),
        ("batch_index", pa.uint32()),
        ("record_time", TIME),
        ("reason", TAG),
        ("detail", pa.string()),
        ("record_key", pa.binary()),
        ("record_value", pa.binary()),
        ("record_headers", pa.string()),  # JSON array of [name, base64 value or null]
    ]
)

# One row per partition and flush; counts are cumulative from the start of the epoch, a function of the log up to
# next_offset: events = accepted + duplicates + dead_lettered.
CHECKPOINTS = pa.schema(
    [
        ("topic_epoch", pa.uint16()),
        ("source_partition", pa.uint16()),
        ("next_offset", pa.int64()),  # the version
        ("events", pa.int64()),
        ("accepted", pa.int64()),
        ("duplicates", pa.int64()),
        ("dead_lettered", pa.int64()),
        ("voids", pa.int64()),
        ("adjustments", pa.int64()),
        ("unpriced", pa.int64()),
        ("max_record_time", TIME),
        ("worker", pa.string()),
    ]
)

"""A decoded block: what the decoder hands on, as columns.

Shapes  `events` has one row per event that is well formed, in log order; `dimensions` one row per distinct set of
        tags; `events["dimension"]` is the row number in `dimensions`. `targets` has one row per void or adjustment.
Units   times are microseconds since 1970 (UTC), quantities integers in millionths of the meter's unit.
Places  (partition, offset, index): index is the position inside a columnar batch, 0 for a record of one event.

Tags sit in `dimensions` and not on every row because a block of 50,000 events has a few hundred distinct sets: prices
and rules are looked up, hashed and written once per set, and gathered by row number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
import polars as pl

from topics.reasons import Reason

QUANTITY_SCALE = 6
QUANTITY_UNIT = 10**QUANTITY_SCALE
QUANTITY_MAX = 10**12  # units: 10**18 millionths, inside a signed 64-bit integer
USAGE_PREFIX = "usage."  # an events column "usage.input_tokens" holds that meter's quantities, null where absent


class Kind(IntEnum):
    """What an event asks for; the value is stored in `events["kind"]`."""

    USAGE = 0
    VOID = 1
    ADJUSTMENT = 2


# Every tag, in contract order. Absent tags are "". The order is part of the payload hash: only append.
DIMENSION_COLUMNS: tuple[str, ...] = (
    "source",
    "builder",
    "tenant",
    "workspace",
    "deployment",
    "feature",
    "workflow",
    "action",
    "business_unit",
    "outcome",
    "provider",
    "model",
    "requested_model",
    "mode",
    "route",
    "region",
    "status",
    "usage_source",
)
DIMENSION_SCHEMA: dict[str, pl.DataType] = {name: pl.String() for name in DIMENSION_COLUMNS}

# The fixed columns of `events`; the usage.* columns (Int64) of the meters present follow in sorted order.
EVENT_SCHEMA: dict[str, pl.DataType] = {
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "index": pl.Int32(),
    "record_time": pl.Int64(),
    "event_time": pl.Int64(),
    "kind": pl.UInt8(),
    "dimension": pl.UInt32(),
    "id": pl.String(),
    "traceparent": pl.String(),  # "" when absent or malformed
}

# One row per void or adjustment; `row` is its row number in `events`. A void's amounts are null, and so is the pricing
# (the last four) of whatever has none.
TARGET_SCHEMA: dict[str, pl.DataType] = {
    "row": pl.UInt32(),
    "target_source": pl.String(),
    "target_id": pl.String(),
    "note": pl.String(),  # the reason given by whoever published it
    "provider_reward": pl.Decimal(38, 12),
    "platform_fee": pl.Decimal(38, 12),
    "builder_earnings": pl.Decimal(38, 12),
    "customer_charge": pl.Decimal(38, 12),
    "price_version": pl.String(),
    "rule_version": pl.String(),
    "rule_id": pl.String(),
    "currency": pl.String(),
}


class RawRecord(Protocol):
    """What the decoder reads of a Kafka record; aiokafka's ConsumerRecord is one."""

    partition: int
    offset: int
    timestamp: int  # milliseconds since 1970, appended by the broker
    key: bytes | None
    value: bytes | None

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Kafka allows a header without a value."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that cannot be billed, with everything needed to publish it again once mended."""

    partition: int
    offset: int
    index: int
    record_time: int  # microseconds since 1970
    reason: Reason
    detail: str  # one sentence: what was wrong, where, what to do
    key: bytes | None
    value: bytes | None  # the original bytes; for an event inside a batch, a batch of that one row
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """What a block covers of one partition: offsets [first_offset, next_offset) holding `events` events."""

    first_offset: int
    next_offset: int
    events: int


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """Well-formed events as columns, what was rejected, and what part of the log both came from."""

    events: pl.DataFrame
    dimensions: pl.DataFrame
    targets: pl.DataFrame
    identities: np.ndarray  # (events, 2) uint64: the 128-bit hash of (source, id), high word first
    target_identities: np.ndarray  # (targets, 2) uint64: the same hash of (target_source, target_id)
    payloads: np.ndarray  # (events,) uint64: hash of the content, the same in every encoding
    rejections: list[Rejection]
    spans: dict[int, Span]
    records: Sequence[RawRecord]  # as they were read, for what admission rejects later

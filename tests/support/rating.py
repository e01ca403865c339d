"""Frames for the rater, from plain rows: what the decoder would hand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from topics.block import DIMENSION_COLUMNS, DIMENSION_SCHEMA, QUANTITY_UNIT, USAGE_PREFIX

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULTS = {"mode": "standard", "status": "completed", "usage_source": "provider", "route": "primary"}


def frames(
    rows: Sequence[tuple[datetime, Mapping[str, str], Mapping[str, Decimal]]],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(events, dimensions) of rows (time, tags, usage): equal tag sets share a dimension."""
    dimensions: dict[tuple[str, ...], int] = {}
    numbers = []
    for _, tags, _ in rows:
        values = tuple({**DEFAULTS, **tags}.get(name, "") for name in DIMENSION_COLUMNS)
        numbers.append(dimensions.setdefault(values, len(dimensions)))
    meters = sorted({meter for _, _, usage in rows for meter in usage})
    events = pl.DataFrame(
        {
            "event_time": pl.Series(
                [(time - EPOCH) // timedelta(microseconds=1) for time, _, _ in rows], dtype=pl.Int64
            ),
            "dimension": pl.Series(numbers, dtype=pl.UInt32),
            **{
                USAGE_PREFIX + meter: pl.Series(
                    [int(usage[meter] * QUANTITY_UNIT) if meter in usage else None for _, _, usage in rows],
                    dtype=pl.Int64,
                )
                for meter in meters
            },
        }
    )
    return events, pl.DataFrame(list(dimensions), schema=DIMENSION_SCHEMA, orient="row")

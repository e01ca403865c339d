"""`sinks.rerates.RerateStore` over a `MemorySink`, for simulation and for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl

from sinks.memory import PLACE, MemorySink
from sinks.rerates import SOURCE, Rerate, Rerates, Waiting, in_order

KIND = ("unpriced_reason", "provider", "model", "mode", "region")


class MemoryRerates:
    """Keeps the entries itself; everything else is what the sink holds."""

    def __init__(self, sink: MemorySink, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._sink, self._now = sink, now
        self._entries: dict[int, Rerate] = {}

    async def read_rerates(self) -> Rerates:
        return Rerates(in_order(list(self._entries.values())), self._now())

    async def record_rerate(self, entry: Rerate) -> None:
        self._entries.setdefault(entry.sequence, replace(entry, recorded_at=self._now()))

    async def read_progress(self) -> pl.DataFrame:
        return self._sink.checkpoints.select("topic_epoch", "source_partition", "next_offset", "max_record_time")

    async def find_usage(self, identities: np.ndarray, recorded_after: datetime) -> pl.DataFrame:
        columns = ["identity_high", "identity_low"]
        wanted = pl.DataFrame(np.asarray(identities, dtype=np.uint64).reshape(-1, 2), schema=columns, orient="row")
        rows = self._sink.ledger.filter(pl.col("kind") == "usage", pl.col("record_time") > recorded_after)
        return rows.join(wanted.unique(), on=columns, how="semi").select("builder", "tenant", *columns, *PLACE)

    async def count_rerated(self, rerate_id: str) -> int:
        mine = (pl.col("kind") == "adjustment") & (pl.col("source") == SOURCE)
        return self._sink.ledger.filter(mine, pl.col("id").str.starts_with(f"{rerate_id}/")).height

    async def read_waiting(self, *, by_builder: bool = False, builder: str = "") -> list[Waiting]:
        found: dict[tuple[str, ...], list[dict[str, object]]] = {}
        for row in self._waiting().iter_rows(named=True):
            if not builder or row["builder"] == builder:
                key = (*(row[name] for name in KIND), row["builder"] if by_builder else "")
                found.setdefault(key, []).append(row)
        waiting = [_waiting(key, rows) for key, rows in found.items()]
        return sorted(waiting, key=lambda each: (each.first_event_time, *(getattr(each, name) for name in KIND)))

    def _waiting(self) -> pl.DataFrame:
        """Unpriced usage that nothing behind it has taken back or rated: as the view `unpriced_usage` says it."""
        usage = pl.col("kind") == "usage"
        identity = [
            pl.when(usage).then(f"identity_{half}").otherwise(f"target_{half}").alias(half) for half in ("high", "low")
        ]
        return (
            self._sink.ledger.filter(pl.col("pricing").is_in(["unpriced", "rated_later"]))
            .with_columns(identity)
            .sort("builder", "tenant", "high", "low", *PLACE)
            .with_columns(
                (~usage).shift(-1, fill_value=False).over("builder", "tenant", "high", "low").alias("settled")
            )
            .filter(usage, ~pl.col("settled"))
        )


def _waiting(key: tuple[str, ...], rows: list[dict[str, object]]) -> Waiting:
    usage: dict[str, Decimal] = {}
    for row in rows:
        for entry in row["usage"]:  # type: ignore[attr-defined]
            usage[entry["key"]] = usage.get(entry["key"], Decimal(0)) + entry["value"]
    times = [row["event_time"] for row in rows]
    return Waiting(
        **dict(zip((*KIND, "builder"), key, strict=True)),
        events=len(rows),
        first_event_time=min(times),  # type: ignore[type-var, arg-type]
        last_event_time=max(times),  # type: ignore[type-var, arg-type]
        usage=dict(sorted(usage.items())),
        tenants=tuple(sorted({f"{row['builder']}/{row['tenant']}" for row in rows})),
    )

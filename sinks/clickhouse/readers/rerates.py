"""Re-ratings: the entries on record, what waits for a price, and what of the ledger a re-rating has to look up.

An entry is recorded under the token "rerates:<place>". The table remembers tokens
(`non_replicated_deduplication_window`, and replicated tables by themselves): of several inserts for one place the
server stores the first and drops the others without an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.books import QUORUM
from sinks.clickhouse.readers.conditions import among, moment
from sinks.clickhouse.readers.identities import IDENTITIES_PER_QUERY, PLACE, with_identity
from sinks.frames import frame_schema, to_frame
from sinks.rerates import RERATES, SOURCE, Rerate, Rerates, Waiting, from_row, in_order, to_row

PROGRESS = pa.schema(
    [tables.CHECKPOINTS.field(name) for name in ("topic_epoch", "source_partition", "next_offset", "max_record_time")]
)
USAGE = pa.schema(
    [tables.LEDGER.field(name) for name in ("builder", "tenant", "identity_high", "identity_low", *PLACE)]
)


def read_rerates(client: Client) -> Rerates:
    """Every entry that has its place, and the clock from before they were read."""
    [clock] = client.query_rows("SELECT now64(6, 'UTC') AS now", doing="asking the store for the time")
    sql = f"SELECT {', '.join(RERATES.names)}, recorded_at FROM {client.configuration.database}.rerates"
    rows = client.query_rows(sql, doing="reading the re-ratings on record")
    return Rerates(in_order([from_row(row) for row in rows]), clock["now"])


def record_rerate(client: Client, entry: Rerate) -> None:
    """Record at its place, unless somebody has it."""
    token = {"insert_deduplication_token": f"rerates:{entry.sequence}", "deduplicate_insert": "enable"}
    client.insert_arrow(
        "rerates",
        pa.Table.from_pylist([to_row(entry)], schema=RERATES),
        doing="recording a re-rating",
        settings={**token, **(QUORUM if client.configuration.cluster else {})},
    )


def read_progress(client: Client) -> pl.DataFrame:
    """How far every partition of every epoch is stored."""
    sql = f"SELECT {', '.join(PROGRESS.names)} FROM {client.configuration.database}.checkpoints FINAL"
    return to_frame(client.query_arrow(sql, doing="reading checkpoints"), PROGRESS)


def find_usage(client: Client, identities: np.ndarray, recorded_after: datetime) -> pl.DataFrame:
    """Through the bloom filter on identity_low; the upper half is compared here."""
    frames = [pl.DataFrame(schema=frame_schema(USAGE))]
    for some in _portions(identities):
        sql = f"""
            SELECT {", ".join(USAGE.names)} FROM {client.configuration.database}.usage_ledger
            WHERE kind = 'usage' AND record_time > {moment(recorded_after)} AND {among("identity_low", some[:, 1])}
        """
        frames.append(to_frame(client.query_arrow(sql, doing="looking for later uses of identities"), USAGE))
    return with_identity(pl.concat(frames).unique(PLACE), "identity", identities)


def count_rerated(client: Client, rerate_id: str) -> int:
    """How many of its adjustments are stored, each place once."""
    places = ", ".join(PLACE)
    sql = f"""
        SELECT toInt64(uniqExact({places})) AS stored FROM {client.configuration.database}.usage_ledger
        WHERE kind = 'adjustment' AND source = {{source:String}} AND startsWith(id, {{prefix:String}})
    """
    parameters = {"source": SOURCE, "prefix": f"{rerate_id}/"}
    [row] = client.query_arrow(sql, doing="counting stored adjustments", parameters=parameters).to_pylist()
    return int(row["stored"])


def read_waiting(client: Client, by_builder: bool, builder: str) -> list[Waiting]:
    """From the view `unpriced_usage`, over all windows."""
    own = "toString(w.builder)" if by_builder else "''"
    sql = f"""
        SELECT
            toString(w.unpriced_reason) AS unpriced_reason, toString(w.provider) AS provider,
            toString(w.model) AS model, toString(w.mode) AS mode, toString(w.region) AS region, {own} AS builder,
            toInt64(sum(w.net_events)) AS events,
            min(w.first_event_time) AS first_event_time, max(w.last_event_time) AS last_event_time,
            sumMap(w.usage) AS usage,
            arraySort(groupUniqArray(concat(toString(w.builder), '/', toString(w.tenant)))) AS tenants
        FROM {client.configuration.database}.unpriced_usage AS w
        {"WHERE w.builder = {builder:String}" if builder else ""}
        GROUP BY unpriced_reason, provider, model, mode, region, builder
        ORDER BY first_event_time, unpriced_reason, provider, model, mode, region, builder
    """
    rows = client.query_arrow(sql, doing="reading what waits for a price", parameters={"builder": builder}).to_pylist()
    return [
        Waiting(**row | {"usage": dict(sorted(dict(row["usage"]).items())), "tenants": tuple(row["tenants"])})
        for row in rows
    ]


def _portions(identities: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(identities), IDENTITIES_PER_QUERY):
        yield identities[start : start + IDENTITIES_PER_QUERY]

"""Which events are accepted already? Once for a filter in memory, once for the few that it may have seen."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

import numpy as np
import polars as pl
import pyarrow as pa

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import among, moment, of_partitions_or_earlier_epoch
from sinks.frames import frame_schema, to_frame

PLACE = ("topic_epoch", "source_partition", "source_offset", "batch_index")
FOUND = pa.schema(
    [tables.LEDGER.field(name) for name in ("identity_high", "identity_low", "payload_hash", "event_time", *PLACE)]
)
# A query's text: 4,000 numbers of 20 digits are far below the server's limit of 256 KiB.
IDENTITIES_PER_QUERY = 4_000


def read_identities(client: Client, topic_epoch: int, partitions: Collection[int], since: datetime) -> np.ndarray:
    """(n, 2) uint64, repeats and all: without FINAL, and in the server's own layout, so that nothing is converted."""
    sql = f"""
        SELECT identity_high, identity_low
        FROM {client.configuration.database}.usage_ledger
        WHERE event_time >= {moment(since)} AND {of_partitions_or_earlier_epoch(topic_epoch, partitions)}
    """
    answer = client.query_bytes(sql, fmt="RowBinary", doing="reading identities")
    return np.frombuffer(answer, dtype="<u8").reshape(-1, 2)


def find_identities(
    client: Client, topic_epoch: int, partitions: Collection[int], identities: np.ndarray
) -> pl.DataFrame:
    """Through the bloom filter on identity_low; the upper half is compared here."""
    frames = [pl.DataFrame(schema=frame_schema(FOUND))]
    for some in _portions(identities):
        sql = f"""
            SELECT {", ".join(FOUND.names)}
            FROM {client.configuration.database}.usage_ledger
            WHERE {among("identity_low", some[:, 1])} AND {of_partitions_or_earlier_epoch(topic_epoch, partitions)}
        """
        frames.append(to_frame(client.query_arrow(sql, doing="looking up identities"), FOUND))
    return with_identity(pl.concat(frames), "identity", identities)


def find_rows(client: Client, topic_epoch: int, partitions: Collection[int], identities: np.ndarray) -> pl.DataFrame:
    """Whole ledger rows that have, or target, one of the identities; once per place without FINAL's merge."""
    table = f"{client.configuration.database}.usage_ledger"
    here = of_partitions_or_earlier_epoch(topic_epoch, partitions)
    columns = ", ".join(tables.LEDGER.names)
    frames = [pl.DataFrame(schema=frame_schema(tables.LEDGER))]
    for some in _portions(identities):
        for prefix in ("identity", "target"):  # Two queries: an OR of both columns would use neither filter.
            sql = f"""
                SELECT {columns} FROM {table}
                WHERE {among(f"{prefix}_low", some[:, 1])} AND {here}
                LIMIT 1 BY {", ".join(PLACE)}
            """
            found = to_frame(client.query_arrow(sql, doing="looking up ledger rows"), tables.LEDGER)
            frames.append(with_identity(found, prefix, identities))
    return pl.concat(frames).unique(PLACE, keep="first", maintain_order=True).sort(PLACE)


def with_identity(rows: pl.DataFrame, prefix: str, identities: np.ndarray) -> pl.DataFrame:
    """Rows whose (`prefix`_high, `prefix`_low) is one of (n, 2) `identities`."""
    columns = [f"{prefix}_high", f"{prefix}_low"]
    wanted = pl.DataFrame(np.asarray(identities, dtype=np.uint64).reshape(-1, 2), schema=columns, orient="row")
    return rows.join(wanted.unique(), on=columns, how="semi", maintain_order="left")


def _portions(identities: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(identities), IDENTITIES_PER_QUERY):
        yield identities[start : start + IDENTITIES_PER_QUERY]

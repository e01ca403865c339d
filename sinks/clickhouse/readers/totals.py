"""What do the totals of these windows stand at?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import polars as pl

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import window
from sinks.frames import empty_frame, to_frame


def read_totals(client: Client, topic_epoch: int, windows: Mapping[int, Collection[datetime]]) -> pl.DataFrame:
    """The newest total of every key in the windows of each partition.

    Every condition is on columns of the sort key, so the server applies it before FINAL merges anything.
    """
    wanted = " OR ".join(
        f"(source_partition = {int(partition)} AND window_start IN ({', '.join(map(window, starts))}))"
        for partition, starts in windows.items()
        if starts
    )
    if not wanted:
        return empty_frame(tables.TOTALS)
    # Stated again on its own: the windows of all partitions together are what the primary key and partitions prune by.
    starts = sorted({start for starts in windows.values() for start in starts})
    sql = f"""
        SELECT {", ".join(tables.TOTALS.names)}
        FROM {client.configuration.database}.usage_totals FINAL
        WHERE topic_epoch = {int(topic_epoch)}
            AND window_start IN ({", ".join(map(window, starts))})
            AND ({wanted})
    """
    return to_frame(client.query_arrow(sql, doing="reading totals"), tables.TOTALS)

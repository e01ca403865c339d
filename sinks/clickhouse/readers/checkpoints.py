"""How far is each partition done?"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import of_partitions
from sinks.frames import to_frame


def read_checkpoints(client: Client, topic_epoch: int, partitions: Collection[int]) -> pl.DataFrame:
    """The newest checkpoint of each partition that has one."""
    sql = f"""
        SELECT {", ".join(tables.CHECKPOINTS.names)}
        FROM {client.configuration.database}.checkpoints FINAL
        WHERE {of_partitions(topic_epoch, partitions)}
        ORDER BY source_partition
    """
    return to_frame(client.query_arrow(sql, doing="reading checkpoints"), tables.CHECKPOINTS)

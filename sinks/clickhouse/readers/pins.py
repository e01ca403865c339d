"""What was pinned for ever: epochs and grants. Of several rows under one name the first recorded stands.

Not promised: two workers that pin *different* content under one name within the same moment may both believe to be
first until they read again. Workers read again at every assignment.
"""

from __future__ import annotations

import pyarrow as pa

from sinks.clickhouse.client import Client
from sinks.contract import BackfillGrant, EpochParameters

_UTC = pa.timestamp("us", tz="UTC")
EPOCHS = pa.schema(
    [
        ("topic_epoch", pa.uint16()),
        ("topic", pa.string()),
        ("partitions", pa.uint16()),
        ("window_seconds", pa.uint32()),
        ("dedup_horizon_seconds", pa.uint32()),
        ("future_skew_seconds", pa.uint32()),
    ]
)
GRANTS = pa.schema(
    [
        ("grant_id", pa.string()),
        ("source", pa.string()),
        ("event_time_from", _UTC),
        ("event_time_to", _UTC),
        ("valid_from", _UTC),
        ("valid_to", _UTC),
        ("granted_by", pa.string()),
        ("reason", pa.string()),
    ]
)


def read_epoch(client: Client, topic_epoch: int) -> EpochParameters | None:
    """The parameters pinned for an epoch, None when it has none."""
    sql = f"""
        SELECT {", ".join(EPOCHS.names)} FROM {client.configuration.database}.topic_epochs
        WHERE topic_epoch = {int(topic_epoch)} ORDER BY pinned_at LIMIT 1
    """
    rows = client.query_rows(sql, doing="reading the topic epoch")
    return EpochParameters(**rows[0]) if rows else None


def pin_epoch(client: Client, parameters: EpochParameters) -> EpochParameters:
    """Record the parameters unless the epoch has some; answer what stands."""
    standing = read_epoch(client, parameters.topic_epoch)
    if standing is not None:
        return standing
    row = {name: getattr(parameters, name) for name in EPOCHS.names}
    client.insert_arrow("topic_epochs", pa.Table.from_pylist([row], schema=EPOCHS), doing="pinning the topic epoch")
    return read_epoch(client, parameters.topic_epoch) or parameters


def read_backfill_grants(client: Client) -> list[BackfillGrant]:
    """Every grant ever made, sorted by id."""
    sql = f"""
        SELECT {", ".join(GRANTS.names)} FROM {client.configuration.database}.backfill_grants
        ORDER BY grant_id, recorded_at LIMIT 1 BY grant_id
    """
    return [BackfillGrant(**row) for row in client.query_rows(sql, doing="reading the backfill grants")]


def write_backfill_grant(client: Client, grant: BackfillGrant) -> None:
    """Record one; under an id that is taken, the first stands."""
    row = {name: getattr(grant, name) for name in GRANTS.names}
    client.insert_arrow("backfill_grants", pa.Table.from_pylist([row], schema=GRANTS), doing="recording a grant")

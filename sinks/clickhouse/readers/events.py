"""Which ledger rows and dead letters does the id of an event lead to? For explanations: any epoch, any partition.

By (source, id) the bloom filter on identity_low answers. By the id alone too: the ledger's sources are few, so the id
is looked up under each of them, and no index on the id itself is needed (docs/decisions/018-explanations.md).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.clickhouse.readers.conditions import among, of_partitions, text
from sinks.clickhouse.readers.identities import PLACE, with_identity
from sinks.frames import empty_frame, frame_schema, to_frame
from topics.encodings.message import COLUMNAR

# Of a query's text: identities of 20 digits, far below the server's limit of 256 KiB.
IDENTITIES_PER_QUERY = 4_000
LETTERS_MAX = 100
SOURCES_MAX = 20_000


def read_sources(client: Client) -> list[str]:
    """The CloudEvents sources of all ledger rows; SOURCES_MAX + 1 of them where there are too many to look under."""
    table = f"{client.configuration.database}.usage_ledger"
    sql = f"SELECT DISTINCT source FROM {table} ORDER BY source LIMIT {SOURCES_MAX + 1}"
    return [row["source"] for row in client.query_rows(sql, doing="listing the sources of events")]


def find_events(client: Client, identities: Iterable[tuple[int, int]]) -> list[dict[str, Any]]:
    """Whole ledger rows with one of the identities, and all that target one of them, once per place, in log order."""
    wanted = np.array(sorted(set(identities)), dtype=np.uint64).reshape(-1, 2)
    frames = [pl.DataFrame(schema=frame_schema(tables.LEDGER))]
    for start in range(0, len(wanted), IDENTITIES_PER_QUERY):
        some = wanted[start : start + IDENTITIES_PER_QUERY]
        for prefix in ("identity", "target"):  # Two queries: an OR of both columns would use neither filter.
            sql = f"""
                SELECT {", ".join(tables.LEDGER.names)} FROM {client.configuration.database}.usage_ledger
                WHERE {among(f"{prefix}_low", some[:, 1])}
                LIMIT 1 BY {", ".join(PLACE)}
            """
            found = to_frame(client.query_arrow(sql, doing="looking up an event"), tables.LEDGER)
            frames.append(with_identity(found, prefix, some))
    return pl.concat(frames).unique(PLACE, keep="first", maintain_order=True).sort(PLACE).to_dicts()


def find_letters(
    client: Client, event_id: str, places: Iterable[tuple[int, int]] | None = None
) -> list[dict[str, Any]]:
    """Dead letters that hold the id, at most LETTERS_MAX, newest first: in quotes in a JSON value, as the value of a
    header, or anywhere in a columnar batch, whose texts have no quotes and no gaps.

    `places` are (topic_epoch, source_partition), None for all: every letter there is read."""
    quoted = sorted({f'"{event_id}"', json.dumps(event_id)})
    mentions = [f"position(ifNull(record_value, ''), {text(form)}) > 0" for form in quoted]
    mentions.append(f"position(record_headers, {text(_in_headers(event_id))}) > 0")
    columnar = f"position(record_headers, {text(_in_headers(COLUMNAR))}) > 0"
    mentions.append(f"({columnar} AND position(ifNull(record_value, ''), {text(event_id)}) > 0)")
    where = " OR ".join(mentions)
    if places is not None:
        where = f"({where}) AND ({' OR '.join(of_partitions(epoch, [part]) for epoch, part in places) or 'false'})"
    sql = f"""
        SELECT {", ".join(tables.DEAD_LETTERS.names)} FROM {client.configuration.database}.dead_letters FINAL
        WHERE {where} ORDER BY record_time DESC, {", ".join(PLACE)} LIMIT {LETTERS_MAX}
    """
    answer = client.query_arrow(sql, doing="looking through the dead letters")
    return (to_frame(answer, tables.DEAD_LETTERS) if answer.num_rows else empty_frame(tables.DEAD_LETTERS)).to_dicts()


def _in_headers(value: str) -> str:
    """How a header's value stands in `record_headers`: in base64, in quotes."""
    return json.dumps(base64.b64encode(value.encode()).decode())

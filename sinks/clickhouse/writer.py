"""The four writes of a flush, as Arrow inserts that are safe to repeat.

Presorted rows are cheap for the server: the ledger comes sorted by its key, and `optimize_on_insert=0` spares it the
search for equal keys within one block, of which admission leaves none. A dictionary column goes out as a dictionary
and arrives as LowCardinality without its strings being looked at one by one.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from sinks import tables
from sinks.clickhouse.client import Client
from sinks.rows import check_rows

SCHEMAS: Mapping[str, pa.Schema] = {
    "usage_ledger": tables.LEDGER,
    "dead_letters": tables.DEAD_LETTERS,
    "usage_totals": tables.TOTALS,
    "checkpoints": tables.CHECKPOINTS,
}
# A block may hold more rows than the server cuts at by default; one block is one part, written whole or not at all.
ONE_BLOCK: Mapping[str, str] = {"max_insert_block_size": "4194304", "min_insert_block_size_rows": "4194304"}
PRESORTED: Mapping[str, str] = {"optimize_on_insert": "0"}


def write_rows(client: Client, table: str, rows: pa.Table) -> None:
    """Insert `rows` into one of `SCHEMAS`; nothing is sent when there are none. Blocking."""
    check_rows(table, rows, SCHEMAS[table])
    if rows.num_rows:
        settings = {**ONE_BLOCK, **(PRESORTED if table == "usage_ledger" else {})}
        client.insert_arrow(table, rows, doing=f"writing {table}", settings=settings)

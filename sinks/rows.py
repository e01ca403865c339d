"""Rows handed to a sink: do they have the columns of their table?

Tags may come plain or dictionary-encoded; everything else, names and their order included, is as in `tables`.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt

from sinks.errors import RowsRefusedError


def _plain(arrow: pa.DataType) -> pa.DataType:
    return arrow.value_type if pt.is_dictionary(arrow) else arrow


def check_rows(table: str, rows: pa.Table, schema: pa.Schema) -> None:
    """Raise `RowsRefusedError` naming the first column that differs from `schema`."""
    if rows.schema.equals(schema):
        return
    if rows.column_names != schema.names:
        wrong = sorted(set(rows.column_names) ^ set(schema.names))
        raise RowsRefusedError(table=table, detail=f"columns {wrong or 'in another order'}")
    for got, want in zip(rows.schema, schema, strict=True):
        if _plain(got.type) != _plain(want.type):
            raise RowsRefusedError(table=table, detail=f"{got.name} is {got.type}, not {want.type}")

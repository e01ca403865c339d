"""Rows as read back: the Polars types that every reader of every sink answers with.

Shapes  the columns of an Arrow schema of `tables`, in its order; tags are String, `usage` is
        List(Struct{key: String, value: Decimal(38, 6)}), every time is Datetime("us", "UTC").
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.types as pt

TIME = pl.Datetime("us", "UTC")

_TYPES: dict[pa.DataType, pl.DataType] = {
    pa.uint16(): pl.UInt16(),
    pa.uint32(): pl.UInt32(),
    pa.uint64(): pl.UInt64(),
    pa.int64(): pl.Int64(),
    pa.string(): pl.String(),
    pa.binary(): pl.Binary(),
}


def polars_type(arrow: pa.DataType) -> pl.DataType:
    """The type a column of this Arrow type has when it is read back; KeyError for a type no table uses."""
    if pt.is_dictionary(arrow):
        return polars_type(arrow.value_type)
    if pt.is_timestamp(arrow):
        return TIME
    if pt.is_decimal(arrow):
        return pl.Decimal(arrow.precision, arrow.scale)
    if pt.is_map(arrow):
        return pl.List(pl.Struct({"key": polars_type(arrow.key_type), "value": polars_type(arrow.item_type)}))
    return _TYPES[arrow]


def frame_schema(schema: pa.Schema) -> dict[str, pl.DataType]:
    """Column -> Polars type of rows of `schema` as read back."""
    return {field.name: polars_type(field.type) for field in schema}


def empty_frame(schema: pa.Schema) -> pl.DataFrame:
    """No rows, all columns."""
    return pl.DataFrame(schema=frame_schema(schema))


def to_frame(rows: pa.Table, schema: pa.Schema) -> pl.DataFrame:
    """Arrow rows in any encoding of `schema` (plain or dictionary, lists for maps) as the frame described above."""
    for index, field in enumerate(schema):
        if pt.is_timestamp(field.type) and pt.is_integer(rows.schema.field(index).type):
            # ClickHouse sends its DateTime as bare seconds.
            rows = rows.set_column(
                index, field.name, rows.column(index).cast(pa.int64()).cast(pa.timestamp("s", "UTC"))
            )
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - narrows the declared DataFrame | Series
    return frame.cast(frame_schema(schema))  # type: ignore[arg-type]

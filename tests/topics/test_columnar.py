"""Batches: what is read, what costs a row, and what costs the record."""

from __future__ import annotations

import struct
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.raw import CATALOGUE, PARTITIONS, RECORD_TIME, Record, decode, decoder, record_of, usage_event
from topics.block import DecodedBlock
from topics.dead_letter import original_bytes
from topics.decode import Decoder
from topics.encodings import binary, columnar, structured
from topics.encodings.columnar_read import walk
from topics.encodings.message import Message
from topics.partitioner import partition_for
from topics.reasons import Reason

KEY = b"acme/globex"
HOME = partition_for(KEY, PARTITIONS)


def stream(columns: dict[str, Any], *, compression: str | None = None, metadata: dict[str, str] | None = None) -> bytes:
    table = pa.table(columns).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def columns(height: int = 3, **changes: Any) -> dict[str, Any]:
    base = {
        "id": pa.array([f"e{row}" for row in range(height)]),
        "time": pa.array([RECORD_TIME * 1000] * height, pa.timestamp("us", tz="UTC")),
        "source": pa.array(["gateway/eu-1"] * height),
        "builder": pa.array(["acme"] * height).dictionary_encode(),
        "tenant": pa.array(["globex"] * height),
        "usage.requests": pa.array([1] * height, pa.int64()),
    }
    return {name: column for name, column in {**base, **changes}.items() if column is not None}


def read(value: bytes, key: bytes | None = KEY, partition: int = HOME) -> DecodedBlock:
    return decoder().decode([Record(partition, 5, RECORD_TIME, key, value, columnar.HEADERS)])


def reason(value: bytes) -> Reason:
    block = read(value)
    (rejection,) = block.rejections
    assert (rejection.index, rejection.value, block.events.height) == (0, value, 0)
    assert block.spans[HOME].events == 1
    return rejection.reason


def test_strings_dictionaries_and_both_forms_of_quantities_are_read() -> None:
    usage = pa.array([Decimal("0.5"), None, Decimal(7)], pa.decimal128(38, 6))
    block = read(stream(columns(**{"usage.compute_seconds": usage})))
    assert not block.rejections
    assert block.events["usage.compute_seconds"].to_list() == [500_000, None, 7_000_000]
    assert block.events["usage.requests"].to_list() == [1_000_000] * 3
    assert block.events["index"].to_list() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": pa.array(["e0", "", "e2"])}, Reason.EMPTY_FIELD),
        ({"id": pa.array(["e0", None, "e2"])}, Reason.MISSING_FIELD),
        ({"id": pa.array(["e0", "a\x00b", "e2"])}, Reason.CONTROL_CHARACTER),
        ({"id": pa.array(["e0", "x" * 257, "e2"])}, Reason.FIELD_TOO_LONG),
        ({"id": pa.array([b"e0", b"\xff", b"e2"]).view(pa.string())}, Reason.INVALID_UTF8),
        ({"feature": pa.array([b"e0", b"\xff", b"e2"]).view(pa.string())}, Reason.INVALID_UTF8),
        ({"feature": pa.array(["a", "b\n", None])}, Reason.CONTROL_CHARACTER),
        ({"mode": pa.array(["batch", "turbo", None]).dictionary_encode()}, Reason.INVALID_VALUE),
        ({"tenant": pa.array(["globex", None, "globex"])}, Reason.MISSING_FIELD),
        ({"tenant": pa.array(["globex", "initech", "globex"])}, Reason.KEY_MISMATCH),
        ({"time": pa.array([0, 2**62, 0], pa.timestamp("us", tz="UTC"))}, Reason.INVALID_TIME),
        ({"time": pa.array([0, None, 0], pa.timestamp("us", tz="UTC"))}, Reason.MISSING_FIELD),
        ({"usage.requests": pa.array([1, None, 0])}, Reason.NO_USAGE),
        ({"usage.requests": pa.array([1, -1, 0])}, Reason.QUANTITY_NEGATIVE),
        ({"usage.requests": pa.array([1, 10**12 + 1, 0])}, Reason.QUANTITY_TOO_LARGE),
        ({"usage.requests": pa.array([1, 2**63 - 1, 0])}, Reason.QUANTITY_TOO_LARGE),
        ({"usage.pages": pa.array([Decimal(1), Decimal(-1), None], pa.decimal128(38, 6))}, Reason.QUANTITY_NEGATIVE),
        ({"usage.pages": pa.array([1, 10**31, None], pa.decimal128(38, 6))}, Reason.QUANTITY_TOO_LARGE),
        ({"usage.smiles": pa.array([None, 1, None], pa.int64())}, Reason.UNKNOWN_METER),
    ],
)
def test_a_bad_row_costs_that_row(change: dict[str, Any], expected: Reason) -> None:
    block = read(stream(columns(**change)))
    assert block.events["id"].to_list() == ["e0", "e2"]
    (rejection,) = block.rejections
    assert (rejection.reason, rejection.index) == (expected, 1)
    assert block.spans[HOME].events == 3
    # Published again unmended, the row alone is refused again for the same reason; the other rows are not in it.
    (again,) = read(rejection.value or b"").rejections
    assert (again.reason, again.index) == (expected, 0)


def test_a_row_alone_holds_no_words_of_the_others() -> None:
    features = pa.array(["a" * 200, "b\n", "c" * 200]).dictionary_encode()
    (rejection,) = read(stream(columns(feature=features))).rejections
    assert b"aaaa" not in (rejection.value or b"")
    assert b"cccc" not in (rejection.value or b"")


def test_what_admission_refuses_later_is_a_batch_of_that_row() -> None:
    record = record_of(columnar.encode_batch([usage_event(id=f"e{row}") for row in range(3)]))
    row = original_bytes(record, 2)
    assert decoder().decode([replace(record, value=row)]).events["id"].to_list() == ["e2"]


def test_a_batch_without_key_holds_the_subjects_of_its_partition_only() -> None:
    tenants = [f"t{number}" for number in range(40)]
    home = [tenant for tenant in tenants if partition_for(f"acme/{tenant}".encode(), PARTITIONS) == HOME]
    block = read(stream(columns(40, tenant=pa.array(tenants))), key=None)
    assert block.dimensions["tenant"].to_list() == home
    assert {rejection.reason for rejection in block.rejections} == {Reason.WRONG_PARTITION}
    assert len(block.rejections) + block.events.height == 40


def test_a_compressed_batch_is_refused_before_it_is_unpacked() -> None:
    bomb = stream(columns(50_000, feature=pa.array(["x" * 250] * 50_000)), compression="zstd")
    assert len(bomb) < 1_048_576
    assert reason(bomb) is Reason.BATCH_COMPRESSED
    assert walk(bomb).compressed
    assert reason(stream(columns(), compression="lz4")) is Reason.BATCH_COMPRESSED


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"id": None}, "id"),
        ({"builder": None}, "builder"),
        ({"colour": pa.array(["red"] * 3)}, "colour"),
        ({"time": pa.array([0] * 3, pa.timestamp("ms", tz="UTC"))}, "time"),
        ({"time": pa.array([0] * 3, pa.timestamp("us"))}, "time"),
        ({"feature": pa.nulls(3)}, "feature"),
        ({"feature": pa.array([b"a"] * 3)}, "feature"),
        ({"feature": pa.array(["a"] * 3, pa.large_string())}, "feature"),
        ({"feature": pa.array(["a"] * 3, pa.string_view())}, "feature"),
        ({"feature": pa.array(["a"] * 3).dictionary_encode().cast(pa.dictionary(pa.uint8(), pa.string()))}, "feature"),
        ({"feature": pa.RunEndEncodedArray.from_arrays(pa.array([3], pa.int32()), pa.array(["a"]))}, "feature"),
        ({"usage.requests": pa.array([1.5] * 3)}, "usage.requests"),
        ({"usage.requests": pa.array([True] * 3)}, "usage.requests"),
        ({"usage.requests": pa.array([1] * 3, pa.decimal128(38, 9))}, "usage.requests"),
        ({"usage.requests": pa.array([[1]] * 3)}, "usage.requests"),
    ],
)
def test_a_column_of_another_kind_is_named(change: dict[str, Any], named: str) -> None:
    block = read(stream(columns(**change)))
    assert [rejection.reason for rejection in block.rejections] == [Reason.BATCH_SCHEMA]
    assert named in block.rejections[0].detail


def test_a_batch_of_another_type_is_refused() -> None:
    assert reason(stream(columns(), metadata={"type": "ai.usage.v2"})) is Reason.UNKNOWN_VERSION
    assert reason(stream(columns(), metadata={"type": "ai.usage.void.v1"})) is Reason.UNKNOWN_TYPE


def test_more_rows_than_a_batch_may_hold_are_refused() -> None:
    height = 100_001
    ids = pa.array(["e"] * height)
    tags = {name: pa.array(["x"] * height).dictionary_encode() for name in ("source", "builder", "tenant")}
    narrow = {name: column.cast(pa.dictionary(pa.int8(), pa.string())) for name, column in tags.items()}
    value = stream(columns(height, id=ids, **narrow))
    block = decoder_of_large_records().decode([Record(HOME, 5, RECORD_TIME, KEY, value, columnar.HEADERS)])
    assert [rejection.reason for rejection in block.rejections] == [Reason.BATCH_TOO_LARGE]


def decoder_of_large_records() -> Decoder:
    return Decoder(CATALOGUE, partitions=PARTITIONS, max_record_bytes=1 << 24)


def test_a_stream_cut_off_anywhere_is_refused_whole() -> None:
    value = stream(columns())
    for size in range(0, len(value), 7):
        assert reason(value[:size]) is Reason.BATCH_UNREADABLE
    assert reason(value + b"\x00") is Reason.BATCH_UNREADABLE
    # Without its end mark a stream may have lost its last batches.
    assert reason(value[:-8]) is Reason.BATCH_UNREADABLE


def test_an_index_outside_of_its_dictionary_is_refused() -> None:
    indices = pa.array([0, 7, 0], pa.int8())
    tags = pa.DictionaryArray.from_arrays(indices, pa.array(["acme"]), safe=False)
    assert reason(stream(columns(builder=tags))) is Reason.BATCH_UNREADABLE


def test_offsets_outside_of_the_text_are_refused() -> None:
    offsets = pa.py_buffer(struct.pack("<4i", 0, 2, 1 << 30, 6))
    ids = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"e0e1e2")])
    sink = pa.BufferOutputStream()
    batch = pa.record_batch(columns(id=ids))
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    assert read(bytes(sink.getvalue())).rejections[0].reason is Reason.BATCH_UNREADABLE


@pytest.mark.parametrize("text", [b"usage.requests", b"UTC"])
def test_a_name_in_the_schema_that_is_not_utf8_is_refused(text: bytes) -> None:
    value = stream(columns())
    assert text in value
    assert reason(value.replace(text, b"\xff" + text[1:])) in (Reason.BATCH_UNREADABLE, Reason.BATCH_SCHEMA)


def test_a_buffer_may_be_longer_than_its_rows_by_a_part_of_an_element() -> None:
    pages = pa.array([Decimal(1)] * 5, pa.decimal128(38, 6))
    value = stream(columns(5, **{"usage.pages": pages}))
    read_whole = []
    for size in (24, 40, 80):  # offsets; times and whole quantities; decimals
        length = struct.pack("<q", size)
        places = [at for at in range(len(value)) if value.startswith(length, at)]
        blocks = [read(value[:at] + struct.pack("<q", size + 1) + value[at + 8 :]) for at in places]
        read_whole += [size for block in blocks if block.events.height == 5]
    assert set(read_whole) == {24, 40, 80}


@given(st.data())
def test_damaged_bytes_are_dead_letters_never_errors(data: st.DataObject) -> None:
    value = bytearray(stream(columns(), metadata={"type": "ai.usage.v1"}))
    # The schema comes first: half of the damage goes there.
    place = st.integers(0, len(value) - 1) | st.integers(0, len(value) // 2)
    for at, byte in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=4)):
        value[at] = byte
    read(bytes(value))


def test_several_batches_in_one_stream_count_their_rows_through() -> None:
    batch = pa.record_batch(columns(2))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
        writer.write_batch(batch)
    block = read(bytes(sink.getvalue()))
    assert block.events["index"].to_list() == [0, 1, 2, 3]
    assert block.events["id"].to_list() == ["e0", "e1", "e0", "e1"]


def test_a_batch_of_no_rows_is_no_event() -> None:
    block = read(stream({name: column.slice(0, 0) for name, column in columns().items()}))
    assert (block.events.height, block.rejections, block.spans[HOME].events) == (0, [], 0)


def test_json_and_batches_stand_in_the_order_of_the_log() -> None:
    events = [usage_event(id=f"e{number}") for number in range(6)]
    messages: list[Message] = [
        columnar.encode_batch(events[:2]),
        structured.encode(events[2]),
        binary.encode(events[3]),
        columnar.encode_batch(events[4:5]),
        structured.encode(events[5]),
    ]
    block = decode(*messages)
    assert block.events["id"].to_list() == [event.id for event in events]
    assert block.events["offset"].to_list() == [0, 0, 1, 2, 3, 4]
    assert block.events["index"].to_list() == [0, 1, 0, 0, 0, 0]


def test_the_encoder_leaves_out_what_says_nothing_and_keys_by_the_subject() -> None:
    message = columnar.encode_batch([usage_event(), usage_event(id="e2")])
    names = pa.ipc.open_stream(message.value).schema.names
    assert not {"feature", "traceparent", "mode"} & set(names)
    assert message.key == KEY
    assert columnar.encode_batch([usage_event(), usage_event(tenant="initech")]).key is None


def test_the_encoder_refuses_an_empty_batch_and_one_that_is_too_long() -> None:
    with pytest.raises(ValueError, match="1 to 100000"):
        columnar.encode_batch([])
    with pytest.raises(ValueError, match="1 to 100000"):
        columnar.encode_columns(pa.table({"id": ["x"] * 100_001}))

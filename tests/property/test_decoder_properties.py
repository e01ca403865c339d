"""Whatever stands in a record: the decoder never raises, loses nothing, and reads every encoding alike."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.raw import PARTITIONS, RECORD_TIME, Record, decoder, record_of, usage_event
from topics.block import DIMENSION_COLUMNS, USAGE_PREFIX, DecodedBlock
from topics.diagnose import read_record
from topics.encodings import binary, columnar, structured
from topics.encodings.message import COLUMNAR
from topics.errors import EventRefusedError
from topics.events import METER_NAME, UsageEvent
from topics.identity import identity_words
from topics.meters import load_catalogue
from topics.partitioner import partition_for
from topics.payload import payload_hash, tags_of, usage_of
from topics.times import microseconds

METERS = sorted(load_catalogue())
texts = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"]) | st.sampled_from(string.ascii_letters + '"\\{}[]:,'), max_size=20
)
names = texts.filter(bool)
addresses = names.filter(lambda text: "/" not in text)
quantities = (
    st.integers(0, 10**12) | st.decimals(0, 10**12, places=6) | st.sampled_from([0, 10**12, Decimal("0.000001")])
)
events = st.builds(
    UsageEvent,
    id=names,
    source=names,
    time=st.datetimes(timezones=st.just(UTC)),
    builder=addresses,
    tenant=addresses,
    workspace=texts,
    feature=texts,
    model=texts,
    outcome=texts,
    mode=st.sampled_from(["standard", "batch", "flex", "priority"]),
    status=st.sampled_from(["completed", "aborted", "failed"]),
    traceparent=st.sampled_from(["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]),
    usage=st.dictionaries(st.sampled_from(METERS), quantities, min_size=1, max_size=5),
)


def rows_of(block: DecodedBlock) -> list[dict[str, Any]]:
    """Each event with its tags, usage, identity and payload; without its place."""
    tags = block.dimensions.to_dicts()
    rows = []
    for row, event in enumerate(block.events.to_dicts()):
        usage = {name: value for name, value in event.items() if name.startswith(USAGE_PREFIX) and value is not None}
        rows.append(
            {name: event[name] for name in ("event_time", "id", "traceparent", "record_time", "kind")}
            | {"tags": tags[event["dimension"]], "usage": usage}
            | {"identity": block.identities[row].tolist(), "payload": int(block.payloads[row])}
        )
    return rows


@given(st.lists(events, min_size=1, max_size=6))
@settings(max_examples=80, deadline=None)
def test_every_encoding_of_an_event_is_read_alike(drawn: list[UsageEvent]) -> None:
    as_json = decoder().decode([record_of(structured.encode(event)) for event in drawn])
    as_binary = decoder().decode([record_of(binary.encode(event)) for event in drawn])
    as_batches = decoder().decode([record_of(columnar.encode_batch([event])) for event in drawn])
    together = decoder().decode(
        [record_of(columnar.encode_batch([e for e in drawn if e.key == event.key])) for event in drawn[:1]]
    )
    assert as_json.rejections == as_binary.rejections == as_batches.rejections == together.rejections == []
    rows = rows_of(as_json)
    assert rows_of(as_binary) == rows
    assert rows_of(as_batches) == rows
    assert rows_of(together) == [row for row, event in zip(rows, drawn, strict=True) if event.key == drawn[0].key]
    for row, event in zip(rows, drawn, strict=True):
        assert row["event_time"] == microseconds(event.time)
        assert tuple(row["tags"][name] for name in DIMENSION_COLUMNS) == tags_of(event)
        assert row["usage"] == {USAGE_PREFIX + meter: value for meter, value in usage_of(event).items()}
        assert tuple(row["identity"]) == identity_words(event.source, event.id)
        assert row["payload"] == payload_hash(event)


def slow_verdict(record: Record) -> UsageEvent | str:
    try:
        event = read_record(record, meters=set(METERS), partitions=PARTITIONS, record_bytes_max=1 << 20)
    except EventRefusedError as refused:
        return refused.reason
    assert isinstance(event, UsageEvent)
    return event


ODD_VALUES = st.sampled_from(
    [
        *(b"null true 0 -1 1.5 1e3 1e400000 -0 -0.0 1.0000000 0.0000001 NaN Infinity [] {} 1000000000001".split()),
        *(b'"" "1.5" "1e3" "1_0" "NaN" {"a":1} "a/b" "x\\u0000" "\\ud800" "\xff" "\xc3\xa9" "turbo"'.split()),
        *(b'"2026-02-30T00:00:00Z" "2026-01-01T00:00:00" "2026-01-01T00:00:00.1234567+01:00"'.split()),
        *(b'"2026-01-01t00:00:00z" "0001-01-01T00:00:00+01:00" "2026-01-01T00:00:60Z"'.split()),
        *(b'" 1"', b'"' + b"x" * 300 + b'"', b"9" * 50, b"9" * 5000, b"[" * 100 + b"]" * 100),
    ]
)
FIELDS = (
    "specversion",
    "id",
    "source",
    "type",
    "time",
    "subject",
    "traceparent",
    "datacontenttype",
    "data",
    "unheard_of",
)
DATA_FIELDS = ("builder", "tenant", "workspace", "mode", "status", "usage", "unheard_of")
USAGE_FIELDS = ("input_tokens", "requests", "unheard_of", "")


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A structured event with up to three of its values replaced, left out, or given twice."""
    document = json.loads(structured.encode(usage_event(traceparent="")).value)
    levels: list[tuple[dict[str, Any], tuple[str, ...]]] = [
        (document, FIELDS),
        (document["data"], DATA_FIELDS),
        (document["data"]["usage"], USAGE_FIELDS),
    ]
    marks: dict[str, bytes] = {}
    for number in range(draw(st.integers(0, 3))):
        level, fields = draw(st.sampled_from(levels))
        field = draw(st.sampled_from(fields))
        if draw(st.booleans()):
            mark = f"@{number}@"
            marks[json.dumps(mark)] = draw(ODD_VALUES)
            level[field] = mark
        else:
            level.pop(field, None)
    text = json.dumps(document, separators=draw(st.sampled_from([(",", ":"), (", ", ": ")]))).encode()
    for mark, value in marks.items():
        text = text.replace(mark.encode(), value)
    if draw(st.booleans()):
        return text
    place = draw(st.integers(0, len(text)))
    return (
        text[:place]
        + draw(st.binary(max_size=3) | st.sampled_from([b"{", b"}", b'"', b"\\", b","]))
        + text[place + draw(st.integers(0, 2)) :]
    )


@given(mutated())
@settings(max_examples=400, deadline=None)
@example(
    b'{"specversion":"1.0","id":"1","source":"s","type":"ai.usage.v1","time":"2026-01-01T00:00:00Z",'
    b'"subject":"acme/globex","data":{"builder":"acme","usage":{"requests":1},"tenant":"globex"}}'
)
def test_the_hot_decoder_gives_the_verdict_of_the_model(value: bytes) -> None:
    key = b"acme/globex"
    record = Record(partition_for(key, PARTITIONS), 7, RECORD_TIME, key, value)
    block = decoder().decode([record])
    expected = slow_verdict(record)
    if isinstance(expected, UsageEvent):
        assert not block.rejections
        (row,) = rows_of(block)
        assert row["payload"] == payload_hash(expected)
        assert (row["id"], row["event_time"]) == (expected.id, microseconds(expected.time))
        assert tuple(row["identity"]) == identity_words(expected.source, expected.id)
        assert row["usage"] == {USAGE_PREFIX + meter: value for meter, value in usage_of(expected).items()}
        assert tuple(row["tags"].values()) == tags_of(expected)
    else:
        assert [rejection.reason for rejection in block.rejections] == [expected]
        assert block.events.height == 0


@st.composite
def damaged_batches(draw: st.DrawFn) -> bytes:
    value = bytearray(
        columnar.encode_batch([usage_event(id=f"e{number}", feature=f"f{number % 2}") for number in range(5)]).value
    )
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(value) - 1))
        value[place] = draw(st.integers(0, 255))
    return bytes(value[: draw(st.integers(0, len(value)) | st.just(len(value)))])


contents: st.SearchStrategy[tuple[tuple[str, bytes], ...]] = st.sampled_from(
    [
        structured.HEADERS,
        (),
        (("content-type", COLUMNAR.encode()),),
        (("content-type", b"text/plain"),),
        (("ce_type", b"\xff"),),
        (("content-type", b"application/json"), ("ce_specversion", b"1.0")),
    ]
)
anything = st.builds(
    Record,
    partition=st.integers(0, PARTITIONS - 1),
    offset=st.just(0),
    timestamp=st.just(RECORD_TIME),
    key=st.none() | st.just(b"acme/globex") | st.binary(max_size=5),
    value=st.none() | st.binary(max_size=50) | mutated() | damaged_batches(),
    headers=contents,
)


@given(st.lists(anything, max_size=8))
@settings(max_examples=200, deadline=None)
def test_no_input_raises_and_nothing_is_lost(drawn: list[Record]) -> None:
    records = [Record(r.partition, offset, r.timestamp, r.key, r.value, r.headers) for offset, r in enumerate(drawn)]
    block = decoder().decode(records)
    assert sum(span.events for span in block.spans.values()) == block.events.height + len(block.rejections)
    found = {*block.events.select("partition", "offset").iter_rows()} | {
        (r.partition, r.offset) for r in block.rejections
    }
    assert found == {(record.partition, record.offset) for record in records}
    for partition, span in block.spans.items():
        offsets = [record.offset for record in records if record.partition == partition]
        assert (span.first_offset, span.next_offset) == (offsets[0], offsets[-1] + 1)
    assert len(block.identities) == len(block.payloads) == block.events.height
    assert not np.any(block.events["dimension"].to_numpy() >= max(block.dimensions.height, 1))
    places = [(r.offset, r.index) for r in block.rejections]
    assert places == sorted(places)
    assert all(len(rejection.detail) < 400 for rejection in block.rejections)


@given(st.lists(anything, min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_block_does_not_depend_on_what_was_decoded_before(drawn: list[Record]) -> None:
    records = [Record(r.partition, offset, r.timestamp, r.key, r.value, r.headers) for offset, r in enumerate(drawn)]
    used = decoder()
    used.decode(records[::-1])
    again, fresh = used.decode(records), decoder().decode(records)
    assert rows_of(again) == rows_of(fresh)
    assert again.rejections == fresh.rejections


@given(st.text(max_size=10))
def test_a_meter_name_has_one_way_to_be_written(name: str) -> None:
    assert (METER_NAME.fullmatch(name) is not None) == (
        name != ""
        and set(name) <= set(string.ascii_lowercase + string.digits + "_")
        and name[0] in string.ascii_lowercase
    )


def test_times_have_no_effect_of_the_local_zone() -> None:
    assert usage_event(time=datetime(2026, 1, 1, tzinfo=UTC)) == usage_event(time="2026-01-01T01:00:00+01:00")

"""What really stands in the raw topic, read back by a plain consumer: the only truth that a scenario is judged by.

A producer whose broker dies does not know what was stored, and how often. So nothing is taken from what was sent: this
reads the log, and shares no code with the decoders. Every event becomes structured JSON text, which is what the oracle
reads; a record that cannot be read at all stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from aiokafka import AIOKafkaConsumer, TopicPartition

from tollstream.demo.oracle import Published

STRUCTURED, BINARY = "application/cloudevents+json", "application/json"
ARROW = "application/vnd.apache.arrow.stream"
ATTRIBUTES = ("id", "source", "traceparent")


async def read_records(bootstrap_servers: str, topic: str) -> list[Any]:
    """Every committed record of a topic, in the order of partition and offset."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, isolation_level="read_committed", auto_offset_reset="earliest"
    )  # in no group: it reads every partition
    await consumer.start()
    try:
        places = consumer.assignment()
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(list(places))
        records: list[Any] = []
        while await _behind(consumer, ends):
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records.extend(fetched)
    finally:
        await consumer.stop()
    return sorted(records, key=lambda record: (record.partition, record.offset))


async def _behind(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    positions = [await consumer.position(place) for place in ends]
    return any(position < end for position, end in zip(positions, ends.values(), strict=True))


def published(record: Any) -> Iterator[Published]:
    """The events of a record, each at its place."""
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
    content_type = headers.get("content-type", STRUCTURED)
    key = None if record.key is None else record.key.decode("utf-8", "surrogateescape")
    if content_type == ARROW:
        try:
            rows = pa.ipc.open_stream(record.value).read_all().to_pylist()
        except pa.ArrowInvalid:
            rows = None
        if rows is not None:
            for index, row in enumerate(rows):
                event = _event(row)
                yield _published(record, index, key or event["subject"], json.dumps(event), STRUCTURED)
            return
    value = None if record.value is None else record.value.decode("utf-8", "surrogateescape")
    if content_type == BINARY and value is not None:
        attributes = {name.removeprefix("ce_"): text for name, text in headers.items() if name.startswith("ce_")}
        value = json.dumps(attributes)[:-1] + f', "data": {value}}}'
        content_type = STRUCTURED
    yield _published(record, 0, key, value, content_type)


def _published(record: Any, index: int, key: str | None, value: str | None, content_type: str) -> Published:
    return Published(record.partition, record.offset, index, record.timestamp * 1000, key, value, content_type)


def _event(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a columnar batch as a structured event."""
    given = {name: value for name, value in row.items() if value is not None}
    time: datetime = given.pop("time")
    usage = {name.removeprefix("usage."): value for name, value in given.items() if name.startswith("usage.")}
    return {
        "specversion": "1.0",
        "type": "ai.usage.v1",
        "time": time.isoformat(timespec="microseconds"),
        "subject": f"{given['builder']}/{given['tenant']}",
        **{name: given[name] for name in ATTRIBUTES if name in given},
        "data": {name: value for name, value in given.items() if name not in ATTRIBUTES and "." not in name}
        | {"usage": {meter: _quantity(value) for meter, value in usage.items()}},
    }


def _quantity(value: int | Decimal) -> int | str:
    return value if isinstance(value, int) else f"{value:f}"

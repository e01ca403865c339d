"""The emitter against the real broker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from gateway.emitter import (
    DeliveryError,
    Emitter,
    EmitterClosedError,
    EmitterSetupError,
    Encoding,
    InvalidEventError,
    SyncEmitter,
)
from tests.support.topics import PARTITIONS, ReadTopic
from topics.decode import Decoder
from topics.events import UsageEvent, VoidEvent
from topics.meters import load_catalogue
from topics.partitioner import partition_for

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
TENANTS = ("globex", "initech", "umbra", "hooli", "stark", "wayne")


def usage(number: int, **fields: object) -> UsageEvent:
    return UsageEvent.model_validate(
        {
            "id": f"call-{number}",
            "source": "/tests",
            "time": NOON,
            "builder": "acme",
            "tenant": TENANTS[number % len(TENANTS)],
            "provider": "openai",
            "model": "gpt-5",
            "mode": "batch" if number % 3 else "standard",
            "traceparent": f"00-{number + 1:032x}-{number + 1:016x}-01",
            "usage": {"input_tokens": 1000 + number, "output_tokens": Decimal(number) / 4, "requests": 1},
            **fields,
        }
    )


def void(number: int) -> VoidEvent:
    target = usage(number)
    return VoidEvent(
        id=f"void-{number}",
        source="/tests",
        time=NOON,
        builder="acme",
        tenant=target.tenant,
        target_source=target.source,
        target_id=target.id,
        reason="a test",
    )


@pytest.mark.parametrize("encoding", Encoding)
async def test_a_receipt_names_the_place_where_the_event_stands(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic, encoding: Encoding
) -> None:
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic, encoding=encoding) as emitter:
        receipts = [await emitter.emit(usage(number)) for number in range(3)]
    records = {(record.partition, record.offset): record for record in await read_topic()}
    decoded = Decoder(load_catalogue(), partitions=PARTITIONS).decode(list(records.values()))
    assert decoded.rejections == []
    places = {
        (row["partition"], row["offset"], row["index"]): row["id"] for row in decoded.events.iter_rows(named=True)
    }
    assert {(each.partition, each.offset, each.index): each.event_id for each in receipts} == places
    assert all(each.record_time == records[each.partition, each.offset].timestamp * 1000 for each in receipts)


async def test_a_record_is_keyed_by_its_subject_and_stands_where_kafka_puts_that_key(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic
) -> None:
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic) as emitter:
        for number in range(len(TENANTS)):
            await emitter.emit(usage(number))
    for record in await read_topic():
        assert record.key.decode().startswith("acme/")
        assert record.partition == partition_for(record.key, PARTITIONS)


async def test_every_encoding_gives_the_same_events_after_decoding(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic
) -> None:
    events = [usage(number) for number in range(40)]
    for encoding in Encoding:
        async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic, encoding=encoding) as emitter:
            await asyncio.gather(*[await emitter.submit(event) for event in events])
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(await read_topic())
    assert block.rejections == []
    assert block.events.height == 3 * len(events)
    said = block.events.join(block.dimensions.with_row_index("dimension"), on="dimension").with_columns(
        payload=pl.Series(block.payloads)
    )
    by_id = said.drop("partition", "offset", "index", "record_time", "dimension").unique()
    assert by_id.height == len(events), "an event reads differently in two encodings"


async def test_a_batch_is_one_record_per_partition_and_its_receipts_come_in_the_order_of_the_events(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic
) -> None:
    events = [usage(number) for number in range(100)]
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic) as emitter:
        receipts = await emitter.emit_batch(events)
    assert [each.event_id for each in receipts] == [event.id for event in events]
    records = await read_topic()
    assert len(records) == len({each.partition for each in receipts})


async def test_a_columnar_emitter_gathers_until_a_batch_is_full_or_old(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic
) -> None:
    async with Emitter(
        bootstrap_servers=bootstrap_servers,
        topic=topic,
        encoding="columnar",
        batch_events_max=10,
        batch_milliseconds=50,
    ) as emitter:
        futures = [await emitter.submit(usage(0, id=f"one-{number}")) for number in range(25)]
        receipts = await asyncio.wait_for(asyncio.gather(*futures), 10)
    assert [each.index for each in receipts] == [*range(10), *range(10), *range(5)]
    assert len(await read_topic()) == 3


async def test_a_batch_too_large_for_one_record_becomes_several(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic
) -> None:
    events = [usage(0, id=f"{number:03d}" + "x" * 200) for number in range(100)]
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic, record_bytes_max=10_000) as emitter:
        receipts = await emitter.emit_batch(events)
    assert [each.event_id for each in receipts] == [event.id for event in events]
    records = await read_topic()
    assert len(records) > 2
    assert max(len(record.value) for record in records) <= 10_000


@pytest.mark.parametrize("encoding", Encoding)
async def test_a_void_never_overtakes_its_target(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic, encoding: Encoding
) -> None:
    async with Emitter(
        bootstrap_servers=bootstrap_servers, topic=topic, encoding=encoding, batch_milliseconds=10_000
    ) as emitter:
        for number in range(12):
            await emitter.submit(usage(number))
            await emitter.submit(void(number))
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(await read_topic())
    order = block.events["id"].to_list()
    assert len(order) == 24
    assert all(order.index(f"call-{number}") < order.index(f"void-{number}") for number in range(12))


async def test_an_event_emitted_again_keeps_its_id(bootstrap_servers: str, topic: str, read_topic: ReadTopic) -> None:
    event = usage(1)
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic) as emitter:
        await emitter.emit(event)
        await emitter.emit(event)
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(await read_topic())
    assert block.events["id"].to_list() == ["call-1", "call-1"]
    assert (block.identities[0] == block.identities[1]).all()
    assert block.payloads[0] == block.payloads[1]


MAPPING = {
    "specversion": "1.0",
    "type": "ai.usage.v1",
    "id": "call-1",
    "source": "/tests",
    "time": "2026-01-31T12:00:00Z",
    "subject": "acme/globex",
    "data": {"builder": "acme", "tenant": "globex", "usage": {"requests": 1}},
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"time": "2026-01-31T12:00:00"}, "naive_time: time is '2026-01-31T12:00:00', which has no offset"),
        ({"subject": "acme/other"}, "subject_mismatch: subject is 'acme/other'"),
        ({"data": {"builder": "acme", "tenant": "globex", "usage": {"vibes": 1}}}, "unknown_meter: data.usage.vibes"),
        ({"data": {"builder": "acme", "tenant": "globex", "usage": {"requests": 0.1}}}, "is the float 0.1"),
        ({"data": None}, "missing_field: data is missing"),
        ({"type": "ai.usage.v2"}, "unknown_version"),
    ],
)
async def test_a_mistake_is_told_before_anything_is_sent(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic, change: dict[str, object], sentence: str
) -> None:
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic) as emitter:
        for give in (emitter.emit, emitter.submit):
            with pytest.raises(InvalidEventError) as raised:
                await give({**MAPPING, **change})
            assert sentence in str(raised.value)
            assert raised.value.event_id == "call-1"
        with pytest.raises(InvalidEventError):
            await emitter.emit_batch([MAPPING, {**MAPPING, **change}])
    assert await read_topic() == []


async def test_a_meter_of_nobody_is_refused_in_a_model_too(bootstrap_servers: str, topic: str) -> None:
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic) as emitter:
        with pytest.raises(InvalidEventError, match=r"event 'call-1' was not sent: unknown_meter: data\.usage\.vibes"):
            await emitter.emit(usage(1, usage={"vibes": 1}))


async def test_a_record_too_large_to_be_read_is_refused(bootstrap_servers: str, topic: str) -> None:
    meters = dict.fromkeys(load_catalogue(), Decimal(1))
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=topic, record_bytes_max=1_000) as emitter:
        with pytest.raises(InvalidEventError, match="record_too_large"):
            await emitter.emit(usage(1, usage=meters))


async def test_after_the_broker_refused_a_record_for_good_the_next_event_goes_through(
    bootstrap_servers: str, small_topic: str
) -> None:
    """A refused batch leaves a gap in the producer's numbers; only a fresh producer can send after it."""
    large = usage(0, usage=dict.fromkeys(load_catalogue(), Decimal("0.123456")), feature="x" * 250)
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=small_topic) as emitter:
        await emitter.emit(usage(0, id="before"))
        with pytest.raises(DeliveryError, match=r"'call-0'.*emit them again with the same ids") as raised:
            await emitter.emit(large)
        assert raised.value.event_ids == ("call-0",)
        assert (await emitter.emit(usage(0, id="after"))).event_id == "after"


async def test_flush_tells_of_what_was_submitted_and_not_delivered(bootstrap_servers: str, small_topic: str) -> None:
    large = usage(0, usage=dict.fromkeys(load_catalogue(), Decimal("0.123456")), feature="x" * 250)
    async with Emitter(bootstrap_servers=bootstrap_servers, topic=small_topic) as emitter:
        await emitter.submit(large)
        with pytest.raises(DeliveryError, match="'call-0'"):
            await emitter.flush()
        await emitter.flush()  # told once


async def test_a_start_without_a_broker_says_where_it_looked() -> None:
    with pytest.raises(EmitterSetupError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        await Emitter(bootstrap_servers="127.0.0.1:1").start()


async def test_a_topic_that_does_not_exist_says_how_to_create_it(bootstrap_servers: str) -> None:
    with pytest.raises(EmitterSetupError, match=r"the topic nowhere does not exist.*tollstream topics create"):
        await Emitter(bootstrap_servers=bootstrap_servers, topic="nowhere").start()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"encoding": "xml"}, "encoding 'xml' does not exist; the encodings are: json, binary, columnar"),
        ({"batch_events_max": 0}, "batch_events_max = 0: it is between 1 and 100000"),
        ({"record_bytes_max": 10**9}, "record_bytes_max = 1000000000: it is between"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_at_once(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(EmitterSetupError, match=sentence):
        Emitter(**settings)


async def test_an_emitter_that_is_closed_sends_nothing(bootstrap_servers: str, topic: str) -> None:
    emitter = Emitter(bootstrap_servers=bootstrap_servers, topic=topic)
    with pytest.raises(EmitterClosedError):
        await emitter.emit(usage(1))
    await emitter.start()
    await emitter.close()
    await emitter.close()
    with pytest.raises(EmitterClosedError):
        await emitter.emit(usage(1))


@pytest.mark.parametrize("encoding", Encoding)
async def test_close_sends_what_was_submitted(
    bootstrap_servers: str, topic: str, read_topic: ReadTopic, encoding: Encoding
) -> None:
    emitter = Emitter(bootstrap_servers=bootstrap_servers, topic=topic, encoding=encoding, batch_milliseconds=60_000)
    await emitter.start()
    futures = [await emitter.submit(usage(number)) for number in range(20)]
    await emitter.close()
    assert all(future.done() for future in futures)
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(await read_topic())
    assert block.events.height == 20


def test_the_sync_emitter_does_the_same_without_a_loop(bootstrap_servers: str, topic: str) -> None:
    with SyncEmitter(bootstrap_servers=bootstrap_servers, topic=topic, in_flight_max=8) as emitter:
        first = emitter.emit(usage(0))
        futures = [emitter.submit(usage(number)) for number in range(1, 50)]
        emitter.flush()
        receipts = [first, *(future.result(0) for future in futures), *emitter.emit_batch([usage(50), usage(51)])]
        with pytest.raises(InvalidEventError):
            emitter.submit({})
    assert [each.event_id for each in receipts] == [f"call-{number}" for number in range(52)]
    assert all(each.partition == partition_for(usage(n).key, PARTITIONS) for n, each in enumerate(receipts))
    with pytest.raises(EmitterClosedError):
        emitter.emit(usage(0))


def test_the_sync_emitter_leaves_no_thread_when_it_cannot_start() -> None:
    emitter = SyncEmitter(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(EmitterSetupError, match="no Kafka broker answers"):
        emitter.start()
    assert emitter._thread is None

"""The contract with the internals of Faust and aiokafka that agents/transport.py overrides or calls.

What fails here after an upgrade has to be read again in the new source before the pins in pyproject.toml move. The
behaviour on a broker is in tests/integration/test_transport.py.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from types import SimpleNamespace
from typing import Any

import aiokafka
import faust
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.subscription_state import TopicPartitionState
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver

from agents.app import build_app
from agents.configuration import WorkerConfiguration
from agents.transport import Chunk, ChunkConsumer, ChunkConsumerThread, ChunkSchema, ChunkTransport, record_maker


def configuration(**changes: Any) -> WorkerConfiguration:
    values: dict[str, Any] = {
        "bootstrap_servers": "127.0.0.1:1,127.0.0.1:2",
        "store": None,
        "epoch": None,
        "prices": None,
        "rules": None,
        "dead_letter_topic": "usage.dead-letter",
    }
    return WorkerConfiguration(**(values | changes))


def test_the_versions_are_the_ones_whose_sources_were_read() -> None:
    assert importlib.metadata.version("faust-streaming") == "0.15.3"
    assert importlib.metadata.version("aiokafka").startswith("0.14.")


@pytest.mark.parametrize(
    ("overridden", "parameters"),
    [
        (driver.AIOKafkaConsumerThread._create_worker_consumer, ["self", "transport"]),
        (
            driver.AIOKafkaConsumerThread._fetch_records,
            ["self", "consumer", "active_partitions", "timeout", "max_records"],
        ),
        (driver.AIOKafkaConsumerThread.seek_to_committed, ["self"]),
        (driver.AIOKafkaConsumerThread.__post_init__, ["self"]),
        (driver.Consumer._new_consumer_thread, ["self"]),
        (faust_consumer.Consumer.getmany, ["self", "timeout"]),
        (faust_consumer.Consumer.on_buffer_full, ["self", "tp"]),
        (faust_consumer.Consumer.on_buffer_drop, ["self", "tp"]),
        (faust_consumer.Consumer.perform_seek, ["self"]),
        (faust_consumer.Consumer._wait_next_records, ["self", "timeout"]),
        (fetcher.PartitionRecords._consumer_record, ["self", "tp", "record"]),
        (fetcher.FetchResult.check_assignment, ["self", "tp"]),
        (fetcher.FetchResult._update_position, ["self"]),
        (fetcher.FetchResult.has_more, ["self"]),
        (fetcher.FetchError.check_raise, ["self"]),
        (fetcher.Fetcher._notify, ["self", "future"]),
        (fetcher.Fetcher._create_fetch_waiter, ["self"]),
        (aiokafka.AIOKafkaConsumer.commit, ["self", "offsets"]),
        (aiokafka.AIOKafkaConsumer.committed, ["self", "partition"]),
        (aiokafka.AIOKafkaConsumer.end_offsets, ["self", "partitions"]),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)  # fmt: skip
def test_an_internal_that_is_overridden_or_called_takes_what_it_took(overridden: Any, parameters: list[str]) -> None:
    assert list(inspect.signature(overridden).parameters) == parameters


def test_faust_reads_positions_and_fetches_through_what_is_overridden() -> None:
    assert "self._thread.getmany(" in inspect.getsource(faust_consumer.ThreadDelegateConsumer._getmany)
    assert "self._fetch_records" in inspect.getsource(driver.AIOKafkaConsumerThread.getmany)
    assert "self._thread.seek_to_committed()" in inspect.getsource(faust_consumer.ThreadDelegateConsumer)
    assert "r_offset is None or offset >= r_offset" in inspect.getsource(faust_consumer.Consumer._drain_messages)


def test_the_hooks_come_in_the_order_that_the_pump_relies_on() -> None:
    """State is loaded before the seek to the committed offsets, and the seek precedes the flow."""
    from faust.tables.recovery import Recovery

    source = inspect.getsource(Recovery._resume_streams)
    assert source.index("on_rebalance_complete.send") < source.index("perform_seek") < source.index("resume_flow")
    stopping = inspect.getsource(faust.App.on_stop)
    assert stopping.index("_stop_consumer") < stopping.index("on_before_shutdown.send")


def test_the_app_is_installed_with_our_transport_and_nothing_of_faust_that_could_commit() -> None:
    app = build_app(configuration())
    assert isinstance(app.transport, ChunkTransport)
    assert app.transport.Consumer is ChunkConsumer
    assert app.conf.broker_commit_interval > 365 * 86_400
    assert str(app.conf.store) == "memory:"
    assert not app.conf.web_enabled
    assert not app.conf.stream_wait_empty
    assert app.conf.topic_disable_leader
    assert app.conf.broker_session_timeout == 12
    assert app.conf.broker_heartbeat_interval <= app.conf.broker_session_timeout / 3
    assert [str(url) for url in app.conf.broker_consumer] == ["kafka://127.0.0.1:1", "kafka://127.0.0.1:2"]


class FakeRecords:
    """aiokafka's PartitionRecords over a list; None stands for control records that only move the position."""

    def __init__(self, start: int, offsets: list[int | None]) -> None:
        self.next_fetch_offset, self._offsets = start, iter(offsets)
        self._consumer_record: Any = None

    def __iter__(self) -> FakeRecords:
        return self

    def __next__(self) -> Any:
        for offset in self._offsets:
            self.next_fetch_offset += 1
            if offset is not None:
                raw = SimpleNamespace(offset=offset, timestamp=1, key=b"k", value=b"v" * 10, headers=[])
                return self._consumer_record(TopicPartition("t", 3), raw)
        raise StopIteration


def fetched(state: TopicPartitionState, records: FakeRecords) -> fetcher.FetchResult:
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    return fetcher.FetchResult(TopicPartition("t", 3), assignment=assignment, partition_records=records, backoff=0)


async def taking(results: list[FakeRecords], start: int) -> list[Chunk | None]:
    state = TopicPartitionState(None)
    state.seek(start)
    thread = ChunkConsumerThread.__new__(ChunkConsumerThread)
    thread.seeks, thread._skipped = 5, {}
    chunks = []
    for records in results:
        result = fetched(state, records)
        while result.has_more():
            chunks.append(thread._take(TopicPartition("t", 3), result))
    return chunks


async def test_a_chunk_covers_what_was_fetched_and_carries_the_seek_it_was_fetched_after() -> None:
    (chunk,) = await taking([FakeRecords(7, [7, 8, 9])], start=7)
    assert chunk is not None
    assert (chunk.partition, chunk.start, chunk.next, chunk.size, chunk.seek) == (3, 7, 10, 30, 5)
    assert [record.offset for record in chunk.records] == [7, 8, 9]
    assert chunk.records[0].partition == 3


async def test_control_records_between_and_behind_belong_to_the_chunk() -> None:
    (chunk,) = await taking([FakeRecords(0, [0, None, 2, None])], start=0)
    assert chunk is not None
    assert (chunk.start, chunk.next) == (0, 4)


async def test_a_fetch_of_nothing_but_aborted_records_belongs_to_the_next_chunk() -> None:
    first, second, third = await taking(
        [FakeRecords(0, [None, None]), FakeRecords(2, [None]), FakeRecords(3, [3, 4])], start=0
    )
    assert first is None
    assert second is None
    assert third is not None
    assert (third.start, third.next) == (0, 5)


async def test_many_records_become_chunks_that_follow_each_other() -> None:
    chunks = [chunk for chunk in await taking([FakeRecords(0, list(range(4_500)))], start=0) if chunk]
    assert [(chunk.start, chunk.next) for chunk in chunks] == [(0, 2_000), (2_000, 4_000), (4_000, 4_500)]


async def test_a_chunk_ends_at_its_byte_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.transport.CHUNK_BYTES", 25)
    chunks = [chunk for chunk in await taking([FakeRecords(0, list(range(4)))], start=0) if chunk]
    assert [(chunk.start, chunk.next) for chunk in chunks] == [(0, 3), (3, 4)]


def test_the_schema_hands_the_chunk_on_untouched() -> None:
    made: list[Any] = []
    app = SimpleNamespace(create_event=lambda *fields: made.append(fields))
    message = SimpleNamespace(value=object())
    coroutine = ChunkSchema().compile(app)(message, propagate=True)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert made == [(None, message.value, None, message)]


def test_a_record_has_what_the_decoder_reads() -> None:
    raw = SimpleNamespace(offset=5, timestamp=99, key=b"k", value=None, headers=[("a", b"b")])
    record = record_maker(2)(TopicPartition("t", 2), raw)
    assert (record.partition, record.offset, record.timestamp, record.key, record.value) == (2, 5, 99, b"k", None)
    assert list(record.headers) == [("a", b"b")]

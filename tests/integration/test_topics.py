"""`tollstream topics` against a real broker."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from tests.support.raw import usage_event
from tollstream import cli
from topics import administration
from topics.administration import RecordedEpoch
from topics.catalogue import RAW_TOPIC, TopicSpec, raw_topic_name, topic_specs
from topics.encodings import structured
from topics.errors import TopicChangeRefusedError, TopicError
from topics.partitioner import partition_for


@pytest.fixture
def epoch() -> int:
    """One that no other test uses."""
    return 1000 + uuid4().int % 60_000


async def test_topics_are_created_as_wanted_and_a_second_time_nothing_happens(
    bootstrap_servers: str, epoch: int
) -> None:
    first = await administration.create(bootstrap_servers, epoch, 3)
    assert raw_topic_name(epoch) in [spec.name for spec in first.create]
    again = await administration.create(bootstrap_servers, epoch, 3)
    assert (again.create, again.notes) == ((), ())
    (topic,) = await administration.inspect(bootstrap_servers, [raw_topic_name(epoch), "no-such-topic"])
    wanted = topic_specs(epoch, 3)[0]
    assert topic.partitions == 3
    assert wanted.settings().items() <= dict(topic.settings).items()


async def test_dangerous_changes_are_refused_and_nothing_is_done(bootstrap_servers: str, epoch: int) -> None:
    await administration.create(bootstrap_servers, epoch, 3)
    for partitions in (2, 4):
        with pytest.raises(TopicChangeRefusedError, match="3 partitions"):
            await administration.create(bootstrap_servers, epoch, partitions)
    recorded = RecordedEpoch(epoch, raw_topic_name(epoch), 8)
    with pytest.raises(TopicChangeRefusedError, match="started with 8 partitions"):
        await administration.create(bootstrap_servers, epoch, 3, recorded=recorded)
    (topic,) = await administration.inspect(bootstrap_servers, [raw_topic_name(epoch)])
    assert topic.partitions == 3


async def test_a_producer_puts_an_event_where_the_decoder_expects_it(bootstrap_servers: str, epoch: int) -> None:
    await administration.create(bootstrap_servers, epoch, 7)
    topic = raw_topic_name(epoch)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers) as producer:
        for number in range(20):
            message = structured.encode(usage_event(tenant=f"t{number}"))
            sent = await producer.send_and_wait(topic, message.value, key=message.key, headers=list(message.headers))
            assert sent.partition == partition_for(message.key or b"", 7)
            assert sent.timestamp_type == 1  # stamped by the broker
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        assert (await consumer.beginning_offsets([TopicPartition(topic, 0)]))[TopicPartition(topic, 0)] == 0


async def test_a_broker_that_does_not_answer_is_a_sentence() -> None:
    with pytest.raises(TopicError, match=r"Kafka at 127\.0\.0\.1:1 does not answer"):
        await administration.inspect("127.0.0.1:1", [RAW_TOPIC])


def test_the_verb_creates_and_shows(
    bootstrap_servers: str, epoch: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("TOLLSTREAM_CLICKHOUSE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TOLLSTREAM_TOPIC_EPOCH", str(epoch))
    name = raw_topic_name(epoch)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["topics", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    assert run("show", "--json", "--partitions", "2")[0] == 1
    code, out, _ = run("create", "--json", "--partitions", "2")
    assert code == 0
    assert name in json.loads(out)["create"]
    code, out, _ = run("create", "--partitions", "2")
    assert (code, out) == (0, "3 topics are as they should be, 0 of them new.\n")
    code, out, _ = run("show", "--partitions", "2")
    assert (code, name in out) == (0, True)
    code, _, err = run("create", "--partitions", "1")
    assert code == 2
    assert "Kafka cannot take partitions away" in err


async def test_a_topic_stamped_by_producers_is_refused(bootstrap_servers: str, epoch: int) -> None:
    wrong = TopicSpec(raw_topic_name(epoch), 2, retention_ms=-1, timestamp_type="CreateTime")
    await administration.create_topics(bootstrap_servers, [wrong])
    with pytest.raises(TopicChangeRefusedError, match="CreateTime"):
        await administration.create(bootstrap_servers, epoch, 2)

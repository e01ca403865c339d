"""Which changes of topics are made, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from topics import administration
from topics.administration import ExistingTopic, RecordedEpoch, plan
from topics.catalogue import ALERTS_TOPIC, DEAD_LETTER_TOPIC, RAW_TOPIC, TopicSpec, raw_topic_name, topic_specs
from topics.errors import TopicChangeRefusedError, TopicError

WANTED = topic_specs(1, 8)
RAW = WANTED[0]


def existing(spec: TopicSpec, *, partitions: int | None = None, **settings: str) -> ExistingTopic:
    changed = {name.replace("_", "."): value for name, value in settings.items()}
    return ExistingTopic(spec.name, partitions or spec.partitions, spec.settings() | changed)


def test_what_is_missing_is_created_and_the_rest_is_left_alone() -> None:
    assert plan(WANTED, []).create == WANTED
    answer = plan(WANTED, [existing(RAW)])
    assert [spec.name for spec in answer.create] == [DEAD_LETTER_TOPIC, ALERTS_TOPIC]
    assert answer.unchanged == (RAW_TOPIC,)
    assert plan(WANTED, map(existing, WANTED)).create == ()


@pytest.mark.parametrize(
    ("topic", "words"),
    [
        (existing(RAW, partitions=16), "Kafka cannot take partitions away"),
        (existing(RAW, partitions=4), "more would move keys away"),
        (existing(RAW, message_timestamp_type="CreateTime"), "message.timestamp.type is CreateTime"),
        (existing(RAW, cleanup_policy="compact"), "cleanup.policy is compact"),
    ],
)
def test_a_dangerous_difference_is_refused_with_its_reason(topic: ExistingTopic, words: str) -> None:
    answer = plan(WANTED, [topic])
    assert len(answer.refusals) == 1
    assert words in answer.refusals[0]
    with pytest.raises(TopicChangeRefusedError, match="usage"):
        answer.require()


def test_a_new_number_of_partitions_needs_a_new_epoch() -> None:
    recorded = RecordedEpoch(1, RAW_TOPIC, 8)
    wider = topic_specs(1, 16)
    # Also where the topic itself is gone: the ledger remembers.
    assert "--epoch 2" in plan(wider, [], recorded).refusals[0]
    assert plan(WANTED, [], recorded).refusals == ()
    assert plan(topic_specs(2, 16), [existing(RAW)], None).refusals == ()


def test_a_harmless_difference_is_a_note() -> None:
    answer = plan(WANTED, [existing(RAW, retention_ms="1000")])
    assert answer.refusals == ()
    assert "retention.ms is 1000" in answer.notes[0]


def test_topics_keep_brokers_time_and_the_raw_topic_outlives_the_horizon() -> None:
    for spec in WANTED:
        assert spec.settings()["message.timestamp.type"] == "LogAppendTime"
        assert spec.cleanup_policy == "delete"
    assert RAW.retention_ms > 35 * 86_400_000
    assert replace(RAW, partitions=1).name == RAW_TOPIC


def test_each_epoch_has_a_topic_of_its_own() -> None:
    assert [raw_topic_name(epoch) for epoch in (1, 2, 65_535)] == ["usage.raw", "usage.raw.2", "usage.raw.65535"]
    for epoch in (0, -1, 65_536):
        with pytest.raises(ValueError, match="between 1 and"):
            raw_topic_name(epoch)


class Broker:
    """Makes topics at once and lists them only when it has been asked a few times."""

    def __init__(self, unheard_of: int) -> None:
        self.unheard_of, self.asked = unheard_of, 0

    async def list_topics(self) -> list[str]:
        self.asked += 1
        return ["usage.raw"] if self.asked <= self.unheard_of else ["usage.raw", "usage.dead-letter"]


async def test_a_topic_counts_as_made_once_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "LISTED_PAUSE_SECONDS", 0)
    slow, broken = Broker(3), Broker(10**9)
    await administration.wait_until_listed(slow, ["usage.dead-letter", "usage.raw"])
    assert slow.asked == 4
    with pytest.raises(TopicError, match=r"made usage\.dead-letter, but does not list it"):
        await administration.wait_until_listed(broken, ["usage.dead-letter", "usage.raw"])

"""Every example of topics/examples/ through the model and through the hot decoder: being there is being tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.raw import CATALOGUE, PARTITIONS, RECORD_TIME, Record, decoder, record_of
from topics.diagnose import read_record
from topics.encodings import binary, columnar, structured
from topics.errors import EventRefusedError
from topics.events import PRECEDENCE, AnyEvent, UsageEvent
from topics.partitioner import partition_for
from topics.payload import payload_hash
from topics.reasons import SENTENCES, Reason

EXAMPLES = Path(__file__).parents[2] / "topics" / "examples"
GOOD = sorted((EXAMPLES / "good").iterdir())
BAD = sorted((EXAMPLES / "bad").iterdir())


def as_record(value: bytes) -> Record:
    key = "ünïcode & co/東京".encode() if "東京".encode() in value else b"acme/globex"
    return Record(partition_for(key, PARTITIONS), 0, RECORD_TIME, key, value)


def read(record: Record) -> AnyEvent:
    return read_record(record, meters=CATALOGUE, partitions=PARTITIONS, record_bytes_max=1 << 20)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_example_is_accepted_by_both_decoders_with_the_same_content(path: Path) -> None:
    record = as_record(path.read_bytes())
    event = read(record)
    block = decoder().decode([record])
    assert not block.rejections, block.rejections
    assert block.payloads.tolist() == [payload_hash(event)]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_example_says_the_same_in_every_encoding(path: Path) -> None:
    event = read(as_record(path.read_bytes()))
    messages = [structured.encode(event), binary.encode(event)]
    if isinstance(event, UsageEvent):
        messages.append(columnar.encode_batch([event]))
    for message in messages:
        block = decoder().decode([record_of(message)])
        assert not block.rejections
        assert block.payloads.tolist() == [payload_hash(event)]


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_example_gets_the_reason_in_its_name_from_both_decoders(path: Path) -> None:
    reason, detail_words = Reason(path.name.partition(".")[0]), path.stem
    record = as_record(path.read_bytes())
    with pytest.raises(EventRefusedError) as refused:
        read(record)
    assert refused.value.reason is reason, (detail_words, refused.value)
    block = decoder().decode([record])
    assert [(each.reason, each.value, each.key) for each in block.rejections] == [(reason, record.value, record.key)]
    assert block.events.height == 0
    assert 10 < len(block.rejections[0].detail) < 400


def test_a_bad_event_does_not_touch_its_neighbours() -> None:
    good = as_record(GOOD[-1].read_bytes())
    values = [value for path in BAD for value in (path.read_bytes(), good.value)]
    records = [Record(good.partition, offset, RECORD_TIME, good.key, value) for offset, value in enumerate(values)]
    block = decoder().decode(records)
    assert block.events["offset"].to_list() == list(range(1, 2 * len(BAD), 2))
    assert [rejection.offset for rejection in block.rejections] == list(range(0, 2 * len(BAD), 2))


def test_every_reason_has_a_sentence_and_a_place() -> None:
    assert list(SENTENCES) == list(Reason) == list(PRECEDENCE)
    assert all(sentence.endswith(".") and len(sentence) < 100 for sentence in SENTENCES.values())

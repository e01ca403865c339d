"""Dead letters of a block: complete, in the order of the log, with the original bytes."""

from __future__ import annotations

import pytest

from agents.admission import Identities, judge
from agents.progress import Progress
from agents.rejections import rejections_of
from sinks.memory import MemorySink
from tests.support.desk import EPOCH, NOW, milliseconds, prepared, usage
from topics.block import Rejection
from topics.encodings import columnar, structured
from topics.encodings.columnar_read import read_batches
from topics.reasons import Reason

CHAT = usage("e1", feature="chat")
BATCH = [usage("e2"), usage("e1", feature="mail"), usage("e3", time=EPOCH)]


async def rejections(next_offset: int = 0) -> list[Rejection]:
    block = prepared(usage("e1"), CHAT, b"not json", BATCH, b"\xff")
    identities = Identities(MemorySink(), 1)
    await identities.load(0, EPOCH)
    return rejections_of(block, await judge(block, identities, 1), {0: Progress(next_offset=next_offset)})


async def test_what_decoding_and_what_admission_refused_comes_in_the_order_of_the_log() -> None:
    assert [(letter.offset, letter.index, letter.reason) for letter in await rejections()] == [
        (1, 0, Reason.CONFLICTING_DUPLICATE),
        (2, 0, Reason.NOT_JSON),
        (3, 1, Reason.CONFLICTING_DUPLICATE),
        (3, 2, Reason.TOO_LATE),
        (4, 0, Reason.INVALID_UTF8),
    ]


async def test_a_letter_holds_the_record_as_it_was() -> None:
    letter = (await rejections())[0]
    message = structured.encode(CHAT)
    assert (letter.partition, letter.key, letter.value, letter.headers) == (
        0,
        message.key,
        message.value,
        tuple(message.headers),
    )
    assert letter.record_time == milliseconds(NOW) * 1000
    assert "send a correction under a new id" in letter.detail


async def test_of_a_batch_only_the_refused_event_becomes_a_letter() -> None:
    letter = (await rejections())[2]
    assert letter.value is not None
    [batch] = read_batches(letter.value)
    assert (batch.num_rows, batch.column("id").to_pylist()) == (1, ["e1"])
    assert letter.headers == columnar.HEADERS


@pytest.mark.parametrize(("next_offset", "left"), [(0, 5), (1, 5), (2, 4), (3, 3), (4, 1), (5, 0), (9, 0)])
async def test_what_a_checkpoint_covers_is_not_published_again(next_offset: int, left: int) -> None:
    assert len(await rejections(next_offset)) == left

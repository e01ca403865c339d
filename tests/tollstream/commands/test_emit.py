"""`tollstream emit` on the real broker: what is sent, what is refused, and how it is told."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.emitter import Encoding
from tests.support.topics import PARTITIONS, read_topic_now, topic
from tollstream import emission
from tollstream.cli import main
from topics.decode import Decoder
from topics.meters import load_catalogue

__all__ = ("read_topic_now", "topic")  # fixtures
TENANTS = ("globex", "initech", "umbra", "hooli")


def event(number: int, **change: Any) -> dict[str, Any]:
    tenant = TENANTS[number % len(TENANTS)]
    return {
        "specversion": "1.0",
        "type": "ai.usage.v1",
        "id": f"call-{number}",
        "source": "/tests",
        "time": "2026-01-31T12:00:00+01:00",
        "subject": f"acme/{tenant}",
        "data": {"builder": "acme", "tenant": tenant, "usage": {"requests": 1, "minutes": "0.25"}},
        **change,
    }


def void(number: int) -> dict[str, Any]:
    data = {"builder": "acme", "tenant": TENANTS[number % 4], "target_source": "/tests", "target_id": f"call-{number}"}
    return event(number, id=f"void-{number}", type="ai.usage.void.v1", data=data)


def lines(*events: dict[str, Any] | str) -> str:
    return "\n".join(each if isinstance(each, str) else json.dumps(each) for each in events)


@pytest.fixture
def emit(bootstrap_servers: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the verb on a file with this text, into the test's own topic."""
    monkeypatch.setenv("TOLLSTREAM_KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setattr("tollstream.commands.emit.raw_topic_name", lambda epoch: topic)

    def run(text: str, *options: str) -> int:
        path = tmp_path / "events.jsonl"
        path.write_text(text, encoding="utf-8")
        return main(["emit", str(path), *options])

    return run


@pytest.mark.parametrize("encoding", Encoding)
def test_every_line_is_stored_in_the_order_of_the_file(
    emit: Callable[..., int],
    read_topic_now: Callable[[], list[Any]],
    capsys: pytest.CaptureFixture[str],
    encoding: Encoding,
) -> None:
    text = lines(*(each for number in range(50) for each in (event(number), void(number)))) + "\n\n"
    assert emit(text, "--encoding", encoding.value) == 0
    assert capsys.readouterr().out == "100 of 100 events stored, 0 bad lines.\n"
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(read_topic_now())
    assert block.rejections == []
    order = block.events["id"].to_list()
    assert sorted(order) == sorted([f"{what}-{number}" for what in ("call", "void") for number in range(50)])
    for number in range(50):
        assert order.index(f"call-{number}") < order.index(f"void-{number}")
        assert number < 4 or order.index(f"call-{number - 4}") < order.index(f"call-{number}")


def test_a_bad_line_is_named_with_its_number_and_reason_and_the_good_ones_are_sent(
    emit: Callable[..., int], read_topic_now: Callable[[], list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    text = lines(event(0), "{oops", "", event(1, time="2026-01-31T12:00:00"), event(2, subject="acme/other"), event(3))
    assert emit(text) == 1
    told = capsys.readouterr()
    assert told.out == "2 of 5 events stored, 3 bad lines.\n"
    assert [line.split(": ")[:2] for line in told.err.splitlines()] == [
        ["line 2", "not_json"],
        ["line 4", "naive_time"],
        ["line 5", "subject_mismatch"],
    ]
    assert sorted(json.loads(record.value)["id"] for record in read_topic_now()) == ["call-0", "call-3"]


def test_strict_sends_nothing_when_a_line_is_bad(
    emit: Callable[..., int], read_topic_now: Callable[[], list[Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert emit(lines(event(0), "{oops"), "--strict") == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines()[-1] == "Nothing was sent: 1 of 2 lines are bad."
    assert read_topic_now() == []
    assert emit(lines(event(0)), "--strict") == 0
    assert len(read_topic_now()) == 1


def test_json_says_what_became_of_the_file(emit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert emit(lines(event(0), event(1, data=None)), "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("lines", "delivered", "bad", "undelivered", "refused")} == {
        "lines": 2,
        "delivered": 1,
        "bad": 1,
        "undelivered": 0,
        "refused": False,
    }
    assert told["bad_lines"][0]["line"] == 2
    assert told["bad_lines"][0]["reason"] == "missing_field"


def test_only_the_first_bad_lines_are_explained(emit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert emit(lines(*["{"] * 25)) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21
    assert told[-1] == "… and 5 more bad lines"


def test_a_stream_can_be_read_from_standard_input(
    bootstrap_servers: str,
    topic: str,
    read_topic_now: Callable[[], list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    monkeypatch.setattr("tollstream.commands.emit.raw_topic_name", lambda epoch: topic)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Pipe(lines(event(0), event(1)).encode())))
    assert main(["emit", "-", "--strict", "--bootstrap-servers", bootstrap_servers]) == 0
    assert capsys.readouterr().out == "2 of 2 events stored, 0 bad lines.\n"
    assert len(read_topic_now()) == 2


def test_a_file_longer_than_one_chunk_is_sent_whole(
    emit: Callable[..., int], read_topic_now: Callable[[], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emission, "CHUNK_LINES", 7)
    assert emit(lines(*map(event, range(100))), "--encoding", "columnar") == 0
    block = Decoder(load_catalogue(), partitions=PARTITIONS).decode(read_topic_now())
    assert block.events["id"].n_unique() == 100


def test_without_a_broker_the_answer_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "events.jsonl").write_text(lines(event(0)))
    assert main(["emit", str(tmp_path / "events.jsonl"), "--bootstrap-servers", "127.0.0.1:1"]) == 2
    assert "tollstream: no Kafka broker answers at 127.0.0.1:1" in capsys.readouterr().err


def test_help_shows_a_line_that_can_be_sent(emit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emit", "--help"]) == 0
    told = capsys.readouterr().out
    example = told[told.index('{"specversion"') : told.index("Example: tollstream emit")]
    assert emit(" ".join(example.split()), "--strict") == 0

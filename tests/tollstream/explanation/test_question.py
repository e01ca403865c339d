"""The grammar of `tollstream explain`: what is an event, what is a line, and what is neither."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from sinks.lines import Line
from tollstream.explanation.question import Question, QuestionError, question

NAMED = ("source", "period", "since", "until", "window")
OCTOBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


def asked(*words: str, **options: str) -> Question:
    source, period, since, until, window = (options.pop(name, None) for name in NAMED)
    return question(words, source, period, since, until, window, options)


@pytest.mark.parametrize(
    ("words", "options", "kind", "source"),
    [
        (("call-1",), {}, "", None),
        (("acme/globex",), {}, "", None),  # may be an id; the store knows
        (("call-1",), {"source": "s"}, "event", "s"),
        (("acme/globex",), {"source": "s"}, "event", "s"),
        (("event", "acme/globex"), {}, "event", None),
        (("event",), {}, "", None),  # an id may be called so
        (("line", "acme/globex"), {"period": "2026-10"}, "line", None),
        (("acme/globex",), {"period": "2026-10"}, "line", None),
    ],
)  # fmt: skip
def test_what_is_asked_for(words: tuple[str, ...], options: dict[str, str], kind: str, source: str | None) -> None:
    found = asked(*words, **options)
    assert (found.kind, found.what, found.source) == (kind, words[-1], source)
    assert (found.line is None) == (kind != "line")


@pytest.mark.parametrize(
    ("options", "span"),
    [
        ({"period": "2026-10"}, OCTOBER),
        ({"period": "2026-12"}, (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))),
        ({"period": "2026-02-28"}, (datetime(2026, 2, 28, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))),
        ({"period": "2026"}, (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))),
        ({"since": "2026-10-01", "until": "2026-11-01T00:00:00Z"}, OCTOBER),
        ({"since": "2026-10-01T02:00:00+02:00", "until": "2026-11-01"}, OCTOBER),
    ],
)
def test_a_period_is_half_open_and_utc(options: dict[str, str], span: tuple[datetime, datetime]) -> None:
    line = asked("acme/globex", **options).line
    assert line == Line("acme", "globex", *span, {})


def test_a_line_keeps_what_narrows_it_and_empty_means_without() -> None:
    found = asked("acme/globex", window="2026-10-03T14:00:00Z", feature="", rule_id="markup")
    assert found.window == datetime(2026, 10, 3, 14, tzinfo=UTC)
    assert found.line is not None
    assert found.line.narrowed == {"feature": "", "rule_id": "markup"}


@pytest.mark.parametrize(
    ("words", "options", "sentence"),
    [
        ((), {}, "is not one event and not one line"),
        (("a", "b"), {}, "'a b' is not one event and not one line"),
        (("",), {}, "The id is empty"),
        (("event", "call-1"), {"period": "2026-10"}, "call-1 is asked for as an event"),
        (("call-1",), {"source": "s", "feature": "f"}, "call-1 is asked for as an event"),
        (("line", "acme/globex"), {"source": "s", "period": "2026"}, "--source belongs to an event"),
        (("call-1",), {"period": "2026-10"}, "call-1 is no line: write BUILDER/TENANT"),
        (("a/b/c",), {"period": "2026-10"}, "a/b/c is no line"),
        (("/globex",), {"period": "2026-10"}, "/globex is no line"),
        (("acme/",), {"period": "2026-10"}, "acme/ is no line"),
        (("line", "acme/globex"), {}, "A line needs its period"),
        (("acme/globex",), {"feature": "chat"}, "A line needs its period"),
        (("acme/globex",), {"since": "2026-10-01"}, "A line needs its period"),
        (("acme/globex",), {"period": "2026-10", "since": "2026-10-01"}, "--period says it all"),
        (("acme/globex",), {"period": "October"}, "--period October is no month, day or year"),
        (("acme/globex",), {"period": "2026-13"}, "--period 2026-13 is no month"),
        (("acme/globex",), {"period": "9999"}, "--period 9999 is no month"),
        (("acme/globex",), {"since": "2026-10-02", "until": "2026-10-02"}, "is not before --to"),
        (("acme/globex",), {"since": "2026-10-01T00:00", "until": "2026-10-02"}, "--from 2026-10-01T00:00 is no time"),
        (("acme/globex",), {"window": "noon"}, "--window noon is no time with offset"),
    ],
)  # fmt: skip
def test_what_makes_no_question_is_answered_with_what_would(
    words: tuple[str, ...], options: dict[str, str], sentence: str
) -> None:
    with pytest.raises(QuestionError, match=re.escape(sentence)):
        asked(*words, **options)

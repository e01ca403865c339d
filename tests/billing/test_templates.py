"""Templates: valid for any Builder, objected to by nobody, and what they say about themselves is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.documents import BookError
from billing.loading import parse_version
from billing.surcharges import RuleBook
from billing.surcharges.lints import lint
from billing.surcharges.templates import OFFERS, load_template
from topics.meters import load_catalogue

START = datetime(2026, 12, 1, tzinfo=UTC)
REFUSED = "builder {!r}: no event can have that name; one line without a slash, 1 to 200 bytes"


def _book(offer: str, builder: str = "quill", version: str = "v", start: datetime = START) -> RuleBook:
    text = load_template(offer, builder=builder, version=version, effective_from=start)
    return parse_version(text, ".toml", offer, RuleBook)


@pytest.mark.parametrize("offer", OFFERS)
def test_a_template_is_a_rule_book_that_nobody_objects_to(offer: str) -> None:
    book = _book(offer)
    assert (book.version, book.effective_from) == ("v", START)
    assert lint(book, catalogue=load_catalogue(), prices=None, last_month=None) == []
    assert set(book.model_classes) == {"light", "standard", "premium"}
    assert all(rule.id.startswith("quill-") for rule in book.rules)


@pytest.mark.parametrize("offer", OFFERS)
def test_a_template_explains_itself_to_whoever_opens_it(offer: str) -> None:
    text = load_template(offer, builder="quill", version="v", effective_from=START)
    assert "${" not in text
    for words in ("What happens here", "What happens on the statement", "tollstream rules check FILE"):
        assert words in text
    assert text.count("\n# ") > 10, "comments between the rules"
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", ['with "quotes"', "back\\slash", "zürich 💧", "dollar $builder ${x}"])
def test_any_name_that_an_event_can_have_is_written_as_it_is(name: str) -> None:
    for offer in OFFERS:
        book = _book(offer, builder=name, version=name)
        assert {rule.match["builder"] for rule in book.rules} == {name}
        assert book.version == name


@pytest.mark.parametrize("builder", ["", "  ", "a/b", "x" * 201, "ü" * 101, "tab\there", "x\x7f"])
def test_a_name_that_no_event_can_have_is_refused(builder: str) -> None:
    with pytest.raises(BookError) as error:
        _book("agency-margin", builder=builder)
    assert str(error.value) == REFUSED.format(builder)


def test_the_longest_name_is_taken() -> None:
    assert _book("agency-margin", builder="ü" * 100).rules[0].match["builder"] == "ü" * 100


@pytest.mark.parametrize(
    "start",
    [
        datetime(2027, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2027, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC),
        datetime(987, 1, 1, tzinfo=UTC),
    ],
)
def test_the_start_is_the_same_moment_in_utc(start: datetime) -> None:
    assert _book("premium-features", start=start).effective_from == start
    text = load_template("premium-features", builder="b", version="v", effective_from=start)
    assert "-01-01T00:00:00" in text
    assert "Z\n" in text


def test_no_name_of_a_builder_in_the_examples_is_a_clients_name_in_a_template() -> None:
    for offer in OFFERS:
        for rule in _book(offer, builder="some-builder").rules:
            assert rule.match.get("tenant") not in {"acme", "quill", "brightop", "deskline", "parcel"}

"""What a new rule book changes, told in the words of the diff."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.surcharges import RuleBook
from billing.surcharges.differences import compare

DEFAULT: dict[str, Any] = {
    "id": "all",
    "kind": "markup",
    "percent": "25",
    "label": "AI usage",
    "unit": "request",
    "reason": "The model's cost, plus 25 %.",
}


def rule(rule_id: str, **fields: Any) -> dict[str, Any]:
    return DEFAULT | {"id": rule_id, "match": {"tenant": rule_id}} | fields


def book(*rules: dict[str, Any], **fields: Any) -> RuleBook:
    return RuleBook.model_validate(
        {"version": "v", "effective_from": datetime(2026, 1, 1, tzinfo=UTC), "rules": rules, **fields}
    )


def words(old: RuleBook | None, new: RuleBook) -> list[str]:
    found = compare(old, new)
    return [change.words for change in found.changes] + list(found.terms)


def test_the_same_rules_in_another_order_are_no_change() -> None:
    found = compare(book(DEFAULT, rule("a")), book(rule("a"), DEFAULT))
    assert found.empty
    assert found.counts == {"added": 0, "removed": 0, "changed": 0}


def test_a_number_written_otherwise_is_no_change() -> None:
    assert words(book(rule("a", percent="25.0")), book(rule("a", percent="25"))) == []


def test_a_changed_rule_is_told_field_by_field_in_the_order_of_a_reader() -> None:
    old = book(rule("a", floor="0.01"))
    new = book(
        rule(
            "a",
            kind="per_unit",
            percent=None,
            amount="0.050",
            meter="documents",
            cap="2",
            match={"tenant": "a", "model": "m"},
        )
    )
    assert words(old, new) == [
        "changed rule a, match model: none -> m",
        "changed rule a, kind: markup -> per_unit",
        "changed rule a, percent: 25 -> none",
        "changed rule a, amount: none -> 0.05",
        "changed rule a, meter: none -> documents",
        "changed rule a, floor: 0.01 -> none",
        "changed rule a, cap: none -> 2",
    ]
    assert compare(old, new).counts == {"added": 0, "removed": 0, "changed": 1}


def test_rules_that_come_and_go_are_told_whole() -> None:
    old, new = book(DEFAULT, rule("a", label="Drafts")), book(DEFAULT, rule("b", kind="included", percent=None))
    assert words(old, new) == [
        'removed rule a: markup 25 %, for tenant a; "Drafts", by the request: The model\'s cost, plus 25 %.',
        'added rule b: included, for tenant b; "AI usage", by the request: The model\'s cost, plus 25 %.',
    ]
    assert [change.record()["new"] is None for change in compare(old, new).changes] == [True, False]


def test_a_rule_that_only_got_another_id_is_told_as_that() -> None:
    old, new = book(DEFAULT), book(DEFAULT | {"id": "everybody"})
    assert words(old, new) == ["changed rule everybody, id: all -> everybody"]
    assert compare(old, new).dangers == []


def test_currency_and_classes_of_models_are_told_in_sentences() -> None:
    old = book(DEFAULT, model_classes={"light": ["a", "b"], "heavy": ["z"]}, currency="USD")
    new = book(DEFAULT, model_classes={"light": ["b", "c"], "premium": ["y"]}, currency="EUR")
    assert words(old, new) == [
        "currency: USD -> EUR",
        "model class heavy: without z",
        "model class light: with c and without a",
        "model class premium: with y",
    ]
    assert compare(old, new).dangers == ["the currency would be EUR in place of USD"]


def test_without_a_published_book_everything_is_added_and_nothing_is_dangerous() -> None:
    found = compare(None, book(DEFAULT, rule("a")))
    assert (found.counts["added"], found.terms, found.dangers, found.entries_before) == (2, (), [], 0)


@pytest.mark.parametrize(("kept", "danger"), [(3, False), (2, True), (1, True)])
def test_a_book_that_shrinks_by_half_is_dangerous(kept: int, danger: bool) -> None:
    rules = [rule(name) for name in "abcd"]
    found = compare(book(*rules), book(*rules[:kept]))
    assert bool(found.dangers) is danger
    assert compare(book(*rules[:2]), book(*rules[:1])).dangers == []


def test_usage_that_would_be_left_without_a_rule_is_dangerous() -> None:
    [danger] = compare(book(DEFAULT, rule("a")), book(rule("a"))).dangers
    assert danger.startswith("the rule for anything, all, would be gone")
    assert compare(book(rule("a")), book(rule("b"))).dangers == []


CLASSES = {"premium": ["m1", "m2"], "light": ["m3"]}


@pytest.mark.parametrize(
    ("gone", "kept", "told"),
    [
        ({"tenant": "a"}, {"tenant": "b"}, False),
        ({"tenant": "a"}, {"feature": "b"}, True),
        ({"tenant": "a"}, {}, True),
        ({}, {"tenant": "a"}, True),
        ({"model": "m1"}, {"model": "m2"}, False),
        ({"model": "m1"}, {"model_class": "premium"}, True),
        ({"model": "m3"}, {"model_class": "premium"}, False),
        ({"model_class": "light"}, {"model_class": "premium"}, False),
        ({"model_class": "premium"}, {"model_class": "premium", "mode": "batch"}, True),
        ({"model": "m3", "model_class": "premium"}, {}, True),
        ({"model": "m3", "model_class": "premium"}, {"model": "m3"}, False),
        ({"model": "m1", "model_class": "premium"}, {"model": "m1"}, True),
        ({"tenant": "a", "model": "m1"}, {"tenant": "b", "model": "m1"}, False),
    ],
)
def test_a_retroactive_book_lacks_only_rules_whose_usage_it_would_charge_by_another(
    gone: dict[str, str], kept: dict[str, str], told: bool
) -> None:
    old = book(*(rule(name) for name in "cdefg"), rule("gone", match=gone), model_classes=CLASSES)
    new = book(rule("kept", match=kept, percent="30"), retroactive=True, model_classes=CLASSES)
    found = compare(old, new)
    assert ("gone" in {change.rule_id for change in found.changes}) is told
    assert found.dangers == []
    assert len(compare(old, book(rule("kept", match=kept), model_classes=CLASSES)).dangers) == 1 + (not gone)


def test_of_classes_that_a_retroactive_book_does_not_have_nothing_is_told() -> None:
    old = book(DEFAULT, model_classes=CLASSES)
    new = book(DEFAULT, model_classes={"premium": ["m1"]}, retroactive=True)
    assert compare(old, new).terms == ("model class premium: without m2",)
    assert len(compare(old, new.model_copy(update={"retroactive": False})).terms) == 2


def test_a_currency_of_retroactive_rules_that_is_another_one_is_a_danger_all_the_same() -> None:
    [danger] = compare(book(DEFAULT, currency="USD"), book(rule("a"), currency="EUR", retroactive=True)).dangers
    assert danger == "the currency would be EUR in place of USD"


RULES = st.lists(st.sampled_from("abcd"), unique=True, min_size=1).flatmap(
    lambda ids: st.tuples(*(st.builds(rule, st.just(each), percent=st.sampled_from(["1", "2"])) for each in ids))
)


@given(RULES, RULES)
def test_a_difference_is_empty_exactly_where_the_rules_are_equal_and_backwards_it_is_its_mirror(
    one: tuple[dict[str, Any], ...], other: tuple[dict[str, Any], ...]
) -> None:
    there, back = compare(book(*one), book(*other)), compare(book(*other), book(*one))
    assert there.empty is ({each["id"]: each for each in one} == {each["id"]: each for each in other})
    assert sorted((c.rule_id, c.field, str(c.old), str(c.new)) for c in there.changes) == sorted(
        (c.rule_id, c.field, str(c.new), str(c.old)) for c in back.changes
    )

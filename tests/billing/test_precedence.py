"""Which rule applies is explained in a sentence per rule; the laws behind it are in tests/property."""

from __future__ import annotations

import pytest

from billing.surcharges.precedence import names, precedence, resolve, terms
from tests.support.lints import book, rule

TAGS = {
    "tenant": "globex", "workspace": "", "builder": "quill", "feature": "drafts", "workflow": "", "action": "",
    "provider": "northwind", "model": "nw-large", "mode": "standard", "route": "primary",
}  # fmt: skip
BOOK = book(
    rule("rest", match={}),
    rule("quill", match={"builder": "quill"}),
    rule("premium", match={"builder": "quill", "model_class": "premium"}),
    rule("drafts", match={"builder": "quill", "feature": "drafts"}),
    rule("globex", match={"tenant": "globex"}),
    rule("initech", match={"tenant": "initech"}),
    rule("batch", match={"builder": "quill", "feature": "drafts", "mode": "batch", "workspace": "press"}),
    rule("light", match={"builder": "quill", "model_class": "light"}),
)


def test_the_winner_is_named_with_every_loser_and_why_it_lost() -> None:
    explained = resolve(BOOK, TAGS)
    assert explained.winner is not None
    assert explained.winner.id == "globex"
    assert [(each.rule.id, each.field) for each in explained.lost] == [
        ("drafts", "tenant"), ("premium", "tenant"), ("quill", "tenant"), ("rest", "tenant"),
    ]  # fmt: skip
    assert explained.lost[0].sentence == "globex names the tenant (globex), drafts does not"


def test_the_weightiest_field_decides_however_many_others_are_named() -> None:
    explained = resolve(BOOK, {**TAGS, "tenant": "umbra"})
    assert explained.winner is not None
    assert explained.winner.id == "drafts"
    assert [each.sentence for each in explained.lost] == [
        "drafts names the feature (drafts), premium does not",
        "drafts names the feature (drafts), quill does not",
        "drafts names the builder (quill), rest does not",
    ]


def test_rules_that_nearly_matched_are_named_with_the_field_that_differs() -> None:
    explained = resolve(BOOK, TAGS)
    assert [(each.rule.id, [one.sentence for one in each.differences]) for each in explained.nearest] == [
        ("light", ["it wants a model of class light (nw-small), not nw-large"]),
        ("initech", ["it wants tenant initech, not globex"]),
        ("batch", ["it wants workspace press, and the usage has no workspace", "it wants mode batch, not standard"]),
    ]


def test_usage_without_a_rule_has_no_winner_and_says_what_is_nearest() -> None:
    explained = resolve(book(rule("a", match={"builder": "quill", "model": "nw-small"})), {**TAGS, "model": ""})
    assert (explained.winner, explained.lost) == (None, ())
    [missed] = explained.nearest
    assert [one.sentence for one in missed.differences] == ["it wants model nw-small, and the usage has no model"]


def test_the_served_name_goes_before_the_model_that_it_stands_for() -> None:
    both = book(
        rule("any", match={"model": "nw-large"}), rule("snapshot", match={"model": "nw-large-2026-01-31"}),
        rule("class", match={"model_class": "premium"}),
    )  # fmt: skip
    explained = resolve(both, {**TAGS, "model": "nw-large-2026-01-31"}, "nw-large")
    assert explained.winner is not None
    assert explained.winner.id == "snapshot"
    assert [(each.rule.id, each.field) for each in explained.lost] == [("any", "model"), ("class", "model")]
    assert "the name under which the model was served (nw-large-2026-01-31)" in explained.lost[0].sentence


def test_all_rules_stand_in_one_order_with_what_they_name() -> None:
    assert [(each.id, names(each)) for each in precedence(BOOK)] == [
        ("globex", "tenant globex"),
        ("initech", "tenant initech"),
        ("batch", "workspace press, builder quill, feature drafts, mode batch"),
        ("drafts", "builder quill, feature drafts"),
        ("light", "builder quill, class of models light"),
        ("premium", "builder quill, class of models premium"),
        ("quill", "builder quill"),
        ("rest", "anything"),
    ]


@pytest.mark.parametrize(
    ("members", "shown"),
    [(0, "which is empty"), (1, "m0"), (5, "m0, m1, m2, m3, m4"), (6, "m0, m1, m2, m3, m4 and 1 more")],
)
def test_a_class_is_shown_by_its_first_five_models(members: int, shown: str) -> None:
    classes = {"c": [f"m{number}" for number in range(members)]}
    [missed] = resolve(book(rule("a", match={"model_class": "c"}), classes=classes), TAGS).nearest
    assert missed.differences[0].sentence == f"it wants a model of class c ({shown}), not nw-large"


def test_usage_without_a_model_is_told_so() -> None:
    [missed] = resolve(book(rule("a", match={"model_class": "light"})), {**TAGS, "model": ""}).nearest
    [difference] = missed.differences
    assert difference.sentence == "it wants a model of class light (nw-small), not usage without a model"
    assert (difference.field, difference.wanted, difference.found) == ("model_class", "light", "")


def test_of_two_classes_the_one_with_the_served_name_goes_first() -> None:
    snapshot = "nw-large-2026-01-31"
    classes = {"dated": [snapshot], "plain": ["nw-large"]}
    rules = [rule(name, match={"model_class": name}) for name in ("plain", "dated")]
    explained = resolve(book(*rules, classes=classes), {**TAGS, "model": snapshot}, "nw-large")
    assert explained.winner is not None
    assert explained.winner.id == "dated"
    [lost] = explained.lost
    assert (lost.rule.id, lost.field) == ("plain", "model_class")
    assert lost.sentence == f"dated goes by the name under which the model was served ({snapshot}), plain does not"


def test_a_rule_is_told_in_one_line() -> None:
    bounds = {"floor": "0.0040", "cap": "2"}
    told = [
        terms(each)
        for each in book(
            rule("a", percent="12.50", match={"feature": "a"}), rule("b", "per_unit", match={"feature": "b"}, **bounds),
            rule("c", "pass_through", match={"feature": "c"}),
        ).rules
    ]  # fmt: skip
    assert told == ["markup 12.50 %", "per_unit 0.01 for each of requests, at least 0.0040, at most 2", "pass_through"]


def test_as_many_near_misses_are_told_as_are_asked_for() -> None:
    assert len(resolve(BOOK, {**TAGS, "builder": "nobody", "tenant": "t"}).nearest) == 3
    assert len(resolve(BOOK, {**TAGS, "builder": "nobody", "tenant": "t"}, nearest=5).nearest) == 5
    assert resolve(BOOK, TAGS, nearest=0).nearest == ()

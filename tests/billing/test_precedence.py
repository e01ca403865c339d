"""Which rule applies is explained in a sentence per rule; the laws behind it are in tests/property."""

from __future__ import annotations

from billing.surcharges.precedence import names, precedence, resolve
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


def test_a_long_class_is_shortened_in_the_sentence() -> None:
    classes = {"many": [f"m{number}" for number in range(7)], "none": []}
    two = book(
        rule("a", match={"model_class": "many"}), rule("b", match={"model_class": "none"}), classes=classes
    )  # fmt: skip
    many, none = resolve(two, TAGS).nearest
    assert (
        many.differences[0].sentence == "it wants a model of class many (m0, m1, m2, m3, m4 and 2 more), not nw-large"
    )
    assert none.differences[0].sentence == "it wants a model of class none (which is empty), not nw-large"

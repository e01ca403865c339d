"""Precedence as a law: one total order of the rules, the same winner from any file, and an explanation that agrees."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from billing.surcharges import Rule, resolve_rule
from billing.surcharges.precedence import order, precedence, resolve
from billing.surcharges.rule import MATCH_FIELDS
from tests.support.rule_strategies import CANONICAL, CLASSES, book_of, rules_that_do_not_tie, tags


def _matches(rule: Rule, usage: dict[str, str]) -> bool:
    """The plain reading, apart from the index of the book: some name of the model meets all that is asked for."""
    for model in (usage["model"], CANONICAL.get(usage["model"], usage["model"])):
        seen = {**usage, "model": model}
        if all(
            model in CLASSES[value] if field == "model_class" else seen[field] == value
            for field, value in rule.match.items()
        ):
            return True
    return False


@given(rules_that_do_not_tie())
def test_specificity_is_a_total_order_of_the_rules_that_can_meet(rules: list[dict[str, Any]]) -> None:
    book = book_of(rules)
    for one, other in combinations(book.rules, 2):
        assert order(one) != order(other), "no two rules stand at one place"
        assert (order(one) < order(other)) is not (order(other) < order(one)), "total and antisymmetric"
    for one, middle, last in combinations(precedence(book), 3):
        assert order(one) < order(middle) < order(last), "sorted"
        assert order(one) < order(last), "transitive"
    for one, other in combinations(precedence(book), 2):
        assert one.specificity >= other.specificity, "who names a weightier field stands before"


@settings(max_examples=200)
@given(rules_that_do_not_tie(), tags, st.randoms(use_true_random=False))
def test_the_winner_does_not_depend_on_the_order_of_the_file(
    rules: list[dict[str, Any]], usage: dict[str, str], random: Any
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)
    canonical = CANONICAL.get(usage["model"], "")
    found, again = (resolve_rule(book_of(each), usage, canonical) for each in (rules, shuffled))
    assert (found and found.id) == (again and again.id)
    assert [rule.id for rule in precedence(book_of(rules))] == [rule.id for rule in precedence(book_of(shuffled))]


@settings(max_examples=300)
@given(rules_that_do_not_tie(), tags)
def test_the_explanation_agrees_with_what_rating_does_and_leaves_no_rule_out(
    rules: list[dict[str, Any]], usage: dict[str, str]
) -> None:
    book, canonical = book_of(rules), CANONICAL.get(usage["model"], "")
    explained = resolve(book, usage, canonical, nearest=len(rules))
    assert explained.winner is resolve_rule(book, usage, canonical)
    matching = {rule.id for rule in book.rules if _matches(rule, usage)}
    said = {each.rule.id for each in explained.lost} | ({explained.winner.id} if explained.winner else set())
    assert said == matching
    assert {each.rule.id for each in explained.nearest} == {rule.id for rule in book.rules} - matching
    if explained.winner is None:
        assert not explained.lost


@settings(max_examples=200)
@given(rules_that_do_not_tie(), tags)
def test_a_loser_lacks_the_weightiest_field_in_which_it_differs(
    rules: list[dict[str, Any]], usage: dict[str, str]
) -> None:
    explained = resolve(book_of(rules), usage, CANONICAL.get(usage["model"], ""))
    for lost in explained.lost:
        assert explained.winner is not None
        won, other = explained.winner.match, lost.rule.match
        differing = [field for field in MATCH_FIELDS if (field in won) != (field in other)]
        if differing:
            assert lost.field == differing[0]
            assert lost.field in won
            assert won[lost.field] in lost.sentence
        else:
            assert usage["model"] in CANONICAL, "the same fields can only be met by two names of one model"
            assert "the name under which the model was served" in lost.sentence


@given(rules_that_do_not_tie(), tags)
def test_a_rule_that_nearly_matched_matches_once_its_differences_are_gone(
    rules: list[dict[str, Any]], usage: dict[str, str]
) -> None:
    explained = resolve(book_of(rules), usage, CANONICAL.get(usage["model"], ""), nearest=3)
    counts = [len(missed.differences) for missed in explained.nearest]
    assert counts == sorted(counts)
    for missed in explained.nearest:
        mended = dict(usage)
        for difference in missed.differences:
            assert difference.sentence
            members = sorted(CLASSES[difference.wanted]) if difference.field == "model_class" else [difference.wanted]
            assume(members)
            wanted = missed.rule.match.get("model", members[0])
            mended["model" if difference.field == "model_class" else difference.field] = (
                wanted if difference.field == "model_class" else difference.wanted
            )
        if missed.rule.match.get("model_class") and missed.rule.match.get("model"):
            assume(missed.rule.match["model"] in CLASSES[missed.rule.match["model_class"]])
        assert _matches(missed.rule, mended)

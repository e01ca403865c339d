"""Precedence: which rule applies to given usage, which others matched and why they lost, and which nearly matched.

Rules stand in one total order: a rule that names a weightier field of MATCH_FIELDS stands before one that does not,
whatever either names besides. Rules that name the same fields never match one event twice (the book refuses a tie), so
among them the order is only for the eye: by the values they name. The order of the file means nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from billing.surcharges.book import RuleBook, resolve_rule
from billing.surcharges.rule import MATCH_FIELDS, Rule

NEAREST = 3
WORDS = {"model_class": "class of models"}  # how a field is called in a sentence; the others as they are
Order = tuple[tuple[bool, ...], tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Lost:
    """A rule that matches, and is not the one that applies."""

    rule: Rule
    field: str  # the weightiest field in which it differs from the winner
    sentence: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A field in which usage is not what a rule asks for."""

    field: str
    wanted: str
    found: str  # "" where the usage does not say
    sentence: str


@dataclass(frozen=True, slots=True)
class Missed:
    """A rule that does not match, and what would have to be different."""

    rule: Rule
    differences: tuple[Difference, ...]  # in order of weight, at least one

    @property
    def distance(self) -> tuple[int, int]:
        """The fewer fields differ, the nearer; then the more agree."""
        return len(self.differences), len(self.differences) - len(self.rule.match)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Everything about one set of tags; without a winner the usage is unpriced, reason `no_rule`."""

    winner: Rule | None
    lost: tuple[Lost, ...]  # the most specific first
    nearest: tuple[Missed, ...]  # the nearest first


def order(rule: Rule) -> Order:
    """Sort key of the total order: what sorts first wins wherever two rules match one event."""
    unnamed = tuple(not named for named in rule.specificity)
    return unnamed, tuple(rule.match.get(field, "") for field in MATCH_FIELDS), rule.id


def precedence(book: RuleBook) -> list[Rule]:
    """All rules, the most specific first."""
    return sorted(book.rules, key=order)


def names(rule: Rule) -> str:
    """What a rule names, in order of weight: `tenant globex, builder deskline`; `anything` for the default."""
    named = (f"{word(field)} {rule.match[field]}" for field in MATCH_FIELDS if field in rule.match)
    return ", ".join(named) or "anything"


def terms(rule: Rule) -> str:
    """How a rule charges: `markup 25 %, at least 0.004, at most 0.02`."""
    percent = f" {rule.percent:f} %" if rule.percent is not None else ""
    amount = f" {rule.amount:f} for each of {rule.meter}" if rule.amount is not None else ""
    floor = f", at least {rule.floor:f}" if rule.floor is not None else ""
    cap = f", at most {rule.cap:f}" if rule.cap is not None else ""
    return f"{rule.kind}{percent}{amount}{floor}{cap}"


def word(field: str) -> str:
    """A match field in the words of a sentence."""
    return WORDS.get(field, field)


def resolve(
    book: RuleBook, tags: Mapping[str, str], canonical_model: str = "", *, nearest: int = NEAREST
) -> Resolution:
    """Why `resolve_rule` answers what it answers. `tags` without a value are ""; one pass over all rules."""
    winner = resolve_rule(book, tags, canonical_model)
    views = _views(tags, canonical_model)
    lost, missed = [], []
    for rule in book.rules:
        if rule is winner:
            continue
        differences = min((_differences(book, rule, view) for view in views), key=len)
        if differences:
            missed.append(Missed(rule, differences))
        elif winner is not None:
            lost.append(_lost(rule, winner, tags["model"]))
    return Resolution(
        winner,
        tuple(sorted(lost, key=lambda each: order(each.rule))),
        tuple(heapq.nsmallest(nearest, missed, key=lambda each: (each.distance, order(each.rule)))),
    )


def _views(tags: Mapping[str, str], canonical_model: str) -> Sequence[Mapping[str, str]]:
    """The usage as served, and under the name of the model that the served name stands for."""
    canonical = canonical_model or tags["model"]
    return (tags,) if canonical == tags["model"] else (tags, {**tags, "model": canonical})


def _differences(book: RuleBook, rule: Rule, tags: Mapping[str, str]) -> tuple[Difference, ...]:
    found = []
    for field in MATCH_FIELDS:
        wanted = rule.match.get(field)
        if wanted is None:
            continue
        value = tags["model" if field == "model_class" else field]
        if field == "model_class":
            if value not in book.model_classes[wanted]:
                found.append(Difference(field, wanted, value, _not_in_class(book, wanted, value)))
        elif value != wanted:
            has = f"not {value}" if value else f"and the usage has no {field}"
            found.append(Difference(field, wanted, value, f"it wants {field} {wanted}, {has}"))
    return tuple(found)


def _not_in_class(book: RuleBook, wanted: str, model: str) -> str:
    members = sorted(book.model_classes[wanted])
    shown = ", ".join(members[:5]) + (f" and {len(members) - 5} more" if len(members) > 5 else "")
    return f"it wants a model of class {wanted} ({shown or 'which is empty'}), not {model or 'usage without a model'}"


def _lost(rule: Rule, winner: Rule, served: str) -> Lost:
    for field, named, other in zip(MATCH_FIELDS, winner.specificity, rule.specificity, strict=True):
        if named != other:
            sentence = f"{winner.id} names the {word(field)} ({winner.match[field]}), {rule.id} does not"
            return Lost(rule, field, sentence)
    # Both name the same fields, and both match: one by the served name, the other by what that name stands for.
    field = "model" if "model" in rule.match else "model_class"
    return Lost(
        rule, field, f"{winner.id} goes by the name under which the model was served ({served}), {rule.id} does not"
    )

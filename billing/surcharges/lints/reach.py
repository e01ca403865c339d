"""Lints of reach: rules that can never apply, names that nothing has, usage that no rule covers.

Whether a rule can apply is decided, not guessed: it is asked about the usage that gives it the best chance, which has
the tags that the rule names and otherwise none that any rule knows, once for each model of its class, mode and route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from billing.surcharges.lints.finding import Check, Found, Severity, Subject
from billing.surcharges.precedence import names
from billing.surcharges.rule import MATCH_FIELDS, Rule
from topics.events import Mode, Route

SHOWN = 5


def best_chances(subject: Subject, match: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Usage that these conditions match, with as little as possible that a more specific rule could name."""
    models: list[str] = [match.get("model", "")]
    if "model_class" in match:
        members = subject.book.model_classes[match["model_class"]]
        models = sorted(members & {match["model"]} if "model" in match else members)
    modes = [match["mode"]] if "mode" in match else [mode.value for mode in Mode]
    routes = [match["route"]] if "route" in match else [route.value for route in Route]
    plain = {field: match.get(field, "") for field in MATCH_FIELDS if field != "model_class"}
    for model, mode, route in product(models, modes, routes):
        yield {**plain, "model": model, "mode": mode, "route": route}


def can_win(subject: Subject, rule: Rule, customer: Mapping[str, str] | None = None) -> bool:
    """Whether there is usage (of this customer) to which this rule applies."""
    match = {**rule.match, **{field: value for field, value in (customer or {}).items() if value}}
    return any(subject.winner(tags) is rule for tags in best_chances(subject, match))


def _never_wins(subject: Subject) -> Iterator[Found]:
    for rule in subject.book.rules:
        if can_win(subject, rule):
            continue
        winners = {winner.id: winner for tags in best_chances(subject, rule.match) if (winner := subject.winner(tags))}
        wanted = rule.match.get("model_class", "")
        if winners:
            stronger = _listed([f"{winner.id} ({names(winner)})" for winner in winners.values()])
            why = f"whatever it matches, a more specific rule takes: {stronger}"
        elif "model" in rule.match:
            why = f"model {rule.match['model']} is not in its class {wanted}"
        else:
            why = f"its class of models {wanted} is empty"
        yield Found(rule.id, f"it can never apply: {why}; remove it, or change what it matches")


def _unpriced_model(subject: Subject) -> Iterator[Found]:
    if subject.prices is None:
        return
    known = {entry.model for entry in subject.prices.prices}
    known |= {name for alias in subject.prices.aliases for name in alias.names}
    version = subject.prices.version
    used = {rule.match["model_class"] for rule in subject.book.rules if "model_class" in rule.match}
    for name, members in sorted(subject.book.model_classes.items()):
        strangers = sorted(members - known)
        if strangers and name in used:
            yield Found(
                "",
                f"model class {name} names {_listed(strangers)}, which price book {version} does not price: a slip of "
                "the pen would charge usage of the right name by another rule; correct the name, or add the price",
            )
    providers = {entry.provider for entry in subject.prices.prices}
    for rule in subject.book.rules:
        for field, names_known in (("model", known), ("provider", providers)):
            if field in rule.match and rule.match[field] not in names_known:
                yield Found(
                    rule.id,
                    f"{field} {rule.match[field]} has no price in price book {version}: usage of it would wait "
                    "unpriced, and a slip of the pen would never match; correct the name, or add the price",
                )


def _no_default(subject: Subject) -> Iterator[Found]:
    if subject.book.retroactive or not _uncovered(subject, ""):  # what such a book does not cover stays as it is
        return
    builders = sorted({rule.match["builder"] for rule in subject.book.rules if "builder" in rule.match})
    bare = [builder for builder in builders if _uncovered(subject, builder)]
    advice = "add a rule that names nothing else, such as pass_through, so that nothing waits for a rule"
    if bare:
        yield Found(
            "", f"no rule covers all usage of {_listed(bare)}: what none matches waits unpriced (no_rule); {advice}"
        )
    unbound = [rule.id for rule in subject.book.rules if "builder" not in rule.match]
    if unbound:
        yield Found(
            "",
            f"no rule covers all usage, although {_listed(unbound)} can match usage of any Builder: what none matches "
            f"waits unpriced (no_rule); {advice}",
        )


def _uncovered(subject: Subject, builder: str) -> bool:
    """Whether some usage of a Builder (of one that no rule names, where empty) has no rule."""
    match = {"builder": builder} if builder else {}
    return any(subject.winner(tags) is None for tags in best_chances(subject, match))


def _listed(texts: list[str]) -> str:
    more = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {more} more" if more > 0 else "")


CHECKS = (
    Check("never-wins", Severity.ERROR, "more specific rules take all that it matches, or its class is empty",
          _never_wins),
    Check("unpriced-model", Severity.WARNING, "a model, class or provider that the price book does not know",
          _unpriced_model, needs="prices"),
    Check("no-default", Severity.WARNING, "usage that no rule names would wait unpriced (`no_rule`)", _no_default),
)  # fmt: skip

"""What a new rule book would change, rule by rule and field by field, and what of it nobody should publish unread.

Change    one field of one rule, told as a reader would: "percent: 20 -> 25". A rule that is new or gone is one change,
          with all it says. A rule that only got another id is that, and not one gone and another new: the ledger names
          rules by their id.
Order     of the file means nothing to which rule applies (precedence.py), so moving rules about is no change.
Dangers   sentences: half of the rules or more would be gone, usage that no other rule matches would be left without
          one, or the currency would be another one.
Retroactive versions replace nothing, and usage that no rule of theirs matches stays as it is: such a book lacks only
          the rules whose usage it would charge by another rule.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from billing.money import EXACT
from billing.surcharges.book import RuleBook
from billing.surcharges.precedence import names, terms, word
from billing.surcharges.rule import MATCH_FIELDS, Rule

FIELDS = ("kind", "percent", "amount", "meter", "floor", "cap", "label", "unit", "reason")
FEW_RULES = 4  # of fewer, half may be one


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One field of a rule that would change, or a whole rule that would come or go (`field` is empty)."""

    kind: str  # added, removed or changed
    rule_id: str
    field: str
    old: str | None
    new: str | None

    @property
    def where(self) -> str:
        """`rule everybody, percent`."""
        return f"rule {self.rule_id}{', ' + self.field if self.field else ''}"

    @property
    def words(self) -> str:
        """One line for a reviewer."""
        if not self.field:
            return f"{self.kind} {self.where}: {self.new if self.old is None else self.old}"
        return f"{self.kind} {self.where}: {self.old or 'none'} -> {self.new or 'none'}"

    def record(self) -> dict[str, str | None]:
        """For --json: amounts as text."""
        return {"kind": self.kind, "rule": self.rule_id, "field": self.field, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """Everything that would change."""

    changes: tuple[RuleChange, ...]
    terms: tuple[str, ...]  # currency and model classes: a sentence each
    dangers: list[str]
    entries_before: int
    entries_after: int

    @property
    def counts(self) -> dict[str, int]:
        """How many rules are added, removed, changed."""
        counted = Counter(kind for kind, _ in {(change.kind, change.rule_id) for change in self.changes})
        return {kind: counted[kind] for kind in ("added", "removed", "changed")}

    @property
    def empty(self) -> bool:
        """Whether both books charge and say the same."""
        return not (self.changes or self.terms)


def compare(old: RuleBook | None, new: RuleBook) -> RuleDifference:
    """What `new` changes against `old`, None meaning that nothing is published yet: then everything is added."""
    before = {rule.id: rule for rule in old.rules} if old else {}
    after = {rule.id: rule for rule in new.rules}
    found = _changes(before, after)
    if old is not None and new.retroactive:
        found = (change for change in found if change.kind != "removed" or _taken(old, before[change.rule_id], new))
    changes = sorted(found, key=lambda change: (change.rule_id, _place(change.field)))
    return RuleDifference(
        tuple(changes),
        tuple(_terms(old, new)) if old else (),
        list(_dangers(old, new)) if old else [],
        len(before),
        len(after),
    )


def _changes(before: Mapping[str, Rule], after: Mapping[str, Rule]) -> Iterator[RuleChange]:
    gone = {rule_id: rule for rule_id, rule in before.items() if rule_id not in after}
    came = {rule_id: rule for rule_id, rule in after.items() if rule_id not in before}
    for rule_id, rule in sorted(came.items()):
        same = next((other for other, was in sorted(gone.items()) if _renamed(was, rule_id) == rule), None)
        if same is None:
            yield RuleChange("added", rule_id, "", None, _whole(rule))
        else:
            del gone[same]
            yield RuleChange("changed", rule_id, "id", same, rule_id)
    for rule_id, rule in gone.items():
        yield RuleChange("removed", rule_id, "", _whole(rule), None)
    for rule_id in before.keys() & after.keys():
        olds, news = _fields(before[rule_id]), _fields(after[rule_id])
        for field in olds.keys() | news.keys():
            if olds.get(field) != news.get(field):
                yield RuleChange("changed", rule_id, field, olds.get(field), news.get(field))


def _taken(old: RuleBook, rule: Rule, new: RuleBook) -> bool:
    """Whether some usage of a rule of the old book would have another rule in the new one."""
    models = _models(old, rule)
    for other in new.rules:
        others = _models(new, other)
        shared = rule.match.keys() & other.match.keys() - {"model", "model_class"}
        if all(rule.match[field] == other.match[field] for field in shared) and (
            models is None or others is None or models & others
        ):
            return True
    return False


def _models(book: RuleBook, rule: Rule) -> frozenset[str] | None:
    """The models that a rule can match, None for any."""
    model = frozenset([rule.match["model"]]) if "model" in rule.match else None
    members = book.model_classes[rule.match["model_class"]] if "model_class" in rule.match else None
    if model is None or members is None:
        return members if model is None else model
    return model & members


def _renamed(rule: Rule, rule_id: str) -> Rule:
    return rule.model_copy(update={"id": rule_id})


def _fields(rule: Rule) -> dict[str, str]:
    """Every field that says something, the match field by field."""
    fields = {f"match {word(field)}": value for field, value in rule.match.items()}
    for field in FIELDS:
        value = getattr(rule, field)
        if value is not None:
            fields[field] = _number(value) if isinstance(value, Decimal) else value
    return fields


def _whole(rule: Rule) -> str:
    return f'{terms(rule)}, for {names(rule)}; "{rule.label}", by the {rule.unit}: {rule.reason}'


def _place(field: str) -> tuple[int, str]:
    order = ("", "id", *(f"match {word(field)}" for field in MATCH_FIELDS), *FIELDS)
    return order.index(field), field


def _terms(old: RuleBook, new: RuleBook) -> Iterator[str]:
    if old.currency != new.currency:
        yield f"currency: {old.currency or 'that of the prices'} -> {new.currency or 'that of the prices'}"
    gone_too = {} if new.retroactive else old.model_classes
    for name in sorted(gone_too.keys() | new.model_classes.keys()):
        before, after = old.model_classes.get(name, frozenset()), new.model_classes.get(name, frozenset())
        came, gone = sorted(after - before), sorted(before - after)
        moves = [f"with {', '.join(came)}"] * bool(came) + [f"without {', '.join(gone)}"] * bool(gone)
        if moves:
            yield f"model class {name}: {' and '.join(moves)}"


def _dangers(old: RuleBook, new: RuleBook) -> Iterator[str]:
    if old.currency != new.currency and old.currency is not None:
        yield f"the currency would be {new.currency or 'that of the prices'} in place of {old.currency}"
    if new.retroactive:
        return
    if len(old.rules) >= FEW_RULES and len(new.rules) * 2 <= len(old.rules):
        yield f"the book would shrink from {len(old.rules)} rules to {len(new.rules)}: half of it or more would be gone"
    default = [[rule.id for rule in book.rules if not rule.match] for book in (old, new)]
    if default[0] and not default[1]:
        yield (
            f"the rule for anything, {default[0][0]}, would be gone: usage that no other rule matches would wait "
            "unpriced"
        )


def _number(value: Decimal) -> str:
    return f"{value.normalize(EXACT):f}"

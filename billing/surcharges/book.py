"""A rule book: one dated version of all surcharge rules; the most specific match applies, a tie is refused at load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from billing.currencies import Currency
from billing.documents import Moment, Name, Versions
from billing.loading import load_versions
from billing.surcharges.rule import MATCH_FIELDS, Rule

Fields = tuple[str, ...]  # of MATCH_FIELDS, in their order
Values = tuple[str, ...]  # one for each of the fields; for model_class a model of the class


class RuleBook(BaseModel):
    """One version. `currency` is that of amount, floor and cap; without it, the price book's of the same time."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Name
    effective_from: Moment
    retroactive: bool = False  # never applies by itself: past usage is rated again with it, by name
    currency: Currency | None = None
    model_classes: dict[str, frozenset[str]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(min_length=1)
    content: str = Field("", repr=False)
    digest: str = ""
    # Which rule names these values in these fields: a lookup per set of fields, however many rules there are.
    _index: dict[Fields, dict[Values, Rule]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _decidable(self) -> RuleBook:
        ids: set[str] = set()
        for rule in sorted(self.rules, key=lambda rule: rule.specificity, reverse=True):
            wanted = rule.match.get("model_class")
            if wanted is not None and wanted not in self.model_classes:
                raise ValueError(f"rule {rule.id}: model class {wanted} is not among model_classes")
            if rule.id in ids:
                raise ValueError(f"rule {rule.id} stands twice: give each rule an id of its own")
            ids.add(rule.id)
            fields = tuple(field for field in MATCH_FIELDS if field in rule.match)
            of_fields = self._index.setdefault(fields, {})
            for values in self._values(rule, fields):
                other = of_fields.setdefault(values, rule)
                if other is not rule:
                    raise ValueError(f"rules {other.id} and {rule.id} tie: both can match one event, equally specific")
        return self

    def _values(self, rule: Rule, fields: Fields) -> Iterator[Values]:
        """The values under which an event finds the rule: more than one for a rule about a class of models."""
        if "model_class" not in rule.match:
            yield tuple(rule.match[field] for field in fields)
            return
        for model in sorted(self.model_classes[rule.match["model_class"]]):
            if rule.match.get("model", model) == model:
                yield tuple(model if field == "model_class" else rule.match[field] for field in fields)

    @property
    def tags_read(self) -> frozenset[str]:
        """The tags on which it depends which rule applies."""
        return frozenset(_tag(field) for fields in self._index for field in fields)

    def matching(self, tags: Mapping[str, str], canonical_model: str = "") -> list[Rule]:
        """Every rule that matches these tags, the most specific first.

        A rule about a model or a class of models goes by the served name, and where it has none for that, by
        `canonical_model`: what the price book says that the name stands for."""
        canonical = {**tags, "model": canonical_model or tags["model"]}
        found = (
            of_fields.get(_values_of(tags, fields)) or of_fields.get(_values_of(canonical, fields))
            for fields, of_fields in self._index.items()
        )
        return [rule for rule in found if rule is not None]


def _values_of(tags: Mapping[str, str], fields: Fields) -> Values:
    return tuple(tags[_tag(field)] for field in fields)


def _tag(field: str) -> str:
    return "model" if field == "model_class" else field


class RuleBooks(Versions[RuleBook]):
    """All versions of the rule book."""

    @staticmethod
    def load(path: Path) -> RuleBooks:
        """From a file or a folder of versions."""
        return RuleBooks(load_versions(path, RuleBook))


def resolve_rule(book: RuleBook, tags: Mapping[str, str], canonical_model: str = "") -> Rule | None:
    """The most specific rule that matches these tags, None where none does; the losers are in `RuleBook.matching`."""
    return next(iter(book.matching(tags, canonical_model)), None)

"""A rule book: one dated version of all surcharge rules; the most specific match applies, a tie is refused at load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from billing.documents import Versions
from billing.loading import load_versions
from billing.surcharges.rule import Rule


class RuleBook(BaseModel):
    """One version."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: Annotated[str, Field(min_length=1)]
    effective_from: AwareDatetime
    model_classes: dict[str, frozenset[str]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = Field(min_length=1)
    content: str = Field("", repr=False)
    digest: str = ""

    @model_validator(mode="after")
    def _decidable(self) -> RuleBook:
        for number, rule in enumerate(self.rules):
            wanted = rule.match.get("model_class")
            if wanted is not None and wanted not in self.model_classes:
                raise ValueError(f"rule {rule.id}: model class {wanted} is not among model_classes")
            for other in self.rules[:number]:
                if other.id == rule.id:
                    raise ValueError(f"rule {rule.id} stands twice: give each rule an id of its own")
                if other.specificity == rule.specificity and self._overlap(other, rule):
                    raise ValueError(f"rules {other.id} and {rule.id} tie: both can match one event, equally specific")
        return self

    def _overlap(self, one: Rule, other: Rule) -> bool:
        for field, value in one.match.items():
            if field == "model_class":
                if not self.model_classes[value] & self.model_classes[other.match[field]]:
                    return False
            elif other.match[field] != value:
                return False
        return True


class RuleBooks(Versions[RuleBook]):
    """All versions of the rule book."""

    @staticmethod
    def load(path: Path) -> RuleBooks:
        """From a file or a folder of versions."""
        return RuleBooks(load_versions(path, RuleBook))


def resolve_rule(book: RuleBook, tags: Mapping[str, str]) -> Rule | None:
    """The most specific rule that matches these tags, None where none does."""
    matching = [rule for rule in book.rules if rule.matches(tags, book.model_classes)]
    return max(matching, key=lambda rule: rule.specificity, default=None)

"""Random rule books without a tie, over few enough names that rules meet, and usage that they may match."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from billing.surcharges import RuleBook
from billing.surcharges.rule import MATCH_FIELDS
from topics.events import Mode, Route

VALUES = {
    **dict.fromkeys(MATCH_FIELDS, ("x", "y")),
    "model": ("m1", "m2", "m3", "m1-snapshot"),
    "model_class": ("light", "heavy", "none"),
    "mode": tuple(mode.value for mode in Mode),
    "route": tuple(route.value for route in Route),
}
CLASSES = {"light": ["m1", "m2"], "heavy": ["m2", "m3", "m1-snapshot"], "none": []}
CANONICAL = {"m1-snapshot": "m1"}

matches = st.sets(st.sampled_from(MATCH_FIELDS), max_size=4).flatmap(
    lambda fields: st.fixed_dictionaries({field: st.sampled_from(VALUES[field]) for field in sorted(fields)})
)
# As topics/events.py has them: any may be empty, but for mode and route, which always have one of their values.
tags = st.fixed_dictionaries(
    {
        field: st.sampled_from(VALUES[field] if field in ("mode", "route") else ("", *VALUES[field]))
        for field in MATCH_FIELDS
        if field != "model_class"
    }
)


def book_of(rules: list[dict[str, Any]]) -> RuleBook:
    """A version with these rules."""
    return RuleBook.model_validate(
        {"version": "v", "effective_from": "2026-01-01T00:00:00Z", "model_classes": CLASSES, "rules": rules}
    )


@st.composite
def rules_that_do_not_tie(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Drawn one by one; one that would tie with an earlier one is left out."""
    kept: list[dict[str, Any]] = []
    for number, match in enumerate(draw(st.lists(matches, min_size=1, max_size=12))):
        rule = {"id": f"r{number}", "kind": "included", "match": match, "label": "l", "unit": "u", "reason": "r"}
        try:
            book_of([*kept, rule])
        except ValidationError as error:
            assert "tie" in str(error)  # noqa: PT017  the only way in which they can be wrong
            continue
        kept.append(rule)
    return kept

"""Rule books to lint, a few fields at a time: what a test does not name, nobody objects to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.prices import PriceBook
from billing.surcharges import RuleBook
from billing.surcharges.lints import LastMonth, Lint, UsageGroup, lint
from topics.meters import load_catalogue

MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
CLASSES = {"light": ["nw-small"], "premium": ["nw-large", "lumen-9"]}
PRICES = PriceBook.model_validate(
    {
        "version": "p1", "effective_from": "2026-01-01T00:00:00Z", "currency": "USD",
        "prices": [
            {"provider": "northwind", "model": "nw-small", "meters": {"input_tokens": "0.000001"}},
            {"provider": "northwind", "model": "nw-large", "meters": {"input_tokens": "0.00001"}},
            {"provider": "lumen", "model": "lumen-9", "meters": {"input_tokens": "0.00002"}},
        ],
        "aliases": [{"provider": "northwind", "model": "nw-large", "names": ["nw-large-2026-01-31"]}],
    }
)  # fmt: skip
TEXTS = {
    "label": "Premium drafts",
    "unit": "request",
    "reason": "Every draft costs what the AI costs and 25 % for its editing.",
}


def rule(rule_id: str = "a", kind: str = "markup", **given: Any) -> dict[str, Any]:
    """A rule of quill's, without anything to object to unless given."""
    needs = {"markup": {"percent": "25"}, "margin": {"percent": "20"}}.get(kind, {})
    if kind in ("per_unit", "unit_price"):
        needs = {"amount": "0.01", "meter": "requests"}
    return {"id": rule_id, "kind": kind, "match": {"builder": "quill"}, **TEXTS, **needs, **given}


def book(*rules: Mapping[str, Any], classes: Mapping[str, list[str]] | None = None) -> RuleBook:
    """A version with these rules."""
    return RuleBook.model_validate(
        {
            "version": "v", "effective_from": "2026-05-01T00:00:00Z",
            "model_classes": CLASSES if classes is None else classes, "rules": list(rules),
        }
    )  # fmt: skip


def group(events: int, base: str, **given: Any) -> UsageGroup:
    """Rated usage of quill's tenant north by nw-large, a request an event, all events alike unless given."""
    names = ("tenant", "workspace", "builder", "feature", "workflow", "action", "provider", "model", "mode", "route")
    tags = dict.fromkeys(names, "") | {
        "tenant": "north", "builder": "quill", "provider": "northwind", "model": "nw-large", "mode": "standard",
        "route": "primary",
    }  # fmt: skip
    tags |= {name: given.pop(name) for name in names if name in given}
    each = Decimal(base) / events
    values: dict[str, Any] = {
        "tags": tags, "meters": frozenset({"requests"}), "currency": "USD", "events": events, "rated_events": events,
        "usage": {"requests": Decimal(events), "input_tokens": Decimal(1000 * events)}, "unpriced_usage": {},
        "base_cost": Decimal(base), "base_least": each, "base_most": each,
        "usage_least": {"requests": Decimal(1)}, "usage_most": {"requests": Decimal(1)},
    }  # fmt: skip
    return UsageGroup(**values | given)


def month(*groups: UsageGroup) -> LastMonth:
    """March 2026 with this usage."""
    return LastMonth(*MARCH, groups)


def findings(
    rules: RuleBook, *, prices: PriceBook | None = PRICES, last_month: LastMonth | None = None
) -> dict[str, Lint]:
    """Code -> its finding, the last one where there are several."""
    found = lint(rules, catalogue=load_catalogue(), prices=prices, last_month=last_month)
    return {each.code: each for each in found}

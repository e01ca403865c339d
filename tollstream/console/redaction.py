"""What of an explanation each role may read. The rows are the token's own already; this is about what stands in them.

Operator  everything.
Builder   everything about its own events, but no rules that name another Builder or tenant, and nothing of who
          published the books and why: such words may name anybody.
Tenant    what was used, what creates the charge, and the charge: not what the AI costs, nor how the charge is split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from billing.explanation import Correction, UsageExplanation
from billing.publication import BookDigest
from billing.surcharges import Rule
from tollstream.console.access import Access
from tollstream.explanation.answers import EventAnswer, Found, Rated

SPLIT = ("base_cost", "provider_reward", "platform_fee", "builder_earnings")


def for_reader(answer: EventAnswer, access: Access) -> EventAnswer:
    """The answer without rules and words that are about others."""
    if access.is_operator:
        return answer
    return replace(answer, found=tuple(_found(each, access) for each in answer.found))


def _found(found: Found, access: Access) -> Found:
    return replace(found, rated=_rated(found.rated, access)) if found.rated is not None else found


def _rated(rated: Rated, access: Access) -> Rated:
    return replace(
        rated,
        prices=_book(rated.prices),
        rules=_book(rated.rules),
        explained=_explained(rated.explained, access),
        corrections=tuple(_correction(each, access) for each in rated.corrections),
    )


def _correction(each: Correction, access: Access) -> Correction:
    return replace(each, rerated=_explained(each.rerated, access))


def _explained(told: UsageExplanation | None, access: Access) -> UsageExplanation | None:
    if told is None:
        return None
    lost = tuple(each for each in told.resolution.lost if _is_own(each.rule, access))
    nearest = tuple(each for each in told.resolution.nearest if _is_own(each.rule, access))
    return replace(told, resolution=replace(told.resolution, lost=lost, nearest=nearest))


def _is_own(rule: Rule, access: Access) -> bool:
    """Whether a rule is about everybody, or about this Builder."""
    builder, tenant = rule.match.get("builder"), rule.match.get("tenant")
    if builder is None:
        return tenant is None
    return builder == access.builder and (not access.is_tenant or tenant in (None, access.tenant))


def _book(book: BookDigest | None) -> BookDigest | None:
    return replace(book, published_by="", reason="") if book is not None else None


def charges_only(row: Mapping[str, Any]) -> dict[str, Any]:
    """A ledger row of a document, as a tenant sees it."""
    amounts = row["amounts"]
    kept = (
        "row", "id", "event_time", "record_time", "window_start", "tags", "traceparent", "note", "usage",
        "unpriced_reason", "currency",
    )  # fmt: skip
    return {name: row[name] for name in kept} | {"amounts": {"customer_charge": amounts["customer_charge"]}}

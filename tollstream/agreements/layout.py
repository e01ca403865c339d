"""How agreements are printed, and what programs get of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.plans import PlanBook
from sinks.agreements import GrantRecord, PlanRecord, RateRecord
from tollstream.publishing.layout import moment


def book_words(book: PlanBook) -> str:
    """`version 2026-10 of acme's plans, from 2026-10-01 00:00:00Z, 3 plans, 812 tenants`"""
    plans, tenants = len(book.plans), len(book.subscribed)
    return (
        f"version {book.version} of {book.builder}'s plans, from {moment(book.effective_from)}, "
        f"{plans} plan{'s' * (plans != 1)}, {tenants:,} tenant{'s' * (tenants != 1)}"
    )


def plan_row(record: PlanRecord) -> dict[str, Any]:
    """For --json."""
    return {
        "builder": record.builder,
        "version": record.version,
        "effective_from": record.effective_from.isoformat(),
        "digest": record.digest,
        "number": record.sequence or None,
        "by": record.recorded_by,
        "reason": record.reason,
        "recorded_at": record.recorded_at.isoformat() if record.sequence else None,
    }


def rate_row(record: RateRecord) -> dict[str, Any]:
    """For --json."""
    return {
        "day": record.day.isoformat(),
        "base": record.base,
        "quote": record.quote,
        "rate": plain(record.rate),
        "source": record.source,
        "by": record.recorded_by,
        "reason": record.reason,
        "recorded_at": record.recorded_at.isoformat() if record.sequence else None,
    }


def grant_row(record: GrantRecord) -> dict[str, Any]:
    """For --json."""
    grant = record.grant
    return {
        "builder": record.builder,
        "tenant": grant.tenant,
        "id": grant.id,
        "kind": grant.kind,
        "unit": grant.unit,
        "currency": grant.currency,
        "quantity": plain(grant.quantity),
        "price_paid": plain(grant.price_paid),
        "granted_at": grant.granted_at.isoformat(),
        "expires_at": grant.expires_at.isoformat() if grant.expires_at else None,
        "priority": grant.priority,
        "funding": grant.funding,
        "settled": grant.settled,
        "rules": list(grant.rules),
        "label": grant.label,
        "by": record.recorded_by,
        "reason": record.reason,
    }


def plain(amount: Decimal) -> str:
    """Without zeros at the end."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text

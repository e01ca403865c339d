"""A re-rating's result and the history of re-ratings as JSON: amounts are strings, and nothing is rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from billing.money import EXACT
from billing.rerating import Outcome
from billing.windows import AMOUNT_COLUMNS
from sinks.rerates import Rerate, Rerates
from tollstream.rerating.run import Result
from tollstream.rerating.summary import SIDES, Line


def record(result: Result, *, stored: int | None = None, waited: bool = False) -> dict[str, Any]:
    """For --json."""
    summary, request, plan = result.summary, result.request, result.plan
    return {
        "applied": plan is not None,
        "rerate_id": plan.rerate_id if plan else None,
        "planned_at": plan.recorded_at.isoformat() if plan else None,
        "resumed": result.resumed,
        "from": request.start.isoformat(),
        "to": request.end.isoformat(),
        "builder": request.builder,
        "tenant": request.tenant,
        "unpriced": request.unpriced,
        "prices": request.selection.prices,
        "rules": request.selection.rules,
        "timeline": request.selection.timeline,
        "by_hand": str(request.by_hand),
        "events": {str(outcome): summary.outcomes[outcome] for outcome in Outcome},
        "adjustments": summary.changes,
        "stored": stored,
        "waited": waited,
        "totals": {currency: _amounts(line) for currency, line in summary.totals.items()},
        "lines": [
            dict(zip(("builder", "tenant", "provider", "model", "currency"), key, strict=True))
            | {"events": line.events, "rated_later": line.rated_later}
            | _amounts(line)
            for key, line in sorted(summary.lines.items())
        ],
        "left": [
            dict(zip(("outcome", "reason", "provider", "model", "mode", "region"), key, strict=True))
            | {"events": count}
            for key, count in sorted(summary.left.items())
        ],
        "retroactive": [
            {"kind": kind, "version": version, "events": events}
            for (kind, version), events in sorted(summary.retroactive.items())
        ],
        "notes": list(result.notes),
    }


def history(known: Rerates) -> list[dict[str, Any]]:
    """Every re-rating with its entries, for --json."""
    return [
        {
            "rerate_id": plan.rerate_id,
            "state": newest.state,
            "from": plan.event_time_from.isoformat(),
            "to": plan.event_time_to.isoformat(),
            "builder": plan.builder,
            "tenant": plan.tenant,
            "unpriced": plan.unpriced,
            "prices": plan.prices,
            "rules": plan.rules,
            "timeline": plan.timeline,
            "by_hand": plan.by_hand,
            "adjustments": plan.events,
            "differences": {
                currency: {name: _plain(amount) for name, amount in amounts.items()}
                for currency, amounts in plan.differences.items()
            },
            "entries": [_entry(entry) for entry in known.entries if entry.rerate_id == plan.rerate_id],
        }
        for plan, newest in known.latest()
    ]


def _entry(entry: Rerate) -> dict[str, Any]:
    return {
        "state": entry.state,
        "by": entry.by,
        "reason": entry.reason,
        "at": entry.recorded_at.isoformat(),
        "ends": {str(partition): offset for partition, offset in sorted(entry.ends.items())},
    }


def _amounts(line: Line) -> dict[str, dict[str, str]]:
    return {
        side: {name: _plain(amount) for name, amount in zip(AMOUNT_COLUMNS, getattr(line, side), strict=True)}
        for side in SIDES
    }


def _plain(amount: Decimal) -> str:
    """Without exponent and idle zeros."""
    return f"{amount.normalize(EXACT):f}" if amount else "0"

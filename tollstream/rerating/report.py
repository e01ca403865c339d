"""A re-rating's result for people, and as JSON: amounts are strings, and nothing is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from billing.money import EXACT
from billing.rerating import Outcome
from billing.windows import AMOUNT_COLUMNS
from sinks.rerates import Rerate, Rerates
from tollstream.rerating.request import FIRST, LAST
from tollstream.rerating.run import Result
from tollstream.rerating.summary import SIDES, Line

LEFT_WORDS: Mapping[Outcome, str] = {
    Outcome.WAITING: "still waits for a price",
    Outcome.UNRATED: "was billed; these books have no price for it, so it stays as it is",
    Outcome.BY_HAND: "was corrected by hand, and is left alone; --by-hand keep or replace says otherwise",
    Outcome.OTHER_CURRENCY: "was billed in another currency: void it, and publish the usage under a new id",
    Outcome.TOO_LARGE: "would come to more than one event can cost: look at its quantities and the price",
    Outcome.REUSED: "its source and id belong to a later event by now, which an adjustment would find instead",
}


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
        "notes": list(result.notes),
    }


def show(console: Console, result: Result, lines_max: int) -> None:
    """Tables, the largest differences first."""
    summary = result.summary
    ordered = sorted(summary.lines.items(), key=lambda item: (-abs(item[1].difference[0]), item[0]))
    shown = ordered[:lines_max]
    if shown:
        table = _table("Changes, by tenant and model", ("Builder", "tenant", "model", "currency", "events"))
        for (builder, tenant, provider, model, currency), line in shown:
            table.add_row(builder, tenant, f"{provider} {model}".strip(), currency, f"{line.events:,}", *_cells(line))
        console.print(table)
        if len(ordered) > len(shown):
            console.print(f"… and {len(ordered) - len(shown):,} more lines: --lines N shows more, --json all of them.")
        totals = _table("In total", ("currency", "events"))
        for currency, line in summary.totals.items():
            totals.add_row(currency, f"{line.events:,}", *_cells(line))
        console.print(totals)
    if summary.left:
        left = Table(title="Left as it is", title_justify="left")
        for heading in ("provider", "model", "mode", "region", "reason", "events", "why"):
            left.add_column(heading, overflow="fold", justify="right" if heading == "events" else "left")
        for (outcome, reason, provider, model, mode, region), count in sorted(summary.left.items()):
            left.add_row(provider, model, mode, region, reason, f"{count:,}", LEFT_WORDS[Outcome(outcome)])
        console.print(left)
    later, changed = summary.outcomes[Outcome.RATED_LATER], summary.outcomes[Outcome.CHANGED]
    console.print(
        f"{summary.outcomes[Outcome.SAME]:,} events are billed as they would be now, {changed:,} would be billed "
        f"otherwise, {later:,} that waited for a price have one.",
        highlight=False,
    )


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


def show_history(console: Console, known: Rerates) -> None:
    """One row a re-rating."""
    found = known.latest()
    table = Table(title=f"{len(found)} re-ratings", title_justify="left")
    for heading in ("id", "state", "planned", "usage", "books", "adjustments", "charge", "by", "why"):
        table.add_column(heading, overflow="fold")
    for plan, newest in found:
        charges = [f"{_plain(sums['customer_charge'])} {currency}" for currency, sums in plan.differences.items()]
        table.add_row(
            plan.rerate_id,
            newest.state,
            plan.recorded_at.isoformat(timespec="seconds"),
            _usage(plan),
            ", ".join(filter(None, (plan.prices, plan.rules, "timeline" if plan.timeline else ""))) or "as rated",
            f"{plan.events:,}",
            "\n".join(charges),
            plan.by,
            plan.reason,
        )
    console.print(table)


def _usage(plan: Rerate) -> str:
    owner = "/".join(filter(None, (plan.builder, plan.tenant))) or "all"
    everything = (plan.event_time_from, plan.event_time_to) == (FIRST, LAST)
    times = "" if everything else f", {plan.event_time_from.isoformat()} to {plan.event_time_to.isoformat()}"
    return f"{owner}{times}{', unpriced only' if plan.unpriced else ''}"


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


def _table(title: str, first: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in first:
        table.add_column(heading, overflow="fold", justify="right" if heading == "events" else "left")
    for heading in ("charge before", "charge after", "difference", "reward", "fee", "earnings"):
        table.add_column(heading, overflow="fold", justify="right")
    return table


def _cells(line: Line) -> list[str]:
    charge, *parts = line.difference
    return [_plain(line.before[0]), _plain(line.after[0]), _signed(charge), *map(_signed, parts)]


def _plain(amount: Decimal) -> str:
    """Without exponent and idle zeros."""
    return f"{amount.normalize(EXACT):f}" if amount else "0"


def _signed(amount: Decimal) -> str:
    return f"+{_plain(amount)}" if amount > 0 else _plain(amount)

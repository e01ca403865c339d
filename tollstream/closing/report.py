"""What a closing came to, or would come to: sentences and tables for people, one object for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rich.console import Console

from billing.currencies import exponent
from sinks.closings import Closing
from sinks.statements import reference_of
from tollstream.closing.rows import SUMS
from tollstream.closing.run import Preview, Result, Sums
from tollstream.explanation.words import counted
from tollstream.publishing.layout import add, say, second, table
from tollstream.rendering.document import StatementDocument
from tollstream.rendering.record import everything


def result_record(result: Result) -> dict[str, Any]:
    """For --json."""
    entry = result.entry
    return {
        "builder": entry.builder,
        "period": entry.period.label,
        "start": entry.period.start.isoformat(),
        "end": entry.period.end.isoformat(),
        "state": entry.state,
        "closing_id": entry.closing_id,
        "closed_at": entry.recorded_at.isoformat(),
        "by": entry.by,
        "attempt": entry.attempt,
        "stood_before": result.stood,
        "resumed": result.resumed,
        "statements": entry.statements,
        "first": reference_of(entry.builder, entry.first_number) if entry.statements else None,
        "last": reference_of(entry.builder, _last(entry)) if entry.statements else None,
        "tenants": entry.tenants,
        "totals": sums_record(entry.sums),
        "accepted": {kind: dict(held) for kind, held in entry.overrides.items()},
    }


def preview_record(view: Preview) -> dict[str, Any]:
    """For --json."""
    return {
        "dry_run": True,
        "builder": view.builder,
        "period": view.period.label,
        "start": view.period.start.isoformat(),
        "end": view.period.end.isoformat(),
        "problems": [{"kind": each.kind, "sentence": each.sentence} for each in view.problems],
        "missing_rates": [
            {"base": each.base, "quote": each.quote, "day": each.day.isoformat()} for each in view.missing
        ],
        "tenants": view.tenants,
        "statements": view.count,
        "first_number": view.first_number,
        "totals": sums_record(view.sums),
        "first": [json.loads(everything(StatementDocument(each))) for each in view.first],
    }


def sums_record(sums: Sums) -> dict[str, dict[str, str]]:
    """Amounts as text, with the places of their currency."""
    return {
        currency: {name: written(amount, currency) for name, amount in held.items()} for currency, held in sums.items()
    }


def show_result(console: Console, result: Result) -> None:
    """What stands."""
    entry = result.entry
    period = f"{entry.builder} {entry.period.label}"
    if result.stood:
        by = entry.by or "somebody"
        say(console, f"{period} was closed by {by} at {second(entry.recorded_at)}: this stands.")
    else:
        words = "An earlier attempt had frozen it: finished." if result.resumed else "Closed."
        say(console, f"{period}, {entry.period.start:%Y-%m-%d} to {entry.period.last_day}: {words}", style="green")
    for kind, held in entry.overrides.items():
        by = f"{held['by']}: {held['reason']}"
        say(console, f"accepted ({kind}) by {by}. {held['found']}", style="yellow")
    if not entry.statements:
        say(console, "No statements: nobody used anything, and no plan asks for anything.")
        return
    first, last = reference_of(entry.builder, entry.first_number), reference_of(entry.builder, _last(entry))
    console.print(_sums(f"{counted(entry.statements, 'statement')}, {first} to {last}", entry.sums))
    say(console, f"One of them: tollstream statement {first}")


def show_preview(console: Console, view: Preview) -> None:
    """What it would come to, what stands in the way, and the first statements in short."""
    say(console, f"Closing {view.builder} {view.period.label} would come to this; nothing was written.")
    for problem in view.problems:
        say(console, f"in the way ({problem.kind}): {problem.sentence}", style="bold red")
    for missing in view.missing:
        say(console, f"in the way (rates): {missing.text}", style="bold red")
    if not view.count:
        say(console, f"No statements of {counted(view.tenants, 'tenant')}.")
        return
    console.print(_sums(f"{counted(view.count, 'statement')} of {counted(view.tenants, 'tenant')}", view.sums))
    rows = table("the first of them", "", "tenant", "lines", "net", "tax", "due", "")
    for number, each in enumerate(view.first, view.first_number):
        amounts = [written(getattr(each.totals, name), each.currency) for name in ("net", "tax", "due")]
        add(rows, reference_of(view.builder, number), each.tenant, str(len(each.lines)), *amounts, each.currency)
    console.print(rows)


def written(amount: Decimal, currency: str) -> str:
    """An amount that is a whole number of smallest units."""
    return f"{amount:.{exponent(currency)}f}"


def _sums(title: str, sums: Mapping[str, Mapping[str, Decimal]]) -> Any:
    rows = table(title, "currency", *SUMS)
    for currency, held in sums.items():
        add(rows, currency, *(written(held[name], currency) for name in SUMS))
    return rows


def _last(entry: Closing) -> int:
    return entry.first_number + entry.statements - 1

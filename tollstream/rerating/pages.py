"""A re-rating's result and the history of re-ratings as pages of text: amounts in full, no number cut or broken.

A page fits 80 columns; where amounts are too long to stand side by side, each has a line of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import groupby

from billing.rerating import Outcome
from billing.windows import AMOUNT_COLUMNS
from sinks.rerates import Rerate, Rerates
from tollstream.explanation.layout import WIDTH, Page
from tollstream.explanation.words import NAMES, counted, money, signed, time
from tollstream.rerating.request import FIRST, LAST
from tollstream.rerating.run import Result
from tollstream.rerating.summary import Line, Summary

LEFT_WORDS: Mapping[Outcome, str] = {
    Outcome.WAITING: "Still waiting for a price",
    Outcome.UNRATED: "Billed, and these books have no price for it, so it stays as it is",
    Outcome.BY_HAND: "Corrected by hand, and left alone; --by-hand keep or replace says otherwise",
    Outcome.OTHER_CURRENCY: "Billed in another currency: void it, and publish the usage under a new id",
    Outcome.TOO_LARGE: "Would come to more than one event can cost: look at its quantities and the price",
    Outcome.REUSED: "Its source and id belong to a later event by now, which an adjustment would find instead",
}
_SIDES = ("before", "after", "change")
Emphasis = Callable[[str], str]


def result_text(result: Result, lines_max: int, *, width: int = WIDTH, emphasis: Emphasis = str) -> str:
    """What changes, the largest differences first; what that is in total; what is left alone, and why."""
    summary, page = result.summary, Page(width, emphasis)
    if summary.lines:
        _changes(page, summary, lines_max)
        for currency, line in summary.totals.items():
            _total(page, line, currency)
    if summary.left:
        _left(page, summary)
    if summary.lines or summary.left:
        page.gap()
    outcomes = summary.outcomes
    page.say(
        f"{counted(outcomes[Outcome.SAME], 'event')} billed as now, {outcomes[Outcome.CHANGED]:,} would be billed "
        f"otherwise, {outcomes[Outcome.RATED_LATER]:,} waited for a price and would have one."
    )
    for sentence in hints(summary):
        page.say(sentence)
    return page.text()


def hints(summary: Summary) -> list[str]:
    """Of each retroactive version that would price what still waits, that it has to be named."""
    return [
        f"Version {version} of the {kind} would price {counted(events, 'event')} that still "
        f"{'waits' if events == 1 else 'wait'}. It is retroactive, and used only where it is named: --{kind} {version}."
        for (kind, version), events in sorted(summary.retroactive.items())
    ]


def history_text(known: Rerates, *, width: int = WIDTH, emphasis: Emphasis = str) -> str:
    """A paragraph for each re-rating, in the order in which they were planned."""
    found, page = known.latest(), Page(width, emphasis)
    page.heading(counted(len(found), "re-rating"))
    for plan, newest in found:
        page.heading(f"{plan.rerate_id}, {newest.state}")
        page.field("planned", f"{_second(plan)} by {plan.by}: {plan.reason}")
        page.field("usage", _usage(plan))
        versions = [f"{kind} {name}" for kind, name in (("prices", plan.prices), ("rules", plan.rules)) if name]
        page.field("books", ", ".join([*versions, *(["timeline"] if plan.timeline else [])]) or "as rated")
        page.field("publishes", counted(plan.events, "adjustment"))
        for currency, sums in plan.differences.items():
            page.amount(f"change of the charge, {currency}", signed(sums["customer_charge"]), 14)
    return page.text()


def _changes(page: Page, summary: Summary, lines_max: int) -> None:
    ordered = sorted(summary.lines.items(), key=lambda item: (-abs(item[1].difference[0]), item[0]))
    page.heading("Changes of the charge, by tenant and model")
    for (builder, tenant, provider, model, currency), line in ordered[:lines_max]:
        page.gap()
        served = " / ".join(filter(None, (provider, model))) or "no model"
        page.say(f"{builder}/{tenant}, {served}: {counted(line.events, 'event')}, {currency}")
        page.amount(f"{money(line.before[0])} → {money(line.after[0])}", signed(line.difference[0]))
    if len(ordered) > lines_max:
        more = counted(len(ordered) - lines_max, "more line")
        page.gap()
        page.say(f"… and {more}: --lines N shows more, --json all of them.")


def _total(page: Page, line: Line, currency: str) -> None:
    page.heading(f"In total, {counted(line.events, 'event')}, {currency}")
    rows = [
        [NAMES[name], money(before), money(after), signed(change)]
        for name, before, after, change in zip(AMOUNT_COLUMNS, line.before, line.after, line.difference, strict=True)
    ]
    headings = ["", *_SIDES]
    if Page.table_width(headings, rows) <= page.width:
        page.table(headings, rows)
        return
    for name, *amounts in rows:
        for side, amount in zip(_SIDES, amounts, strict=True):
            page.amount(f"{name}, {side}", amount, 0)


def _left(page: Page, summary: Summary) -> None:
    page.heading("Left as it is")
    for outcome, some in groupby(sorted(summary.left.items()), key=lambda item: item[0][0]):
        page.say(f"{LEFT_WORDS[Outcome(outcome)]}:")
        for (_, reason, *served), count in some:
            words = " / ".join(filter(None, served))
            page.amount(", ".join(filter(None, (words, reason))), counted(count, "event"), 2)


def _usage(plan: Rerate) -> str:
    owner = "/".join(filter(None, (plan.builder, plan.tenant))) or "all"
    everything = (plan.event_time_from, plan.event_time_to) == (FIRST, LAST)
    times = "" if everything else f", {time(plan.event_time_from)} to {time(plan.event_time_to)}"
    return f"{owner}{times}{', unpriced only' if plan.unpriced else ''}"


def _second(plan: Rerate) -> str:
    moment = plan.recorded_at
    return time(moment - timedelta(microseconds=moment.microsecond))

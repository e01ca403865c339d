"""The cards of the page: tenants, features, models, rules, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from billing.simulation import LeftOut, Line, Outcome
from tollstream.simulation import bars, markup
from tollstream.simulation.figures import change_of, counted, money, percent_text, places_of, signed
from tollstream.simulation.report import (
    OUTCOMES,
    REASONS,
    Report,
    by_change,
    by_earnings,
    pay_less,
    pay_more,
    same,
)

SHOWN = 15  # bars at each end; every line is in the table below them
Sides = Callable[[Line], tuple[Decimal, Decimal]]  # before and after
FIGURES = ("before", "after", "change", "%")
WORSE, BETTER, NEITHER = "worse", "better", "after"  # colours of page.css


def charge(line: Line) -> tuple[Decimal, Decimal]:
    return line.before.customer_charge, line.after.customer_charge


def earnings(line: Line) -> tuple[Decimal, Decimal]:
    return line.before.builder_earnings, line.after.builder_earnings


def reward(line: Line) -> tuple[Decimal, Decimal]:
    return line.before.provider_reward, line.after.provider_reward


def tenants(lines: Sequence[Line], currency: str, places: int) -> str:
    """Who would pay most more first; who would pay most less last."""
    more, less, others = pay_more(lines), pay_less(lines), same(lines)
    first, last = more[:SHOWN], less[:SHOWN][::-1]
    return markup.section(
        "Tenants: who would pay more, who less",
        markup.paragraph(f"{len(more):,} would pay more, {len(less):,} less, {len(others):,} the same."),
        _chart("tenant", first, last, len(lines), charge, currency, places, rise=WORSE),
        _all("tenant", [*more, *others, *less[::-1]], charge, currency, places),
    )


def features(lines: Sequence[Line], currency: str, places: int) -> str:
    """What earns less than nothing first, then from the largest loss to the largest gain."""
    ordered = by_earnings(lines)
    negative = sum(line.after.builder_earnings < 0 for line in ordered)
    first, last = ordered[:SHOWN], ordered[SHOWN:][-SHOWN:]
    words = f"{negative:,} would earn less than nothing; they come first. " if negative else ""
    return markup.section(
        "Features: what their Builders would earn",
        markup.paragraph(f"{words}From the largest loss to the largest gain."),
        _chart("feature", first, last, len(lines), earnings, currency, places, rise=BETTER),
        _all("feature", ordered, earnings, currency, places),
    )


def models(lines: Sequence[Line], currency: str, places: int) -> str:
    """Where rewards change most first."""
    ordered = sorted(lines, key=lambda line: (-abs(line.change.provider_reward), line.key))
    return markup.section(
        "Models: what their providers would get",
        _chart("model", ordered[: 2 * SHOWN], [], len(lines), reward, currency, places, rise=NEITHER),
        _all("model", ordered, reward, currency, places),
    )


def rules(lines: Sequence[Line], currency: str, places: int) -> str:
    """Every rule of either side."""
    rows = []
    for line in by_change(lines):
        before, after = charge(line)
        counts = [markup.number(f"{events:,}") for events in (line.events_before, line.events_after)]
        amounts = [money(before, places), money(after, places), signed(change_of(before, after), places)]
        rows.append([markup.named(line.key), *counts, *map(markup.number, amounts)])
    headings = ("rule", "events before", "events after", "charge before", "charge after", "change")
    return markup.section(
        "Rules: which would apply",
        markup.paragraph(
            "Each event counts under the rule that charged it in the ledger, and under the one that would.", "note"
        ),
        markup.table(headings, rows, currency),
    )


def left_out(report: Report) -> str:
    """By what became of the events, most telling first."""
    events = report.comparison.events
    parts = []
    for outcome, words in OUTCOMES.items():
        if events[outcome]:
            found = [left for left in report.comparison.left_out if left.outcome is outcome]
            parts.append(f"<h3>{counted(events[outcome], 'event')} {words}</h3>")
            parts.append("" if outcome is Outcome.VOIDED else _reasons(found))
    if not parts:
        return markup.section("Left out", markup.paragraph("Nothing: every event has a price on both sides."))
    note = "What has no price on a side is not 0 there: it is counted here, and is in no sum above."
    return markup.section("Left out of both sides", markup.paragraph(note, "note"), *parts)


def _reasons(found: Sequence[LeftOut]) -> str:
    rows = [
        [
            markup.named((left.builder, left.feature)),
            f"<td>{markup.name((left.provider, left.model))}</td>",
            markup.text(REASONS.get(left.reason, left.reason)),
            markup.number(f"{left.events:,}"),
            markup.number(_amount(left.before.customer_charge, left.currency_before)),
            markup.number(_amount(left.after.customer_charge, left.currency_after)),
        ]
        for left in sorted(found, key=lambda left: -left.events)
    ]
    headings = ("Builder · feature", "provider · model", "why", "events", "charge before", "charge after")
    return markup.table(headings, rows, "", words=3)


def _amount(amount: Decimal, currency: str) -> str:
    return f"{money(amount, places_of(currency, [amount]))} {currency}" if currency else "–"


def _chart(
    what: str,
    first: Sequence[Line],
    last: Sequence[Line],
    of: int,
    sides: Sides,
    currency: str,
    places: int,
    *,
    rise: str,
) -> str:
    """A row per line: both sides as bars and figures, and the change likewise. `rise` colours an increase.

    Of all lines, `of` of them, those between `first` and `last` are only counted."""
    lines = [*first, *last]
    if not lines:
        return ""
    scale = bars.Scale.over(value for line in lines for value in sides(line))
    changes = bars.Scale.over((change_of(before, after) for before, after in map(sides, lines)), centred=True)
    rows = [_bars(line, sides, places, scale, changes, rise) for line in lines]
    if of > len(lines):
        rows.insert(len(first), [markup.across(f"{counted(of - len(lines), what)} not shown here", 7)])
    headings = (_owner(what), "", *FIGURES[:2], "", *FIGURES[2:])
    legend = markup.key((("before", "before"), ("after", "after")))
    return legend + markup.table(headings, rows, f"{currency}, rounded for reading")


def _bars(line: Line, sides: Sides, places: int, scale: bars.Scale, changes: bars.Scale, rise: str) -> markup.Row:
    before, after = sides(line)
    change = change_of(before, after)
    colour = rise if change > 0 else {WORSE: BETTER, BETTER: WORSE}.get(rise, rise) if change < 0 else NEITHER
    flag = ' <span class="flag">below zero</span>' if after < 0 else ""
    return [
        markup.named(line.key, flag),
        markup.picture(bars.pair(scale, before, after)),
        markup.number(money(before, places)),
        markup.number(money(after, places)),
        markup.picture(bars.difference(changes, change, colour), "short"),
        markup.number(signed(change, places), colour if change else ""),
        markup.number(percent_text(change, before)),
    ]


def _all(what: str, lines: Sequence[Line], sides: Sides, currency: str, places: int) -> str:
    """Every line, folded away, with what the chart has no room for."""
    rows = []
    for line in lines:
        before, after = sides(line)
        figures = [f"{line.events_after:,}", money(before, places), money(after, places)]
        figures += [signed(change_of(before, after), places), percent_text(change_of(before, after), before)]
        rows.append([markup.named(line.key), *map(markup.number, figures)])
    return markup.folded(
        f"All {counted(len(lines), what)}, with the number of events",
        markup.table((_owner(what), "events", *FIGURES), rows, f"{currency}, rounded for reading"),
    )


def _owner(what: str) -> str:
    return f"{'provider' if what == 'model' else 'Builder'} · {what}"

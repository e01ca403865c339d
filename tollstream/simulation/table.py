"""The comparison on a terminal: totals, winners and losers, rules, and what was left out. Fits 80 columns.

Amounts are rounded for reading; `--json` has them exactly, and `--html` every line.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from billing.simulation import LeftOut, Line, Outcome
from tollstream.simulation.figures import change_of, counted, money, percent_text, places_of, signed
from tollstream.simulation.period import day
from tollstream.simulation.report import (
    OUTCOMES,
    REASONS,
    Report,
    amounts_of,
    by_change,
    by_earnings,
    of_currency,
    pay_less,
    pay_more,
)

Cell = str | Text
GAP = 2  # between columns
NAME_WIDTH_MIN = 6
_FIGURES = ("before", "after", "change", "%")
PARTIES = {
    "customer_charge": "Tenants pay",
    "provider_reward": "Providers get",
    "platform_fee": "Platform keeps",
    "builder_earnings": "Builders earn",
}


def print_report(console: Console, report: Report, top: int) -> None:
    """`top` lines of each table, and how many more there are."""
    console.print(Text(headline(report), "bold"))
    if not report.events:
        console.print("There is no usage in this range: nothing to compare.")
        return
    for currency in report.currencies:
        lines = {name: of_currency(getattr(report.comparison, name), currency) for name in ("totals", "tenants")}
        [total] = lines["totals"]
        places = places_of(currency, amounts_of(total))
        _print_totals(console, total, currency, places)
        _print_tenants(console, lines["tenants"], places, top)
        _print_features(console, of_currency(report.comparison.features, currency), places, top)
        _print_rules(console, of_currency(report.comparison.rules, currency), places, top)
        if report.books.new_prices is not None:
            _print_models(console, of_currency(report.comparison.models, currency), places, top)
    sentences = left_out(report, top)
    if sentences:
        _title(console, "Left out of both sides")
        for sentence in sentences:
            console.print(Text(sentence))


def headline(report: Report) -> str:
    """What is compared, in a sentence."""
    said = []
    for kind in ("rules", "prices"):
        versions = [version for of, version, _ in report.versions if of == kind]
        new = report.books.new_rules if kind == "rules" else report.books.new_prices
        said.append(f"{'new' if new is not None else 'published'} {kind} {', '.join(versions) or '(none applies)'}")
    return f"{day(report.usage.start)} to {day(report.usage.end)} (UTC), {report.whose}: {' and '.join(said)}"


def _title(console: Console, words: str) -> None:
    console.print()
    console.print(Text(words, "bold"))


def _figures(before: Decimal, after: Decimal, places: int) -> list[Cell]:
    change = change_of(before, after)
    return [money(before, places), money(after, places), signed(change, places), percent_text(change, before)]


def _print_table(console: Console, headings: Sequence[str], rows: Sequence[Sequence[Cell]], words: int = 1) -> None:
    """The first `words` columns are text and give way; the rest are figures, and no digit of them is ever cut."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    widths = [max(len(heading), *(len(row[at]) for row in rows)) for at, heading in enumerate(headings)]
    left = console.width - sum(widths[words:]) - GAP * len(headings)
    for at, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        if at < words:
            table.add_column(heading, overflow="ellipsis", no_wrap=True, max_width=max(NAME_WIDTH_MIN, left // words))
        else:
            table.add_column(heading, justify="right", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _print_totals(console: Console, line: Line, currency: str, places: int) -> None:
    _title(console, f"{counted(line.events_after, 'event')} compared, {currency}")
    rows = [
        [words, *_figures(getattr(line.before, name), getattr(line.after, name), places)]
        for name, words in PARTIES.items()
    ]
    _print_table(console, ("", *_FIGURES), rows)


def _print_tenants(console: Console, tenants: Sequence[Line], places: int, top: int) -> None:
    more, less = pay_more(tenants), pay_less(tenants)
    same = len(tenants) - len(more) - len(less)
    _title(console, f"Tenants: {len(more):,} would pay more, {len(less):,} less, {same:,} the same")
    for lines, words in ((more, "more"), (less, "less")):
        if lines:
            rows = [
                [*map(plain, line.key), *_figures(line.before.customer_charge, line.after.customer_charge, places)]
                for line in lines[:top]
            ]
            _print_table(console, (f"pay {words}", "tenant", *_FIGURES), rows, words=2)
            _and_more(console, lines, top)


def _print_features(console: Console, features: Sequence[Line], places: int, top: int) -> None:
    lines = by_earnings(features)
    negative = [line for line in lines if line.after.builder_earnings < 0]
    said = f": {len(negative):,} less than nothing" if negative else ""
    _title(console, f"Features, by what their Builders would earn{said}")
    rows: list[list[Cell]] = []
    for line in lines[:top]:
        cells: list[Cell] = [*map(plain, line.key)]
        cells += _figures(line.before.builder_earnings, line.after.builder_earnings, places)
        rows.append([Text(str(cell), "red") for cell in cells] if line.after.builder_earnings < 0 else cells)
    _print_table(console, ("Builder", "feature", *_FIGURES), rows, words=2)
    _and_more(console, lines, top)


def _print_rules(console: Console, lines: Sequence[Line], places: int, top: int) -> None:
    ordered = by_change(lines)
    _title(console, "Rules, by what they charge")
    rows = []
    for line in ordered[:top]:
        events = f"{line.events_before:,}", f"→ {line.events_after:,}"
        figures = _figures(line.before.customer_charge, line.after.customer_charge, places)[:3]
        rows.append([plain(line.key[0]), *events, *figures])
    _print_table(console, ("rule", "events", "", *_FIGURES[:3]), rows)
    _and_more(console, ordered, top)


def _print_models(console: Console, lines: Sequence[Line], places: int, top: int) -> None:
    ordered = sorted(lines, key=lambda line: (-abs(line.change.provider_reward), line.key))
    _title(console, "Models, by what their providers get")
    rows = [
        [*map(plain, line.key), *_figures(line.before.provider_reward, line.after.provider_reward, places)]
        for line in ordered[:top]
    ]
    _print_table(console, ("provider", "model", *_FIGURES), rows, words=2)
    _and_more(console, ordered, top)


def _and_more(console: Console, lines: Sequence[Line], top: int) -> None:
    if len(lines) > top:
        console.print(Text(f"and {len(lines) - top:,} more", "dim"))


def plain(name: str) -> Text:
    """A tag as it is: no markup is read into it, and an empty one says so."""
    return Text(name) if name else Text("(none)", "dim")


def left_out(report: Report, top: int) -> list[str]:
    """Sentences about events that are on neither side; none when there are none."""
    found = []
    for outcome, words in OUTCOMES.items():
        if report.comparison.events[outcome]:
            found.append(f"{counted(report.comparison.events[outcome], 'event')} {words}")
            groups = [left for left in report.comparison.left_out if left.outcome is outcome]
            if outcome is not Outcome.VOIDED:
                found += _groups(groups, top)
    return found


def _groups(groups: Sequence[LeftOut], top: int) -> list[str]:
    found = []
    for left in sorted(groups, key=lambda left: -left.events)[:top]:
        tags = (("Builder", left.builder), ("feature", left.feature), ("model", f"{left.provider}/{left.model}"))
        named = ", ".join(f"{name} {value}" for name, value in tags if value.strip("/"))
        sides = (("so far", left.currency_before, left.before), ("then", left.currency_after, left.after))
        amounts = "; ".join(
            f"{side} {money(sums.customer_charge, places_of(currency, [sums.customer_charge]))} {currency}"
            for side, currency, sums in sides
            if currency
        )
        reason = f": {REASONS.get(left.reason, left.reason)}" if left.reason else ""
        found.append(f"  {left.events:,}: {named}{reason}{f' ({amounts})' if amounts else ''}")
    if len(groups) > top:
        found.append(f"  and {len(groups) - top:,} more kinds")
    return found

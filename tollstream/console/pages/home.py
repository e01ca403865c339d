"""The overview: this month's money and what needs somebody's attention. A tenant begins at its own usage."""

from __future__ import annotations

from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Column,
    Notice,
    Page,
    Section,
    Tile,
    Tiles,
    amount,
    count,
    tabled,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.pages.earnings import earnings_table
from tollstream.console.pages.usage import tenant_usage
from tollstream.console.queries import quarantine, statements, usage
from tollstream.console.view import View

WORST, PERIODS = 5, 6


async def home(view: View) -> Page:
    """The first page."""
    if view.access.is_tenant:
        return await tenant_usage(view)
    span = view.span
    blocks: list[Block] = [view.months()]
    moments = await view.ask(usage.moments, view.builder, "", span)
    sums = usage.sums(moments)
    if not sums:
        blocks.append(Notice(await parts.nothing_in(view, "usage")))
    for each in sums:
        blocks.append(parts.split_tiles(each, view))
        figure = parts.by_time(moments, span, each.currency, "customer_charge", "What customers pay")
        if figure or parts.split_figure(each):
            blocks.append(Section(f"In {each.currency}", [*parts.split_figure(each), *figure]))
    blocks.append(Tiles(await _attention(view, sum(each.unpriced for each in sums))))
    if sums:
        worst = await view.ask(usage.groups, "feature", view.builder, "", span, "earnings", "", WORST)
        negative = [each for each in worst if each.earnings < 0]
        if negative:
            words = "These features earn less than nothing: what they charge is below what the AI costs."
            more = to("/earnings", builder=view.builder, period=span.label)
            table = earnings_table(negative, "feature", view, "The features with the lowest earnings")
            blocks.append(
                Section("Negative margins first", [table, Notice("All of them:", href=more, link="earnings")], words)
            )
    if view.access.is_operator and not view.builder:
        blocks.append(await _builders(view))
    blocks.append(await _periods(view))
    title = f"{view.access.builder or view.builder or 'All Builders'}, {span.words}"
    return Page(title, blocks, "home")


async def _attention(view: View, unpriced: int) -> list[Tile]:
    tiles = [parts.unpriced_tile(unpriced, view)]
    if view.access.is_operator:
        reasons = await view.ask(quarantine.letter_reasons)
        letters = sum(each["letters"] for each in reasons)
        words = f"{figures.counted(len(reasons), 'reason')}, all periods" if letters else "every event could be read"
        css = "worse" if letters else ""
        tiles.append(Tile("Dead letters", f"{letters:,}", note=words, href="/dead-letters" if letters else "", css=css))
    return tiles


async def _builders(view: View) -> Section:
    span = view.span
    found = await view.ask(usage.groups, "builder", "", "", span, "charge", "", 100)
    scale = charts.scale_of(each.earnings for each in found)
    rows = [
        [
            Cell(each.key[0], to("/", builder=each.key[0], period=span.label)),
            Cell(each.currency),
            count(each.tenants),
            amount(each.charge, each.currency),
            amount(each.earnings, each.currency),
            Cell(picture=charts.bar(scale, each.earnings, "" if each.earnings < 0 else "earnings")),
        ]
        for each in found
    ]
    columns = [
        Column("Builder"), Column("Currency"), Column("Customers", NUMBER), Column("Customers pay", NUMBER),
        Column("Builder earns", NUMBER), Column("Earnings as a bar"),
    ]  # fmt: skip
    return Section("Builders", [tabled(f"{span.words}, the largest first", columns, rows, "No Builder has usage.")])


async def _periods(view: View) -> Section:
    found = await view.ask(statements.closed_periods, view.builder, PERIODS)
    rows = []
    for each in found:
        address = to("/statements", builder=each.builder, period=each.period)
        due = [
            f"{figures.money(sums['due'], code)} {code}" for code, sums in sorted(each.sums.items()) if "due" in sums
        ]
        rows.append(
            [
                Cell(f"{each.builder}, {each.period}", address),
                count(each.statements),
                Cell(", ".join(due) or figures.NONE, css=NUMBER),
                Cell(figures.time(each.closed_at)),
            ]
        )
    columns = [Column("Period"), Column("Statements", NUMBER), Column("Due in all", NUMBER), Column("Closed")]
    empty = "No period is closed yet: tollstream close makes statements."
    return Section("Closed periods", [tabled("The newest first", columns, rows, empty)])

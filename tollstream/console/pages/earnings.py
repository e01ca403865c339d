"""What Builders earn, and with what margin: by feature, model or customer, the lowest first."""

from __future__ import annotations

from collections.abc import Sequence

from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Choice,
    Column,
    Links,
    Notice,
    Page,
    Section,
    Table,
    count,
    tabled,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.queries import usage
from tollstream.console.queries.usage import Group, GroupName
from tollstream.console.view import ROWS, NotFoundError, View

BY: dict[str, GroupName] = {"feature": "feature", "model": "model", "customer": "tenant"}


async def page(view: View) -> Page:
    """`/earnings`."""
    chosen = view.text("by") or "feature"
    if chosen not in BY:
        raise NotFoundError
    span, search, narrowed = view.span, view.text("search"), _narrowed(view)
    found = await view.ask(
        usage.groups, BY[chosen], view.builder, "", span, "earnings", search, ROWS + 1, view.skip, False, narrowed
    )
    shown = found[:ROWS]
    moments = await view.ask(usage.moments, view.builder, "", span, BY[chosen], search, narrowed)
    sums = usage.sums(moments)
    form = await parts.choose(view, "/earnings", Choice("search", f"{chosen.capitalize()} begins with", search))
    tabs = [(f"By {name}", "" if name == chosen else view.here(by=name, search=None, page=None)) for name in BY]
    blocks: list[Block] = [view.months(), form, Links("Kinds of rows", tabs)]
    if not sums:
        blocks.append(Notice(await parts.nothing_in(view, "usage")))
    for each in sums:
        blocks.append(parts.split_tiles(each, view))
        blocks += parts.by_time(moments, span, each.currency, "builder_earnings", "What Builders earn", "earnings")
    if shown:
        table = earnings_table(shown, chosen, view, f"By {chosen}, the lowest earnings first")
        pages = view.pager(len(shown), len(found) > ROWS, "rows")
        blocks += [view.places(), Section(f"By {chosen}", [table, *pages], _note(shown))]
    about = (
        "Earnings are what is left of the charge after what the AI costs: providers' rewards and the platform's fee."
    )
    of, crumbs = "", list[tuple[str, str]]()
    if narrowed:
        of = f" of {parts.name_of(narrowed.values())}"
        crumbs = [("Earnings", to("/earnings", builder=view.builder, period=span.label))]
    return Page(f"Earnings{of}, {span.words}", blocks, "earnings", about, crumbs)


def _narrowed(view: View) -> dict[str, str]:
    """The feature or model that somebody clicked: the page is about its usage alone."""
    return {name: value for name in usage.TAGS if (value := view.text(name))}


def _down(each: Group, by: str, view: View) -> str:
    """Where a row comes from: a feature's or a model's customers, and a customer's uses; "" where a tag is missing."""
    builder, *own = each.key
    if by == "customer":
        return to("/usage", builder=builder, tenant=own[0], period=view.span.label)
    tags = dict(zip(usage.GROUPS[BY[by]][1:], own, strict=True))
    if not all(own):
        return ""
    return to("/earnings", by="customer", builder=builder, period=view.span.label, **{**_narrowed(view), **tags})


def _note(shown: Sequence[Group]) -> str:
    negative = sum(each.earnings < 0 for each in shown)
    if not negative:
        return "No negative margin here."
    return f"{figures.counted(negative, 'row')} of these below zero: the Builder pays for that usage."


def earnings_table(found: Sequence[Group], by: str, view: View, caption: str) -> Table:
    """Charge, cost, earnings and margin of each row."""
    scale = charts.scale_of(each.earnings for each in found)
    rows = []
    for each in found:
        own = each.key if not view.builder else each.key[1:]
        cost = each.reward + each.fee
        rows.append(
            [
                Cell(parts.name_of(own), _down(each, by, view)),
                count(each.events),
                parts.sum_of(each.charge, each, view),
                parts.sum_of(cost, each, view),
                parts.sum_of(each.earnings, each, view),
                Cell(each.currency),
                Cell(
                    figures.percent(each.earnings, each.charge), css=f"{NUMBER} {'worse' if each.earnings < 0 else ''}"
                ),
                Cell(picture=charts.bar(scale, each.earnings, "worse" if each.earnings < 0 else "earnings")),
            ]
        )
    columns = [
        Column(by.capitalize()), Column("Events", NUMBER), Column("Customers pay", NUMBER),
        Column("The AI costs", NUMBER), Column("Earnings", NUMBER), Column("Currency"), Column("Margin", NUMBER),
        Column("As a bar"),
    ]  # fmt: skip
    return tabled(caption, columns, rows)

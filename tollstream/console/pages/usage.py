"""Live usage: who used how much this month, and of one tenant what for, day by day, down to the events."""

from __future__ import annotations

from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Choice,
    Column,
    Notice,
    Page,
    Section,
    count,
    tabled,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.pages.balance import balance
from tollstream.console.queries import labels, usage
from tollstream.console.queries.usage import Group
from tollstream.console.view import ROWS, NotFoundError, View

USES_MAX = 200
ORDERS = (("charge", "what they pay"), ("events", "events"), ("earnings", "lowest earnings"))


async def page(view: View) -> Page:
    """`/usage`: all tenants, or with `tenant` one."""
    if view.tenant:
        return await tenant_usage(view)
    order = view.text("order") or "charge"
    if order not in dict(ORDERS):
        raise NotFoundError
    search = view.text("search")
    found = await view.ask(usage.groups, "tenant", view.builder, "", view.span, order, search, ROWS + 1, view.skip)
    shown = found[:ROWS]
    form = await parts.choose(
        view, "/usage", Choice("search", "Customer begins with", search), Choice("order", "Order by", order, ORDERS)
    )
    scale = charts.scale_of(each.charge for each in shown)
    rows = [
        [
            Cell(
                each.key[1],
                to("/usage", builder=each.key[0], tenant=each.key[1], period=view.span.label),
                note=_of(each, view),
            ),
            count(each.events),
            count(each.unpriced, css="worse" if each.unpriced else ""),
            parts.sum_of(each.charge, each, view),
            Cell(each.currency),
            Cell(picture=charts.bar(scale, each.charge)),
        ]
        for each in shown
    ]
    columns = [
        Column("Customer"), Column("Events", NUMBER), Column("Unpriced", NUMBER), Column("Pays", NUMBER),
        Column("Currency"), Column("As a bar"),
    ]  # fmt: skip
    empty = await parts.nothing_in(view, "usage") if not shown else ""
    table = tabled(f"Customers in {view.span.words}, as usage stands now", columns, rows, empty)
    blocks: list[Block] = [view.months(), form, view.places()]
    blocks.append(Section("Customers", [table, *view.pager(len(shown), len(found) > ROWS, "customers")]))
    return Page(f"Usage, {view.span.words}", blocks, "usage")


def _of(each: Group, view: View) -> str:
    return each.key[0] if not view.builder else ""


async def tenant_usage(view: View) -> Page:
    """What one tenant used, and what it comes to so far."""
    span, builder, tenant = view.span, view.builder, view.tenant
    if not builder:
        raise NotFoundError
    moments = await view.ask(usage.moments, builder, tenant, span)
    sums = usage.sums(moments)
    blocks: list[Block] = [view.months()]
    if not sums:
        newest = await view.ask(usage.newest_month, builder, tenant)
        if not newest and not view.access.is_tenant:
            raise NotFoundError
        blocks.append(Notice(await parts.nothing_in(view, "usage")))
    for each in sums:
        blocks.append(parts.split_tiles(each, view))
        blocks += parts.by_time(moments, span, each.currency, "customer_charge", "Charge")
    unpriced = sum(each.unpriced for each in sums)
    if unpriced:
        events = figures.counted(unpriced, "event")
        waits = f"{events} without a price yet: in no amount here, and billed once there is one."
        blocks.append(Notice(waits, "worse"))
    if sums:
        blocks.append(view.places())
        blocks.append(await _uses(view))
    if span.start <= view.now < span.end:
        blocks += await balance(view)
    words = "Charges by use, before the plan: fees, allowances, credits and taxes come with the statement."
    crumbs = [] if view.access.is_tenant else [("Usage", to("/usage", builder=builder, period=span.label))]
    place = "home" if view.access.is_tenant else "usage"
    title = f"{tenant}, {span.words}" if not view.access.is_tenant else f"Your usage, {span.words}"
    return Page(title, blocks, place, words, crumbs)


async def _uses(view: View) -> Section:
    found = await view.ask(
        usage.groups, "use", view.builder, view.tenant, view.span, "charge", "", USES_MAX + 1, 0, True
    )
    words = await view.ask(labels.labels, {each.key[0] for each in found})
    scale = charts.scale_of(each.charge for each in found)
    rows = []
    for each in found[:USES_MAX]:
        rule, feature, provider, model = each.key
        label = words[rule][0] if rule in words else rule or "without a rule yet"
        served = " ".join(part for part in (provider, model) if part)
        where = ", ".join(part for part in (feature, served) if part)
        narrowed = {"rule_id": rule, "feature": feature, "provider": provider, "model": model}
        down = parts.explain(view.builder, view.tenant, narrowed, period=view.span.label, currency=each.currency)
        rows.append(
            [
                Cell(label, note=where),
                count(each.events),
                Cell(parts.meters(each.usage), css="soft"),
                parts.sum_of(each.charge, each, view, down),
                Cell(each.currency),
                Cell(picture=charts.bar(scale, each.charge)),
            ]
        )
    columns = [
        Column("What for"), Column("Events", NUMBER), Column("How much"), Column("Charge", NUMBER), Column("Currency"),
        Column("As a bar"),
    ]  # fmt: skip
    note = "Click a charge to see which hours and which events it comes from."
    if len(found) > USES_MAX:
        note += f" The {USES_MAX} largest are shown."
    return Section("What it was used for", [tabled(f"In {view.span.words}", columns, rows)], note)

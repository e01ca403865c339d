"""Payouts to Builders, and rewards to providers: two pages, two tables, never one number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from tollstream.console import charts, figures
from tollstream.console.blocks import (
    NUMBER,
    Block,
    Cell,
    Column,
    Facts,
    Notice,
    Page,
    Section,
    Table,
    Tiles,
    amount,
    count,
    tabled,
    tile,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.queries import payouts, usage
from tollstream.console.queries.payouts import PAYOUT, REWARD, PaidOut
from tollstream.console.view import ROWS, NotFoundError, View

KINDS = {
    "gross": "Gross earnings",
    "funded": "Allowances that the Builder funds",
    "refund": "Refunds and credit notes",
    "chargeback": "Chargebacks",
    "carried_in": "Carried over from before",
    "carried_out": "Carried over to the next payout",
}


async def page(view: View) -> Page:
    """`/payouts`."""
    found = await view.ask(payouts.payouts, PAYOUT, view.builder, "", ROWS + 1, view.skip)
    shown = found[:ROWS]
    blocks: list[Block] = []
    if view.access.is_operator:
        blocks.append(await parts.choose(view, "/payouts", period=False))
    empty = "No payout was decided yet: tollstream payouts makes them from closed periods."
    table = _table(shown, "Payouts to Builders, the newest period first", "Builder", empty)
    blocks.append(Section("Payouts", [table, *view.pager(len(shown), len(found) > ROWS, "payouts")]))
    return Page(
        "Payouts", blocks, "payouts", "What Builders are paid of their earnings. Providers' rewards stand apart."
    )


def _table(shown: Sequence[PaidOut], caption: str, party: str, empty: str) -> Table:
    scale = charts.scale_of(each.amount for each in shown)
    rows = [
        [
            Cell(each.payout_id, to("/payout", builder=each.builder, id=each.payout_id)),
            Cell(each.party),
            Cell(each.period),
            amount(each.amount, each.currency),
            amount(each.carried, each.currency),
            Cell(each.currency),
            Cell(f"{each.due_at:%Y-%m-%d}"),
            Cell("paid" if each.paid_at else "open", note=each.reference),
            Cell(picture=charts.bar(scale, each.amount, "earnings" if each.kind == PAYOUT else "reward")),
        ]
        for each in shown
    ]
    columns = [
        Column("Number"), Column(party), Column("Period"), Column("Amount", NUMBER), Column("Carried over", NUMBER),
        Column("Currency"), Column("Due from"), Column("State"), Column("As a bar"),
    ]  # fmt: skip
    return tabled(caption, columns, rows, empty)


async def payout(view: View) -> Page:
    """`/payout`: one, with the lines it is made of."""
    name = view.text("id")
    if not name or not (view.builder or view.access.is_operator):
        raise NotFoundError
    found = [each for kind in (PAYOUT, REWARD) for each in await view.ask(payouts.payouts, kind, view.builder, name, 1)]
    if not found:
        raise NotFoundError
    each = found[0]
    kind, place = ("Payout", "payouts") if each.kind == PAYOUT else ("Reward", "rewards")
    blocks: list[Block] = [
        Tiles(
            [
                tile("Paid out" if each.paid_at else "To be paid", each.amount, each.currency, css="better"),
                tile("Carried over", each.carried, each.currency, note="netted with the next one"),
            ]
        )
    ]
    blocks += _document(each, view)
    paid = f"{figures.time(each.paid_at)}, as {each.reference}" if each.paid_at else "not yet"
    facts = [
        ("To", Cell(each.party)), ("Period", Cell(each.period)), ("May be paid from", Cell(figures.time(each.due_at))),
        ("Paid", Cell(paid)), ("Decided", Cell(f"{figures.time(each.recorded_at)}, by {each.recorded_by}")),
        ("Why", Cell(each.reason)),
    ]  # fmt: skip
    blocks.append(Section("About it", [Facts(facts)]))
    return Page(f"{kind} {each.payout_id}", blocks, place, f"{each.party}, {each.period}", [(f"{kind}s", f"/{place}")])


def _document(each: PaidOut, view: View) -> list[Block]:
    """Its lines, where the document has lines as payouts have them."""
    try:
        lines = json.loads(each.document).get("lines", [])
        found = [
            (str(line.get("kind") or line.get("builder", "")), str(line.get("refers_to", "")), *_amounts(line))
            for line in lines
        ]
    except (ValueError, AttributeError, InvalidOperation):
        return [Notice("Its document cannot be read.", "worse")]
    scale = charts.scale_of(exact for _, _, exact, _ in found)
    rows = [
        [
            Cell(KINDS.get(kind, kind), note=refers_to),
            amount(rounded, each.currency),
            amount(exact, each.currency, all_places=True),
            Cell(picture=charts.bar(scale, exact)),
        ]
        for kind, refers_to, exact, rounded in found
    ]
    columns = [Column("What"), Column("Amount", NUMBER), Column("Exactly", NUMBER), Column("As a bar")]
    foot = [Cell("In all"), amount(each.amount, each.currency), Cell("", css="none"), Cell("", css="none")]
    table = tabled(f"In {each.currency}; the lines add up to the amount", columns, rows, "It has no lines.", foot)
    return [Section("Lines", [table])]


def _amounts(line: dict[str, Any]) -> tuple[Decimal, Decimal]:
    exact = Decimal(str(line.get("exact", line.get("amount", "0"))))
    return exact, Decimal(str(line.get("amount", exact)))


async def rewards(view: View) -> Page:
    """`/rewards`: what providers get for usage of the period, and their reward statements."""
    span = view.span
    moments = await view.ask(usage.moments, view.builder, "", span)
    sums = usage.sums(moments)
    found = await view.ask(usage.groups, "provider", view.builder, "", span, "reward", "", ROWS + 1, view.skip)
    shown = found[:ROWS]
    blocks: list[Block] = [view.months(), await parts.choose(view, "/rewards")]
    if not sums:
        blocks.append(Notice(await parts.nothing_in(view, "usage")))
    for each in sums:
        events = figures.counted(each.events, "event")
        blocks.append(Tiles([tile("Provider rewards", each.reward, each.currency, note=events)]))
        blocks += parts.by_time(moments, span, each.currency, "provider_reward", "Rewards", "reward")
    scale = charts.scale_of(each.reward for each in shown)
    rows = [
        [
            Cell(each.key[0] or "no provider", note=each.key[1]),
            count(each.events),
            parts.sum_of(each.reward, each, view),
            Cell(each.currency),
            Cell(picture=charts.bar(scale, each.reward, "reward")),
        ]
        for each in shown
    ]
    columns = [
        Column("Provider"), Column("Events", NUMBER), Column("Reward", NUMBER), Column("Currency"), Column("As a bar"),
    ]  # fmt: skip
    if shown:
        table = tabled(f"In {span.words}, by model, as usage stands now", columns, rows)
        pages = view.pager(len(shown), len(found) > ROWS, "models")
        blocks += [view.places(), Section("By provider and model", [table, *pages])]
    if view.access.is_operator:  # a reward statement is of all Builders
        decided = await view.ask(payouts.payouts, REWARD, "", "", ROWS)
        empty = "No reward was decided yet: tollstream rewards makes them from closed periods."
        blocks.append(Section("Reward statements", [_table(decided, "The newest period first", "Provider", empty)]))
    about = "What providers get for serving. Builders' earnings are another page, and no number is both."
    return Page(f"Provider rewards, {span.words}", blocks, "rewards", about)

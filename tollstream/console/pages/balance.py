"""The live balance of a tenant: what its statement would say if the period ended now, by the closing's arithmetic."""

from __future__ import annotations

import logging

from billing.errors import BillingError
from billing.statements import Statement
from tollstream.balances.outlook import outlook_of
from tollstream.balances.reading import Balance, LiveBalances
from tollstream.closing.freezing import read_cut
from tollstream.console import charts, figures
from tollstream.console.blocks import BETTER, NUMBER, Block, Cell, Column, Notice, Section, Table, amount
from tollstream.console.view import View
from tollstream.errors import UserError

_log = logging.getLogger(__name__)


async def balance(view: View) -> list[Block]:
    """Lines so far, allowances, credits and cap; nothing where the Builder has no plans."""
    live = LiveBalances(view.client)
    try:
        known = await live.known(view.builder)
        outlook = outlook_of(known, await read_cut(live.store), view.now)
        found = [each async for portion in live.read(outlook, [view.tenant]) for each in portion]
    except (UserError, BillingError) as error:
        _log.info("no balance of %s/%s: %s", view.builder, view.tenant, error)
        return []
    return [_section(each, outlook.running.label, outlook.overdue) for each in found]


def _section(found: Balance, label: str, overdue: tuple[str, ...]) -> Section:
    made = found.statement
    heading = f"The statement of {label}, so far"
    if made is None:
        return Section(heading, [Notice(f"It cannot be made yet: {found.refusal}", "worse")])
    note = "What would be due if nothing more came in: plan, allowances, credits and taxes included."
    if overdue:
        note += f" Not closed yet: {', '.join(overdue)}; what these use of credits is counted."
    blocks: list[Block] = [_lines(made)]
    if made.standings:
        blocks.append(standings(made, "What is used of it by now"))
    return Section(heading, blocks, note)


def _lines(made: Statement) -> Table:
    rows = [
        [
            Cell(line.label, note=line.reason),
            Cell(
                f"{figures.quantity(line.quantity)} {line.unit}" if line.quantity is not None else "",
                css=NUMBER if line.quantity is not None else f"{NUMBER} none",
            ),
            amount(line.amount, made.currency, css=BETTER if line.amount < 0 else ""),
        ]
        for line in made.lines
    ]
    foot = [Cell("Due so far"), Cell("", css="none"), amount(made.totals.due, made.currency)]
    columns = [Column("What"), Column("How much", NUMBER), Column(f"Amount in {made.currency}", NUMBER)]
    return Table("Not issued: amounts change with usage", columns, rows, "Nothing so far.", foot)


def standings(made: Statement, caption: str) -> Table:
    """Allowances, credits and the cap: how much is used."""
    rows = []
    for each in made.standings:
        is_money = len(each.unit) == 3 and each.unit.isupper()
        used, limit = (
            figures.money(value, each.unit) if is_money else figures.quantity(value)
            for value in (each.used, each.limit)
        )
        colour = "worse" if each.used > each.limit else ""
        rows.append(
            [
                Cell(each.label, note=each.kind),
                Cell(f"{used} of {limit}", css=NUMBER),
                Cell(each.unit if is_money else figures.words(each.unit)),
                Cell(figures.percent(each.used, each.limit), css=f"{NUMBER} {colour}".strip()),
                Cell(picture=charts.gauge(each.used, each.limit)),
            ]
        )
    columns = [Column("What"), Column("Used", NUMBER), Column("Unit"), Column("Part", NUMBER), Column("As a bar")]
    return Table(caption, columns, rows)

"""Statements: which were issued, and one of them with every line, what each comes from, and its other forms."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from decimal import Decimal

from aiohttp import web

from billing.statements import StatementLine
from sinks.statements import StatementHead, StoredStatement
from tollstream.console import charts, figures
from tollstream.console.blocks import (
    BETTER,
    NUMBER,
    Block,
    Cell,
    Choice,
    Column,
    Facts,
    Links,
    Notice,
    Page,
    Section,
    Table,
    Tiles,
    amount,
    tabled,
    tile,
    to,
)
from tollstream.console.pages import parts
from tollstream.console.pages.balance import standings
from tollstream.console.queries import statements
from tollstream.console.queries.statements import ClosedPeriod
from tollstream.console.view import ROWS, NotFoundError, View
from tollstream.rendering import Form, StatementDocument, file_name, render
from tollstream.rendering import figures as documents
from tollstream.rendering.record import RecordError, parse

NUMBER_MAX = 10**15
FORMS = (
    (Form.HTML, "As a page to print"), (Form.PDF, "PDF"), (Form.CSV, "CSV"), (Form.JSON, "JSON"), (Form.FOCUS, "FOCUS"),
)  # fmt: skip
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


async def page(view: View) -> Page:
    """`/statements`: the list."""
    period, search = view.text("period"), view.text("search")
    periods = await view.ask(statements.closed_periods, view.builder)
    found = await view.ask(statements.heads, view.builder, view.tenant, period, search, ROWS + 1, view.skip)
    shown = found[:ROWS]
    blocks: list[Block] = []
    if not view.access.is_tenant:
        labels = list(dict.fromkeys(each.period for each in periods))
        form = await parts.choose(
            view,
            "/statements",
            Choice("period", "Period", period, [("", "all closed ones"), *((label, label) for label in labels)]),
            Choice("search", "Customer begins with", search),
            period=False,
        )
        blocks += [form, *_closed(periods, period, view)]
    empty = "No statement yet: they are made when a period is closed."
    table = _heads(shown, view, empty)
    blocks.append(Section("Statements", [table, *view.pager(len(shown), len(found) > ROWS, "statements")]))
    return Page("Statements" if not view.access.is_tenant else "Your statements", blocks, "statements")


def _closed(periods: Sequence[ClosedPeriod], period: str, view: View) -> list[Block]:
    """What a period's statements come to, where one is chosen."""
    if not (period and view.builder):
        return []
    found: list[Block] = []
    for each in periods:
        if each.period != period:
            continue
        for currency, sums in sorted(each.sums.items()):
            tiles = [
                tile(label, sums[name], currency, note=note)
                for name, label, note in (
                    ("net", "Net", figures.counted(each.statements, "statement")),
                    ("tax", "Tax", "by the rates given for tenants"),
                    ("paid", "Paid already", "when top-ups were bought"),
                    ("due", "Due", "what customers are asked for"),
                )
                if name in sums
            ]
            found.append(Tiles(tiles))
    return found


def _heads(shown: Sequence[StatementHead], view: View, empty: str) -> Table:
    scale = charts.scale_of(each.due for each in shown)
    rows = [
        [
            Cell(each.reference, to("/statement", builder=each.builder, number=each.number)),
            *([] if view.access.is_tenant else [Cell(each.tenant)]),
            Cell(each.period),
            Cell(f"{each.issued_at:%Y-%m-%d}"),
            amount(each.total, each.currency),
            amount(each.due, each.currency),
            Cell(each.currency),
            Cell(picture=charts.bar(scale, each.due)),
        ]
        for each in shown
    ]
    columns = [
        Column("Number"), *([] if view.access.is_tenant else [Column("Customer")]), Column("Period"), Column("Issued"),
        Column("Total", NUMBER), Column("Due", NUMBER), Column("Currency"), Column("Due as a bar"),
    ]  # fmt: skip
    return tabled("The newest period first", columns, rows, empty)


async def _found(view: View) -> tuple[StoredStatement, StatementDocument]:
    if not view.builder:
        raise NotFoundError
    stored = await view.ask(statements.statement, view.builder, view.number("number", 1, NUMBER_MAX))
    if stored is None:
        raise NotFoundError
    return stored, parse(stored.document)


async def document(view: View) -> web.Response:
    """`/statement/document`: one of its forms, as a file, or as a page of its own."""
    try:
        form = Form(view.text("form"))
    except ValueError:
        raise NotFoundError from None
    _, found = await _found(view)
    content = await view.client.run(render, found, form)
    headers = {"Content-Type": form.media_type}
    if form is Form.HTML:
        style = _STYLE.search(content)
        digest = base64.b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode()
        headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
    else:
        headers["Content-Disposition"] = f'attachment; filename="{file_name(found, form)}"'
    return web.Response(body=content, headers=headers)


async def statement(view: View) -> Page:
    """`/statement`: one, line by line."""
    crumbs = [("Statements", to("/statements", builder=view.builder if view.access.is_operator else ""))]
    try:
        stored, found = await _found(view)
    except RecordError as error:
        return Page("A statement", [Notice(f"It cannot be shown: {error}", "worse")], "statements", "", crumbs, 500)
    head = stored.head
    periods = {each.period: each for each in await view.ask(statements.closed_periods, head.builder)}
    this = head.currency
    blocks: list[Block] = [
        Tiles(
            [
                tile("Due", head.due, this, note="in your favour" if head.due < 0 else "", css="better"),
                tile("Total", head.total, this, note=f"of it tax {figures.money(head.tax, this)}"),
                tile("Net", head.net, this, note=f"the sum of {figures.counted(head.lines, 'line')}"),
            ]
        ),
        Links("Other forms", [(words, _form(head, form)) for form, words in FORMS]),
        view.places(),
        Section(
            "Lines",
            [_lines(found, head, periods, view)],
            "Click an amount to see which windows and which events it comes from.",
        ),
    ]
    if found.statement.standings:
        blocks.append(Section("What is used", [standings(found.statement, "At the end of the period")]))
    notes = await view.ask(statements.notes_on, head.builder, head.reference)
    if notes:
        blocks.append(
            Section("Since then", [_notes(notes, view)], "Credit notes and the like correct a statement; it stays.")
        )
    if not view.access.is_tenant:
        postings = await view.ask(statements.postings_of, head.builder, head.tenant, head.reference)
        blocks.append(Section("Who gets what", [_postings(postings)], _BALANCE, open=False))
    blocks.append(
        Section(
            "About this statement",
            [
                Facts(
                    [
                        ("Number", Cell(head.reference)),
                        ("Customer", Cell(found.tenant_name)),
                        ("From", Cell(found.builder_name)),
                        (
                            "Period",
                            Cell(
                                f"{head.period}: {figures.time(head.period_start)} to {figures.time(head.period_end)}"
                            ),
                        ),
                        ("Issued", Cell(figures.time(head.issued_at))),
                    ]
                )
            ],
        )
    )
    return Page(f"Statement {head.reference}", blocks, "statements", f"{found.tenant_name}, {head.period}", crumbs)


_BALANCE = (
    "Postings of this statement: above 0 somebody owes it, below 0 it is owed. In every currency they add up to 0."
)


def _form(head: StatementHead, form: Form) -> str:
    return to("/statement/document", builder=head.builder, number=head.number, form=form)


def _lines(found: StatementDocument, head: StatementHead, periods: dict[str, ClosedPeriod], view: View) -> Table:
    statement, exact = found.statement, view.all_places
    rows = []
    for number, line in enumerate(statement.lines):
        href = _down(line, number, head, periods)
        shown = line.exact if exact else line.amount
        counted = f"{figures.quantity(line.quantity)} {line.unit}" if line.quantity is not None else ""
        price = figures.priced(line.unit_price, head.currency) if line.unit_price is not None else ""
        if not exact and line.unit_price is not None:
            price = documents.unit_price(line.unit_price, head.currency)
        title = f"{figures.exact(line.unit_price)} {head.currency}" if line.unit_price is not None else ""
        favour = BETTER if shown < 0 else ""
        cell = amount(shown, head.currency, href=href, all_places=exact, css=favour)
        full = f"exactly {figures.exact(line.exact)} {head.currency}, on the statement {line.amount} {head.currency}"
        rows.append(
            [
                Cell(line.label, note=line.reason),
                Cell(figures.words(line.kind), css="soft word"),
                Cell(counted, css=NUMBER if counted else f"{NUMBER} none"),
                Cell(price, title=title, css=NUMBER if price else f"{NUMBER} none"),
                Cell(cell.text, cell.href, full, cell.css),
            ]
        )
    columns = [
        Column("What"), Column("Kind"), Column("How much"), Column("Price of one", NUMBER),
        Column(f"Amount in {head.currency}", NUMBER),
    ]  # fmt: skip
    columns[2] = Column("How much", NUMBER)
    foot = [
        Cell("Due"),
        Cell("", css="none"),
        Cell("", css="none"),
        Cell("", css="none"),
        amount(head.due, head.currency),
    ]
    caption = "Exact amounts, before they were rounded" if exact else f"Amounts in {head.currency}, as they were billed"
    return tabled(caption, columns, rows, "Nothing was used and nothing was bought in this period.", foot)


def _down(line: StatementLine, number: int, head: StatementHead, periods: dict[str, ClosedPeriod]) -> str:
    """Where a line's usage is explained; "" where it comes from no usage."""
    path = line.key.split("/")
    if line.kind in ("usage", "tier") and len(path) > 1:
        start, end, rule = head.period_start, head.period_end, "/".join(path[1:])
    elif line.kind == "adjustment" and len(path) > 3 and path[1] in periods and path[2] in ("late", "void", "rerate"):
        start, end, rule = periods[path[1]].start, periods[path[1]].end, "/".join(path[3:])
    else:
        return ""
    return parts.explain(
        head.builder,
        head.tenant,
        {"rule_id": rule},
        **{"from": figures.machine_time(start), "to": figures.machine_time(end)},
        statement=head.number,
        line=number,
    )


def _notes(notes: Sequence[dict[str, object]], view: View) -> Table:
    """Why they were made is for the books, not for the tenant."""
    why = not view.access.is_tenant
    rows = []
    for each in notes:
        value, currency = each["amount"], str(each["currency"])
        assert isinstance(value, Decimal)  # noqa: S101  as the column says
        rows.append(
            [
                Cell(str(each["note_id"])),
                Cell(figures.words(str(each["kind"]))),
                amount(value, currency),
                Cell(currency),
                *([Cell(str(each["reason"]))] if why else []),
            ]
        )
    columns = [
        Column("Number"),
        Column("Kind"),
        Column("In your favour", NUMBER),
        Column("Currency"),
        *([Column("Why")] if why else []),
    ]
    return tabled("In the order in which they were made", columns, rows)


def _postings(postings: Sequence[dict[str, object]]) -> Table:
    rows = []
    for each in postings:
        value, currency = each["amount"], str(each["currency"])
        assert isinstance(value, Decimal)  # noqa: S101
        rows.append(
            [
                Cell(figures.words(str(each["account"])), note=str(each["refers_to"])),
                Cell(str(each["party"])),
                amount(value, currency, all_places=True),
                Cell(currency),
            ]
        )
    columns = [Column("Account"), Column("Whose"), Column("Amount", NUMBER), Column("Currency")]
    return tabled("Provider rewards and Builder earnings stand apart", columns, rows, "No postings are stored.")

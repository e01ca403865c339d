"""A statement as one HTML file: nothing is loaded from anywhere, and it reads on a phone, on paper, in the dark, aloud.

All words and figures come from sections.py, all text is escaped, and the page's own policy forbids everything but its
styles; there is no script. Tables keep their roles on a phone, where a line becomes two.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib import resources
from string import Template

from billing.statements import StatementLine
from tollstream.rendering import figures, sections
from tollstream.rendering.document import StatementDocument

HEADINGS = (("Description", ""), ("Quantity", "number"), ("Unit price", "number"), ("Amount", "number"))


def written(document: StatementDocument) -> bytes:
    """The whole file."""
    statement = document.statement
    due = sections.due(document)
    heading = sections.heading(document)
    return (
        Template(_text("page.html"))
        .substitute(
            title=_escaped(f"{heading} · {document.builder_name}"),
            style=_text("page.css"),
            builder=_escaped(document.builder_name),
            builder_address=_address(document.builder.address),
            heading=escape(heading),
            period=escape(figures.period_name(statement.period)),
            due_heading=due.heading,
            due_amount=f"{_amount(due, statement.currency)} <small>{escape(statement.currency)}</small>",
            due_size=_size(due, statement.currency),
            due_sentence=escape(due.sentence),
            tenant=_escaped(document.tenant_name),
            tenant_address=_address(document.tenant.address),
            facts="\n".join(
                f"<dt>{escape(name)}</dt><dd>{escape(said)}</dd>" for name, said in sections.facts(document)
            ),
            lines=_lines(document),
            totals=_totals(document),
            left=_left(document),
            remarks=_remarks(document),
            footer=_escaped(f"{document.builder_name} · {heading} · {figures.period_days(statement.period)}"),
        )
        .encode()
    )


@cache
def _text(name: str) -> str:
    return resources.files("tollstream.rendering").joinpath(name).read_text(encoding="utf-8")


def _escaped(words: str) -> str:
    return escape(figures.tidy(words))


def _address(address: str) -> str:
    lines = "<br>".join(escape(line) for line in figures.tidy_lines(address))
    return f'<p class="address">{lines}</p>\n' if lines else ""


def _amount(due: sections.Due, currency: str) -> str:
    return escape(f"{figures.sign_of(currency)}{figures.money(due.amount, currency)}")


def _size(due: sections.Due, currency: str) -> str:
    """An amount is never broken: longer ones are set smaller."""
    length = len(figures.money(due.amount, currency))
    return " longest" if length > 18 else " long" if length > 10 else ""


def _lines(document: StatementDocument) -> str:
    """One table, a group of rows for each section, its sum below it."""
    currency = document.statement.currency
    found = sections.sections(document)
    if not found:
        return '<p class="none">Nothing was used and nothing was bought in this period.</p>'
    headings = "".join(
        f'<th scope="col" role="columnheader"{_css(css)}>{escape(words)}</th>' for words, css in HEADINGS
    )
    groups = []
    for section in found:
        rows = [
            f'<tr role="row"><th scope="rowgroup" role="rowheader" colspan="4">{escape(section.heading)}</th></tr>',
            *(_line(line, currency) for line in section.lines),
        ]
        if len(section.lines) > 1:
            rows.append(
                '<tr class="subtotal" role="row"><th scope="row" role="rowheader" colspan="3">'
                f'{escape(section.heading)}, together</th><td class="number" role="cell">'
                f"{figures.money(section.sum, currency)}</td></tr>"
            )
        groups.append(f'<tbody class="group" role="rowgroup">{"".join(rows)}</tbody>')
    return (
        f'<div class="lines"><table role="table"><caption>Amounts in {escape(currency)}</caption>'
        f'<thead role="rowgroup"><tr role="row">{headings}</tr></thead>\n{chr(10).join(groups)}</table></div>'
    )


def _line(line: StatementLine, currency: str) -> str:
    reason = f"<small>{_escaped(line.reason)}</small>" if line.reason else ""
    css = "line credit" if line.amount < 0 else "line"
    return (
        f'<tr class="{css}" role="row"><th scope="row" role="rowheader">{_escaped(line.label)}{reason}</th>'
        f'<td class="number counted" role="cell">{escape(sections.counted(line))}</td>'
        f'<td class="number priced" role="cell">{sections.priced(line, currency)}</td>'
        f'<td class="number amount" role="cell">{figures.money(line.amount, currency)}</td></tr>'
    )


def _css(name: str) -> str:
    return f' class="{name}"' if name else ""


def _totals(document: StatementDocument) -> str:
    currency = document.statement.currency
    rows = []
    for total in sections.totals(document):
        reason = f"<small>{escape(total.reason)}</small>" if total.reason else ""
        amount = figures.money(total.amount, currency)
        rows.append(f'<tr><th scope="row">{escape(total.label)}{reason}</th><td class="number">{amount}</td></tr>')
    rows[-1] = rows[-1].replace("</td>", f" {escape(currency)}</td>")
    return f'<section class="totals" aria-label="Totals"><table><tbody>{"".join(rows)}</tbody></table></section>'


def _left(document: StatementDocument) -> str:
    """Bars are decoration: the words beside them say the same."""
    items = [
        f'<li><b>{escape(left.label)}</b><svg viewBox="0 0 1000 8" preserveAspectRatio="none" aria-hidden="true" '
        f'focusable="false"><rect width="{left.part}" height="8"/></svg><span>{escape(left.words)}</span></li>'
        for left in sections.left(document)
    ]
    if not items:
        return ""
    return (
        '<section class="more" aria-labelledby="left"><h2 id="left">What is used, and what is left</h2>'
        f'<ul class="left">{"".join(items)}</ul></section>'
    )


def _remarks(document: StatementDocument) -> str:
    note = "<br>".join(escape(line) for line in figures.tidy_lines(document.note))
    own = f'<section class="note" aria-label="Note"><p>{note}</p></section>' if note else ""
    items = "".join(f"<li>{escape(remark)}</li>" for remark in sections.remarks(document))
    if not items:
        return own
    return (
        f'{own}<section class="more" aria-labelledby="remarks"><h2 id="remarks">How to read this statement</h2>'
        f'<ul class="remarks">{items}</ul></section>'
    )

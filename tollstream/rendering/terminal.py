"""A statement as plain text for a terminal of 80 columns: no colours, no control characters, wide letters counted."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from billing.statements import StatementLine
from tollstream.rendering import figures, sections
from tollstream.rendering.document import StatementDocument

WIDTH = 80
GAP = 2


def written(document: StatementDocument) -> bytes:
    """The whole text; every line ends in a line feed."""
    return "".join(f"{line.rstrip()}\n" for line in _lines(document)).encode()


def _lines(document: StatementDocument) -> Iterator[str]:
    statement = document.statement
    currency = statement.currency
    yield from _heading(document)
    tenant = [figures.tidy(document.tenant_name), *figures.tidy_lines(document.tenant.address)]
    for place, line in enumerate(part for each in tenant for part in wrapped(each, WIDTH - 9)):
        yield f"{'' if place else 'For':<9}{line}"
    for name, said in sections.facts(document):
        yield f"{name:<9}{said}"
    yield ""
    due = sections.due(document)
    yield from _amount(f"{due.heading}: {due.sentence}", f"{figures.money(due.amount, currency)} {currency}", 0)
    yield "=" * WIDTH
    found = sections.sections(document)
    if not found:
        yield "Nothing was used and nothing was bought in this period."
    for section in found:
        yield from ("", section.heading)
        for each in section.lines:
            yield from _line(each, currency)
        if len(section.lines) > 1:
            yield from _amount("together", figures.money(section.sum, currency), 2)
    yield from ("", "-" * WIDTH)
    for total in sections.totals(document)[:-1]:
        yield from _amount(total.label, figures.money(total.amount, currency), 0)
        yield from _indented(total.reason, 4)
    yield from _amount("Amount due", f"{figures.money(statement.totals.due, currency)} {currency}", 0)
    left = sections.left(document)
    if left:
        yield from ("", "What is used, and what is left")
    for each_left in left:
        yield from _indented(f"{each_left.label}: {each_left.words}", 4, first=2)
    note = figures.tidy_lines(document.note)
    if note:
        yield ""
    for line in note:
        yield from _indented(line, 0)
    remarks = sections.remarks(document)
    if remarks:
        yield ""
    for remark in remarks:
        yield from _indented(f"* {remark}", 2, first=0)


def _heading(document: StatementDocument) -> Iterator[str]:
    """The sender to the left, the statement to the right; below each other where both do not fit."""
    left = [figures.tidy(document.builder_name), *figures.tidy_lines(document.builder.address)]
    right = [sections.heading(document), figures.period_name(document.statement.period)]
    widest = max(map(cell_len, left)) + GAP + max(map(cell_len, right))
    if widest > WIDTH:
        for lines in (left, right):
            yield from (part for line in lines for part in wrapped(line, WIDTH))
            yield ""
        return
    for place in range(max(len(left), len(right))):
        one = left[place] if place < len(left) else ""
        other = right[place] if place < len(right) else ""
        yield one + " " * (WIDTH - cell_len(one) - cell_len(other)) + other
    yield ""


def _line(line: StatementLine, currency: str) -> Iterator[str]:
    yield from _amount(figures.tidy(line.label), figures.money(line.amount, currency), 2)
    counted, priced = sections.counted(line), sections.priced(line, currency)
    if counted:
        yield from _indented(f"{counted} × {priced}" if priced else counted, 4)
    yield from _indented(figures.tidy(line.reason), 4)


def _amount(words: str, amount: str, indent: int) -> Iterator[str]:
    """Words to the left, the amount to the right of their first line; it is never broken."""
    room = WIDTH - indent - GAP - cell_len(amount)
    first, *rest = wrapped(words, max(room, 20)) or [""]
    yield " " * indent + first + " " * max(GAP, WIDTH - indent - cell_len(first) - cell_len(amount)) + amount
    for line in rest:
        yield " " * (indent + 2) + line


def _indented(words: str, indent: int, *, first: int | None = None) -> Iterator[str]:
    for place, line in enumerate(wrapped(words, WIDTH - indent)):
        yield " " * (indent if place or first is None else first) + line


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most so many columns, broken between words, and within a word only where it is longer than a line."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
            continue
        if line:
            lines.append(line)
        line = ""
        for letter in word:
            if line and cell_len(line + letter) > width:
                lines.append(line)
                line = ""
            line += letter
    return [*lines, line] if line else lines

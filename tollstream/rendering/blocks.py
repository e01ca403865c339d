"""The blocks of a statement's PDF, from the letterhead to the last remark: each knows its height and draws itself.

A block is never broken over two pages. So a line with a text of many lines is several blocks, and what may not stand
alone is glued to the next block: a heading to its first line, the last line to its sum and to the totals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from billing.statements import StatementLine
from tollstream.rendering import figures, sections
from tollstream.rendering.document import StatementDocument
from tollstream.rendering.lettering import Lettering
from tollstream.rendering.paper import (
    ACCENT,
    BAR,
    FAINT,
    INK,
    ON_ACCENT,
    PLUS,
    SOFT,
    TRACK,
    WHITE,
    Paper,
    Style,
    fitting,
    wrapped,
)

Draw = Callable[[Paper, float, float], None]  # at x, y
NAME, TITLE, HEADING = Style(13, True), Style(16, True), Style(10.5, True)
TEXT, SMALL = Style(9.5, leading=1.35), Style(8, colour=SOFT, leading=1.35)
BOLD = replace(TEXT, bold=True)
GAP = 10.0
LINES_MAX = 40  # of a text in one block: half a page


@dataclass(frozen=True, slots=True)
class Block:
    """`glued` to the next one: they stand on one page. `row` of the table, whose headings stand above it."""

    height: float
    draw: Draw
    glued: bool = False
    row: bool = False


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the table's columns, as wide as their figures ask for; the description has the rest."""

    label: float
    quantity: float
    price: float
    amount: float

    @property
    def width(self) -> float:
        return self.label + self.quantity + self.price + self.amount + 3 * GAP


class Setter:
    """Makes the blocks of one document for a page of some width."""

    def __init__(self, document: StatementDocument, lettering: Lettering, width: float) -> None:
        self.document, self.lettering, self.width = document, lettering, width
        self.currency = document.statement.currency
        self.sections = sections.sections(document)
        self.columns = self._columns()

    def blocks(self) -> list[Block]:
        """All of them, in order."""
        return [self._letterhead(), self._top(), *self._table(), *self._left(), *self._note(), *self._remarks()]

    def headings(self) -> Block:
        """Above the table, on every page that it reaches."""

        def draw(paper: Paper, x: float, y: float) -> None:
            style = replace(SMALL, bold=True)
            paper.words(x, y, "Description", style)
            for right, words in zip(
                self._rights(x), ("Quantity", "Unit price", f"Amount, {self.currency}"), strict=True
            ):
                paper.words(right, y, words, style, "right")
            paper.rule(x, y + 15, self.width, INK, 1.1)

        return Block(18, draw, glued=True)

    def _wrapped(self, text: str, style: Style, width: float) -> list[str]:
        return wrapped(self.lettering, text, style, width)

    def _columns(self) -> Columns:
        lines = [line for section in self.sections for line in section.lines]
        amounts = [figures.money(line.amount, self.currency) for line in lines]
        amounts += [figures.money(section.sum, self.currency) for section in self.sections]
        price = self._widest([sections.priced(line, self.currency) for line in lines], 46, 110)
        amount = self._widest(amounts, 58, 120)
        quantity = self._widest([sections.counted(line) for line in lines], 50, 105)
        return Columns(self.width - price - amount - quantity - 3 * GAP, quantity, price, amount)

    def _widest(self, texts: Sequence[str], least: float, most: float) -> float:
        return min(most, max([least, *(self.lettering.width(text, TEXT.size, True) for text in texts)]))

    def _rights(self, x: float) -> tuple[float, float, float]:
        """Right ends of the three columns of figures."""
        columns = self.columns
        quantity = x + columns.label + GAP + columns.quantity
        return quantity, quantity + GAP + columns.price, x + self.width

    def _letterhead(self) -> Block:
        left, right = self.width * 0.4, self.width * 0.56
        sender = self._wrapped(figures.tidy(self.document.builder_name), NAME, left)
        address = self._address(self.document.builder.address, left)
        title = self._wrapped(sections.heading(self.document), TITLE, right)
        period = figures.period_name(self.document.statement.period)

        def draw(paper: Paper, x: float, y: float) -> None:
            paper.lines(x, paper.lines(x, y, sender, NAME) + 1, address, SMALL)
            lower = paper.lines(x + self.width, y - 3, title, TITLE, "right")
            paper.words(x + self.width, lower, period, replace(TEXT, colour=SOFT), "right")

        height = max(len(sender) * NAME.line + len(address) * SMALL.line, len(title) * TITLE.line + TEXT.line)
        return Block(height + 16, draw)

    def _address(self, address: str, width: float) -> list[str]:
        found = [line for each in figures.tidy_lines(address) for line in self._wrapped(each, SMALL, width)]
        return found[:LINES_MAX]

    def _top(self) -> Block:
        """What is due, and for whom."""
        due = sections.due(self.document)
        wide = self.width * 0.5
        inner = wide - 36
        amount = f"{figures.sign_of(self.currency)}{figures.money(due.amount, self.currency)}"
        unit = Style(11, True, ON_ACCENT)
        room = inner - self.lettering.width(f" {self.currency}", unit.size, True)
        big = fitting(self.lettering, amount, Style(27, True, WHITE, 1.25), room)
        small = Style(9, colour=ON_ACCENT)
        sentence = self._wrapped(due.sentence, small, inner)

        side = self.width - wide - 26
        name = self._wrapped(figures.tidy(self.document.tenant_name), BOLD, side)
        address = self._address(self.document.tenant.address, side)
        facts = sections.facts(self.document)
        left = 30 + 34 + len(sentence) * small.line + 18
        right = SMALL.line + len(name) * BOLD.line + len(address) * SMALL.line + 8 + len(facts) * 13
        height = max(left, right)

        def draw(paper: Paper, x: float, y: float) -> None:
            paper.box(x, y, wide, height, ACCENT, 8)
            paper.words(x + 18, y + 15, due.heading, Style(9.5, True, ON_ACCENT))
            paper.words(x + 18, y + 30 + (34 - big.line) / 2, amount, big)
            after = x + 18 + self.lettering.width(f"{amount} ", big.size, True)
            paper.words(min(after, x + 18 + room), y + 30 + 34 * 0.36, self.currency, unit)
            paper.lines(x + 18, y + 66, sentence, small)
            at = x + wide + 26
            paper.words(at, y, "For", replace(SMALL, bold=True))
            lower = paper.lines(at, y + SMALL.line, name, BOLD)
            lower = paper.lines(at, lower, address, SMALL) + 8
            for label, said in facts:
                paper.words(at, lower, label, Style(9, colour=SOFT))
                paper.words(at + 52, lower, said, Style(9))
                lower += 13

        return Block(height + 16, draw)

    def _table(self) -> Iterator[Block]:
        if not self.sections:
            words = "Nothing was used and nothing was bought in this period."
            yield Block(30, lambda paper, x, y: paper.words(x, y, words, replace(TEXT, colour=SOFT)), glued=True)
        for number, section in enumerate(self.sections, 1):
            last = number == len(self.sections)
            yield self._section(section.heading, first=number == 1)
            for place, line in enumerate(section.lines, 1):
                ends = place == len(section.lines)
                yield from self._line(line, glued=ends and (len(section.lines) > 1 or last))
            if len(section.lines) > 1:
                yield self._sum(section, glued=last)
        yield self._totals()

    def _section(self, heading: str, *, first: bool) -> Block:
        above = 4 if first else 10
        return Block(above + 16, lambda paper, x, y: paper.words(x, y + above, heading, HEADING), glued=True, row=True)

    def _line(self, line: StatementLine, *, glued: bool) -> Iterator[Block]:
        label = self._wrapped(figures.tidy(line.label), TEXT, self.columns.label)
        reason = self._wrapped(figures.tidy(line.reason), SMALL, self.columns.label)
        counted = self._wrapped(sections.counted(line), TEXT, self.columns.quantity)[:LINES_MAX]
        styled = [(words, TEXT) for words in label] + [(words, SMALL) for words in reason] or [("", TEXT)]
        parts = [styled[at : at + LINES_MAX] for at in range(0, len(styled), LINES_MAX)]
        for number, part in enumerate(parts):
            ends = number == len(parts) - 1
            yield self._part(line, part, counted if number == 0 else [], number == 0, ends, glued and ends)

    def _part(
        self, line: StatementLine, part: Sequence[tuple[str, Style]], counted: Sequence[str], begins: bool, ends: bool,
        glued: bool,
    ) -> Block:  # fmt: skip
        height = max(sum(style.line for _, style in part), len(counted) * TEXT.line)
        above, below = 4.0 if begins else 0.0, 5.0 if ends else 0.0

        def draw(paper: Paper, x: float, y: float) -> None:
            lower = y + above
            for words, style in part:
                paper.words(x, lower, words, style)
                lower += style.line
            if begins:
                right, middle, end = self._rights(x)
                paper.lines(right, y + above, counted, TEXT, "right")
                self._figure(paper, middle, y + above, sections.priced(line, self.currency), TEXT, self.columns.price)
                style = replace(BOLD, bold=False, colour=PLUS if line.amount < 0 else INK)
                amount = figures.money(line.amount, self.currency)
                self._figure(paper, end, y + above, amount, style, self.columns.amount)
            if ends:
                paper.rule(x, y + above + height + below, self.width)

        return Block(above + height + below, draw, glued, row=True)

    def _figure(self, paper: Paper, x: float, y: float, text: str, style: Style, width: float) -> None:
        small = fitting(self.lettering, text, style, width)
        paper.words(x, y + (style.line - small.line) / 2, text, small, "right")

    def _sum(self, section: sections.Section, *, glued: bool) -> Block:
        def draw(paper: Paper, x: float, y: float) -> None:
            paper.words(x, y + 4, f"{section.heading}, together", replace(TEXT, colour=SOFT))
            amount = figures.money(section.sum, self.currency)
            self._figure(paper, x + self.width, y + 4, amount, BOLD, self.columns.amount)

        return Block(20, draw, glued, row=True)

    def _totals(self) -> Block:
        rows = sections.totals(self.document)
        wide = max(self.width * 0.52, 230)
        inner = wide - 28
        texts = [self._wrapped(row.label, TEXT, inner * 0.6) for row in rows]
        reasons = [self._wrapped(row.reason, SMALL, inner) for row in rows]
        heights = [
            len(text) * TEXT.line + len(reason) * SMALL.line + 6 for text, reason in zip(texts, reasons, strict=True)
        ][:-1]
        last = 34.0
        height = sum(heights) + last + (10 if heights else 0)

        def draw(paper: Paper, x: float, y: float) -> None:
            left, lower = x + self.width - wide, y + 14
            paper.box(left, lower, wide, height, FAINT)
            lower += 8 if heights else 0
            for row, text, reason, tall in zip(rows, texts, reasons, heights, strict=False):
                below = paper.lines(left + 14, lower, text, TEXT)
                paper.lines(left + 14, below, reason, SMALL)
                amount = figures.money(row.amount, self.currency)
                self._figure(paper, x + self.width - 14, lower, amount, TEXT, inner * 0.38)
                lower += tall
            if heights:
                paper.rule(left, lower, wide, INK, 1.1)
            style = Style(12.5, True)
            paper.words(left + 14, lower + 8, rows[-1].label, style)
            amount = f"{figures.money(rows[-1].amount, self.currency)} {self.currency}"
            self._figure(paper, x + self.width - 14, lower + 8, amount, style, inner * 0.62)

        return Block(height + 14, draw)

    def _heading(self, words: str) -> Block:
        return Block(36, lambda paper, x, y: paper.words(x, y + 18, words, HEADING), glued=True)

    def _left(self) -> Iterator[Block]:
        found = sections.left(self.document)
        if found:
            yield self._heading("What is used, and what is left")
        for left in found:
            yield self._bar(left)

    def _bar(self, left: sections.Left) -> Block:
        label = self._wrapped(left.label, BOLD, self.width * 0.45)[:LINES_MAX]
        words = self._wrapped(left.words, Style(9, colour=SOFT), self.width * 0.5)[:LINES_MAX]
        height = max(len(label) * BOLD.line, len(words) * 12.6)

        def draw(paper: Paper, x: float, y: float) -> None:
            paper.lines(x, y, label, BOLD)
            paper.lines(x + self.width, y, words, Style(9, colour=SOFT), "right")
            paper.box(x, y + height + 2, self.width, 4, TRACK, 2)
            if left.part:
                paper.box(x, y + height + 2, max(self.width * left.part / 1000, 4), 4, BAR, 2)

        return Block(height + 14, draw)

    def _note(self) -> Iterator[Block]:
        style = Style(9.5)
        found = [
            line
            for each in figures.tidy_lines(self.document.note)
            for line in self._wrapped(each, style, self.width - 24)
        ]
        for at in range(0, len(found), LINES_MAX):
            yield self._noted(found[at : at + LINES_MAX], style)

    def _noted(self, lines: Sequence[str], style: Style) -> Block:
        height = len(lines) * style.line + 14

        def draw(paper: Paper, x: float, y: float) -> None:
            paper.box(x, y + 18, self.width, height, FAINT, 4)
            paper.box(x, y + 18, 3, height, BAR, 1)
            paper.lines(x + 14, y + 25, lines, style)

        return Block(height + 18, draw)

    def _remarks(self) -> Iterator[Block]:
        found = [*sections.remarks(self.document), *self.lettering.remarks(texts_of(self.document))]
        if found:
            yield self._heading("How to read this statement")
        for remark in found:
            yield self._remark(self._wrapped(remark, SMALL, self.width - 12))

    def _remark(self, lines: Sequence[str]) -> Block:
        def draw(paper: Paper, x: float, y: float) -> None:
            paper.box(x, y + SMALL.line / 2 - 1.2, 2.4, 2.4, SOFT, 1.2)
            paper.lines(x + 10, y, lines, SMALL)

        return Block(len(lines) * SMALL.line + 3, draw)


def texts_of(document: StatementDocument) -> list[str]:
    """What others wrote into a document: ours needs no special letters."""
    statement = document.statement
    found = [document.builder_name, document.tenant_name, document.number, document.note]
    found += [document.builder.address, document.tenant.address, *(standing.label for standing in statement.standings)]
    found += [text for line in statement.lines for text in (line.label, line.reason, line.unit)]
    return [line for text in found for line in figures.tidy_lines(text)]

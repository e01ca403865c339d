"""A statement as PDF: A4 or Letter, fonts embedded, the same bytes whenever it is made.

Pages   the table's headings are repeated, every page says which of how many it is, and whose; totals never stand
        without a line above them. Nothing in the file asks a clock: what is written in it is in the document.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Literal

from reportlab.pdfgen.canvas import Canvas

from tollstream.rendering import figures, sections
from tollstream.rendering.blocks import SMALL, Block, Setter, texts_of
from tollstream.rendering.document import StatementDocument
from tollstream.rendering.lettering import Lettering
from tollstream.rendering.paper import RULE, Paper

Size = Literal["A4", "Letter"]
SIZES: dict[Size, tuple[float, float]] = {"A4": (595.28, 841.89), "Letter": (612.0, 792.0)}
SIDE, TOP, BOTTOM, RUNNING = 50.0, 44.0, 50.0, 26.0  # margins, and the line at the top of every page but the first
Page = list[tuple[Block, float]]  # blocks and where their upper edges are


def written(document: StatementDocument, size: Size = "A4") -> bytes:
    """The whole file."""
    width, height = SIZES[size]
    lettering = Lettering.for_text(texts_of(document), document.statement.currency)
    setter = Setter(document, lettering, width - 2 * SIDE)
    pages = paginated(setter.blocks(), setter.headings(), height)
    out = BytesIO()
    canvas = Canvas(out, pagesize=(width, height), pageCompression=1, invariant=1, lang="en")
    canvas.setTitle(f"{sections.heading(document)} · {figures.tidy(document.builder_name)}")
    canvas.setAuthor(figures.tidy(document.builder_name))
    canvas.setSubject(figures.period_name(document.statement.period))
    canvas.setCreator("tollstream")
    canvas.setViewerPreference("DisplayDocTitle", "true")
    paper = Paper(canvas, lettering, height)
    for number, page in enumerate(pages, 1):
        _frame(paper, document, number, len(pages), width)
        for block, y in page:
            block.draw(paper, SIDE, y)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def paginated(blocks: Sequence[Block], headings: Block, height: float) -> list[Page]:
    """Blocks on pages: what is glued together stays together, unless it is longer than a page."""
    pages: list[Page] = [[]]
    y, lowest = TOP, height - BOTTOM
    begun = False  # whether the table's headings stand on this page

    def break_page() -> None:
        nonlocal y, begun
        pages.append([])
        y, begun = TOP + RUNNING, False

    def put(block: Block) -> None:
        nonlocal y, begun
        if block.row and not begun:
            pages[-1].append((headings, y))
            y, begun = y + headings.height, True
        pages[-1].append((block, y))
        y += block.height

    for group in _groups(blocks):
        asked = sum(block.height for block in group)
        above = headings.height if group[0].row and not begun else 0
        if pages[-1] and y + above + asked > lowest:
            break_page()
        for block in group:
            if pages[-1] and y + block.height > lowest:
                break_page()
            put(block)
    return pages


def _groups(blocks: Sequence[Block]) -> list[list[Block]]:
    groups: list[list[Block]] = [[]]
    for block in blocks:
        groups[-1].append(block)
        if not block.glued:
            groups.append([])
    return [group for group in groups if group]


def _frame(paper: Paper, document: StatementDocument, number: int, of: int, width: float) -> None:
    """What stands around the blocks of a page."""
    whose = f"{sections.heading(document)} · {figures.period_name(document.statement.period)}"
    right = width - SIDE
    room = width - 2 * SIDE - 90
    if number > 1:
        paper.words(SIDE, TOP - 8, _cut(paper, figures.tidy(document.builder_name), room / 2), SMALL)
        paper.words(right, TOP - 8, _cut(paper, whose, room / 2), SMALL, "right")
    foot = paper.height - BOTTOM + 14
    paper.rule(SIDE, foot, width - 2 * SIDE, RULE)
    paper.words(SIDE, foot + 6, _cut(paper, f"{whose} · {figures.tidy(document.tenant_name)}", room), SMALL)
    paper.words(right, foot + 6, f"Page {number} of {of}", SMALL, "right")


def _cut(paper: Paper, text: str, width: float) -> str:
    """On one line: what stands there stands whole on the first page."""
    if paper.lettering.width(text, SMALL.size) <= width:
        return text
    while text and paper.lettering.width(f"{text}…", SMALL.size) > width:
        text = text[:-1]
    return f"{text}…"

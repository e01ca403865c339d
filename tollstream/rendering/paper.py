"""A page of a PDF to draw on, and how text is broken into lines. Points, from the upper left corner downwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from reportlab.lib.colors import HexColor
from reportlab.pdfgen.canvas import Canvas

from tollstream.rendering.lettering import Lettering

Align = Literal["left", "right"]
INK, SOFT, RULE, FAINT, ACCENT, ON_ACCENT, PLUS, BAR, TRACK, WHITE = (
    "#16202b", "#52606d", "#d9e0e6", "#f4f7f9", "#0b5a6b", "#d8ecf0", "#0b6b4f", "#0b7a8f", "#e1e8ec", "#ffffff",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How words look."""

    size: float
    bold: bool = False
    colour: str = INK
    leading: float = 1.4  # from line to line, in sizes

    @property
    def line(self) -> float:
        """From line to line."""
        return self.size * self.leading


@dataclass(frozen=True, slots=True)
class Paper:
    """One page. `canvas` is reportlab's, whose origin is the lower left corner."""

    canvas: Canvas
    lettering: Lettering
    height: float

    def words(self, x: float, y: float, text: str, style: Style, align: Align = "left") -> None:
        """One line whose upper edge is `y`; `x` is its left or right end."""
        if align == "right":
            x -= self.lettering.width(text, style.size, style.bold)
        baseline = self.height - y - style.size * (style.leading + 0.72) / 2
        self.canvas.setFillColor(HexColor(style.colour))
        for font, piece in self.lettering.runs(text, style.bold):
            self.canvas.setFont(font, style.size)
            self.canvas.drawString(x, baseline, piece)
            x += self.canvas.stringWidth(piece, font, style.size)

    def lines(self, x: float, y: float, lines: Sequence[str], style: Style, align: Align = "left") -> float:
        """Lines below each other; the lower edge of the last one."""
        for line in lines:
            self.words(x, y, line, style, align)
            y += style.line
        return y

    def rule(self, x: float, y: float, width: float, colour: str = RULE, thick: float = 0.6) -> None:
        """A horizontal line."""
        self.canvas.setStrokeColor(HexColor(colour))
        self.canvas.setLineWidth(thick)
        self.canvas.line(x, self.height - y, x + width, self.height - y)

    def box(self, x: float, y: float, width: float, height: float, colour: str, radius: float = 6) -> None:
        """A filled box with round corners."""
        self.canvas.setFillColor(HexColor(colour))
        radius = min(radius, width / 2, height / 2)
        self.canvas.roundRect(x, self.height - y - height, width, height, radius, stroke=0, fill=1)


def wrapped(lettering: Lettering, text: str, style: Style, width: float) -> list[str]:
    """Lines of at most this width, broken between words, and within a word only where it is wider than a line."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if lettering.width(longer, style.size, style.bold) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _pieces(lettering, word, style, width)
        lines += full
    return [*lines, line] if line else lines


def _pieces(lettering: Lettering, word: str, style: Style, width: float) -> list[str]:
    pieces, piece = [], ""
    for letter in word:
        if piece and lettering.width(piece + letter, style.size, style.bold) > width:
            pieces.append(piece)
            piece = ""
        piece += letter
    return [*pieces, piece]


def fitting(lettering: Lettering, text: str, style: Style, width: float) -> Style:
    """The same style, smaller where the text would not fit on one line: a figure is never broken."""
    asked = lettering.width(text, style.size, style.bold)
    return style if asked <= width else Style(style.size * width / asked, style.bold, style.colour, style.leading)

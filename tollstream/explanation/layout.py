"""A page of plain text: words wrapped, amounts aligned on the right, no digit ever cut or broken."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

WIDTH = 80
NO_BREAK = "\u00a0"  # a space at which no line ends


class Page:
    """Lines as they are added; `emphasis` is applied to whole headings, for terminals that can show it."""

    def __init__(self, width: int = WIDTH, emphasis: Callable[[str], str] = str) -> None:
        self.width, self._emphasis = width, emphasis
        self._lines: list[str] = []

    def heading(self, text: str) -> None:
        """A line of its own, after an empty one."""
        if self._lines:
            self._lines.append("")
        self._lines += [self._emphasis(line) for line in self._wrapped(text, 0, 0)]

    def gap(self) -> None:
        """An empty line."""
        self._lines.append("")

    def say(self, text: str, indent: int = 0) -> None:
        """Words, wrapped; what is longer than a line stays in one piece."""
        self._lines += self._wrapped(text, indent, indent)

    def item(self, text: str, indent: int = 2) -> None:
        """One of a list: what follows its first line is indented further."""
        self._lines += self._wrapped(text, indent, indent + 2)

    def field(self, name: str, text: str, indent: int = 2, column: int = 14) -> None:
        """A name, and what it says from `column` on."""
        lines = self._wrapped(text, column, column) or [""]
        self._lines.append((" " * indent + name).ljust(column) + lines[0].lstrip())
        self._lines += lines[1:]

    def command(self, words: str, command: str) -> None:
        """A command to copy: in one piece, on a line of its own where it does not fit beside its words."""
        fits = len(words) + 1 + len(command) <= self.width
        self._lines += [f"{words} {command}"] if fits else [words, f"  {command}"]

    def amount(self, text: str, amount: str, indent: int = 4) -> None:
        """Words on the left, an amount at the right edge; on a line of its own where both do not fit."""
        room = self.width - len(amount) - 2
        lines = self._wrapped(text, indent, indent + 2, room) or [""]
        if len(lines[-1]) > room:
            lines.append("")
        lines[-1] = lines[-1].ljust(self.width - len(amount)) + amount
        self._lines += lines

    def rule(self, length: int) -> None:
        """A line under a column of amounts."""
        self._lines.append(" " * (self.width - length) + "─" * length)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, foot: int = 0) -> None:
        """Columns, the first `left` flush left, the others right; the last `foot` rows stand under a line."""
        widths = _widths(headings, rows)
        for number, row in enumerate([headings, *rows]):
            if foot and number == len(rows) + 1 - foot:
                self._lines.append("─" * (sum(widths) + 2 * len(widths) - 2))
            cells = [
                cell.ljust(width) if place < left else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            self._lines.append("  ".join(cells))

    @staticmethod
    def table_width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
        """How wide `table` makes it."""
        return sum(_widths(headings, rows)) + 2 * len(headings) - 2

    def text(self) -> str:
        """All of it."""
        return "\n".join(line.rstrip() for line in self._lines).replace(NO_BREAK, " ")

    def _wrapped(self, text: str, first: int, others: int, width: int | None = None) -> list[str]:
        return textwrap.wrap(
            text,
            width or self.width,
            initial_indent=" " * first,
            subsequent_indent=" " * others,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(each[place]) for each in (headings, *rows)) for place in range(len(headings))]

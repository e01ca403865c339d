"""Tables in HTML, a cell at a time. What comes from events goes through `name` or `text`, which escape it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Row = Sequence[str]  # of cells


def text(words: str, css: str = "") -> str:
    """A cell of words."""
    return f"<td{css_class(css)}>{escape(words)}</td>"


def number(figure: str, css: str = "") -> str:
    """A cell with a figure, to the right."""
    return f'<td class="{f"number {css}".strip()}">{escape(figure)}</td>'


def picture(svg: str, css: str = "") -> str:
    """A cell with bars."""
    return f'<td class="{f"chart {css}".strip()}">{svg}</td>'


def across(words: str, columns: int) -> str:
    """A cell over all columns."""
    return f'<td class="gap" colspan="{columns}">{escape(words)}</td>'


def named(key: Sequence[str], more: str = "") -> str:
    """The cell that names its row; `more` is HTML behind the name."""
    return f'<th scope="row">{name(key)}{more}</th>'


def name(key: Sequence[str]) -> str:
    """A key of one or two words, the second one being what it is about; an absent tag says so."""
    words = [escape(word) if word else "<em>none</em>" for word in key]
    return f'<span class="group">{words[0]} ·</span> {words[1]}' if len(words) > 1 else words[0]


def table(headings: Sequence[str], rows: Sequence[Row], caption: str, words: int = 1) -> str:
    """`words` columns of text, the others of figures; a heading of "" is that of a picture."""
    cells = []
    for place, heading in enumerate(headings):
        css = "" if place < words else "number"
        cells.append(f'<th scope="col"{css_class(css)}>{escape(heading)}</th>' if heading else "<td></td>")
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    said = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table>{said}<thead><tr>{"".join(cells)}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def section(heading: str, *parts: str) -> str:
    """A card; parts are HTML."""
    return f"<section><h2>{escape(heading)}</h2>{''.join(parts)}</section>"


def paragraph(words: str, css: str = "") -> str:
    """Words of ours or of events."""
    return f"<p{css_class(css)}>{escape(words)}</p>"


def folded(summary: str, content: str) -> str:
    """Content that shows when somebody asks for it."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def key(entries: Sequence[tuple[str, str]]) -> str:
    """What the colours of bars mean: (name of a colour of page.css, words)."""
    items = "".join(f'<li><i style="background:var(--{colour})"></i>{escape(words)}</li>' for colour, words in entries)
    return f'<ul class="key" aria-hidden="true">{items}</ul>'


def css_class(css: str) -> str:
    """The attribute, or nothing."""
    return f' class="{css}"' if css else ""

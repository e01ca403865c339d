"""What a page is made of: tiles, tables, charts, filters. Pages say what is shown, templates/page.html how.

Text in here is text: the templates escape it. Only `Markup` is taken as it is, and only charts.py makes any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlencode

from markupsafe import Markup

from tollstream.console import figures

NUMBER, WORSE, BETTER, SOFT = "number", "worse", "better", "soft"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure or name; `title` is its exact value."""

    text: str = ""
    href: str = ""
    title: str = ""
    css: str = ""
    note: str = ""  # smaller, below it
    picture: Markup | None = None
    code: bool = False  # set as code, line breaks kept


@dataclass(frozen=True, slots=True)
class Column:
    """A heading of a table; `css` is that of its cells."""

    heading: str
    css: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows whose first cell names them."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    empty: str = "Nothing."
    foot: Sequence[Cell] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure that is seen first."""

    label: str
    text: str
    title: str = ""
    unit: str = ""
    note: str = ""
    href: str = ""
    css: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """A few of them in a row."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart, what it shows in words, and the ends of its axis."""

    kind: ClassVar[str] = "figure"
    caption: str
    picture: Markup
    left: str = ""
    right: str = ""
    legend: Sequence[tuple[str, str]] = ()  # colour, words


@dataclass(frozen=True, slots=True)
class Section:
    """A card with a heading."""

    kind: ClassVar[str] = "section"
    heading: str
    blocks: Sequence[Block]
    note: str = ""
    open: bool | None = None  # None: always shown; else it folds


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence that stands out."""

    kind: ClassVar[str] = "notice"
    text: str
    css: str = ""
    href: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are, one below the other."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, Cell]]


@dataclass(frozen=True, slots=True)
class Links:
    """Where to go from here; the current one has no address."""

    kind: ClassVar[str] = "links"
    label: str
    links: Sequence[tuple[str, str]]  # words, address


@dataclass(frozen=True, slots=True)
class Preformatted:
    """Text that somebody else wrote, shown letter by letter."""

    kind: ClassVar[str] = "pre"
    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """A field of a filter; with `options` a list to choose from, else free text, `known` words to start with."""

    name: str
    label: str
    value: str = ""
    options: Sequence[tuple[str, str]] = ()
    known: Sequence[str] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """A form that asks for the same page, narrowed."""

    kind: ClassVar[str] = "filter"
    action: str
    choices: Sequence[Choice]
    kept: Mapping[str, str] = field(default_factory=dict)


Block = Table | Tiles | Figure | Section | Notice | Facts | Links | Preformatted | Filter


@dataclass(frozen=True, slots=True)
class Page:
    """One page."""

    title: str
    blocks: Sequence[Block]
    place: str = ""  # which entry of the navigation it belongs to
    about: str = ""
    crumbs: Sequence[tuple[str, str]] = ()  # words, address
    status: int = 200


CURRENCY = "Currency"


def tabled(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    empty: str = "Nothing.",
    foot: Sequence[Cell] = (),
) -> Table:
    """A table whose column of currencies is left out where there is one: the caption says it."""
    places = [place for place, column in enumerate(columns) if column.heading == CURRENCY]
    found = {row[places[0]].text for row in rows} if places else set()
    if len(found) != 1:
        return Table(caption, columns, rows, empty, foot)
    [currency] = found

    def without(cells: Sequence[Cell]) -> list[Cell]:
        return [cell for place, cell in enumerate(cells) if place != places[0]]

    kept = [column for column in columns if column.heading != CURRENCY]
    said = f"{caption}; in {currency}" if currency else caption
    return Table(said, kept, [without(row) for row in rows], empty, without(foot))


def to(path: str, **parameters: str | int | None) -> str:
    """An address; parameters that are empty are left out."""
    given = {name.rstrip("_"): value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def amount(
    value: Decimal | None, currency: str, *, href: str = "", all_places: bool = False, css: str = "", note: str = ""
) -> Cell:
    """Money, exact on hover; red where it is below 0."""
    if value is None:
        return Cell(figures.NONE, css=NUMBER, note=note)
    full = figures.exact(value)
    shown = full if all_places else figures.money(value, currency)
    colour = css or (WORSE if value < 0 else "")
    return Cell(shown, href, f"{full} {currency}".strip(), f"{NUMBER} {colour}".strip(), note)


def count(number: int, *, href: str = "", css: str = "") -> Cell:
    """A whole number."""
    return Cell(f"{number:,}", href, css=f"{NUMBER} {css}".strip())


def tile(label: str, value: Decimal, currency: str, *, note: str = "", href: str = "", css: str = "") -> Tile:
    """Money as a tile."""
    colour = css or (WORSE if value < 0 else "")
    return Tile(
        label,
        figures.money(value, currency),
        f"{figures.exact(value)} {currency}".strip(),
        currency,
        note,
        href,
        colour,
    )

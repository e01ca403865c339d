"""A price list as a table: CSV text with a line for each price, as a spreadsheet writes it.

Columns  provider, model, meter, price are needed; mode, region, per, above, from, hours_from, hours_to, zone, days,
         alias_of, source, key, note, url may be there. Their order is free; an empty cell is as if it were not there.
Lines    those of one provider, model, mode and region make one entry. `above` or `from` puts a price into the context
         tier of that size, `hours_from` and `hours_to` into hours (`days` separated by spaces), all of them into a tier
         of these hours. A line with `alias_of` has no price: its model is another name of that one.
Errors   `BookError` naming line and column. A table without a line is an error: it would be a book without a price.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from billing.documents import BookError
from billing.prices.book import Alias
from billing.prices.entry import PriceEntry
from billing.prices.importers.contract import ImportedBook, Listed, unusable
from billing.prices.price import PER_MAX, Price
from topics.meters import MeterCatalogue, MeterKind

NEEDED = ("provider", "model", "meter", "price")
CONDITIONS = ("above", "from", "hours_from", "hours_to", "zone", "days")
PROVENANCE = ("source", "key", "note", "url")
COLUMNS = (*NEEDED, "mode", "region", "per", *CONDITIONS, "alias_of", *PROVENANCE)
NAMES = ("provider", "model", "region", "alias_of")
DIGITS_MAX = 20
MODES = ("standard", "batch", "flex", "priority")
Cells = Mapping[str, str]
Entry = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the table: its number in the file, and its cells that are not empty."""

    name: str
    number: int
    cells: Cells

    def error(self, column: str, sentence: str) -> BookError:
        """Naming line and column."""
        return BookError(f"{self.name}, line {self.number}, column {column}: {sentence}")

    def whole(self, column: str) -> int | None:
        """A whole number, None where the cell is empty."""
        text = self.cells.get(column)
        if text is None:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
            raise self.error(column, f"{text!r} is no whole number")
        return int(text)

    def check(self) -> None:
        """Names that an event can have; beside an alias nothing that only a price has."""
        for column in NAMES:
            wrong = unusable(self.cells[column]) if column in self.cells else ""
            if wrong:
                raise self.error(column, wrong)
        if "alias_of" in self.cells:
            for column in (*NEEDED[2:], "mode", "region", "per", *CONDITIONS):
                if column in self.cells:
                    raise self.error(column, "a line with alias_of has no price, and nothing that belongs to one")


def import_csv(text: str, *, name: str, catalogue: MeterCatalogue, source: str = "") -> ImportedBook:
    """The entries of a table."""
    lines = list(_lines(text, name))
    if not lines:
        raise BookError(f"{name}: the table has no line below its header: there is no price to import")
    entries: dict[tuple[str, str, str, str], Entry] = {}
    first: dict[tuple[str, str, str, str], _Line] = {}
    aliases: dict[tuple[str, str], list[str]] = {}
    priced: dict[str, Listed] = {}
    for line in lines:
        if "alias_of" in line.cells:
            aliases.setdefault((line.cells["provider"], line.cells["alias_of"]), []).append(line.cells["model"])
            continue
        key = (
            line.cells["provider"],
            line.cells["model"],
            line.cells.get("mode", "standard"),
            line.cells.get("region", ""),
        )
        if key[2] not in MODES:
            raise line.error("mode", f"{key[2]!r} is none of {', '.join(MODES)}")
        entry = entries.setdefault(key, _entry(key, line, source or name))
        first.setdefault(key, line)
        _put(entry, line, catalogue)
        priced[f"line {line.number}"] = Listed(key[0], priced=True, taken=True)
    made = tuple(_checked(entry, first[key]) for key, entry in entries.items())
    return ImportedBook(
        source=source or name,
        in_source=len(lines),
        entries=made,
        aliases=tuple(Alias(provider=p, model=m, names=tuple(names)) for (p, m), names in aliases.items()),
        regions=(),
        skipped=(),
        listed=priced,
    )


def _lines(text: str, name: str) -> Iterator[_Line]:
    reader = csv.reader(text.removeprefix("\ufeff").splitlines(keepends=True), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise BookError(f"{name}: the file is empty; its first line has to name the columns: {', '.join(COLUMNS)}")
        columns = [column.strip().lower() for column in header]
        _check_header(columns, name)
        for cells in reader:
            number = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(columns):
                raise BookError(
                    f"{name}, line {number}: {len(cells)} cells, but {len(columns)} columns: is a comma not quoted?"
                )
            line = _Line(
                name,
                number,
                {column: cell.strip() for column, cell in zip(columns, cells, strict=False) if cell.strip()},
            )
            for column in ("provider", "model") if "alias_of" in line.cells else NEEDED:
                if column not in line.cells:
                    raise line.error(column, "is empty")
            line.check()
            yield line
    except csv.Error as error:
        raise BookError(f"{name}, line {reader.line_num}: no valid CSV: {error}") from None


def _check_header(columns: list[str], name: str) -> None:
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise BookError(
            f"{name}, line 1: no such column: {', '.join(map(repr, unknown))}; there are {', '.join(COLUMNS)}"
        )
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        raise BookError(f"{name}, line 1: the column {', '.join(missing)} is missing; {', '.join(NEEDED)} are needed")
    if len(set(columns)) < len(columns):
        twice = sorted({column for column in columns if columns.count(column) > 1})
        raise BookError(f"{name}, line 1: the column {', '.join(twice)} is there twice")


def _entry(key: tuple[str, str, str, str], line: _Line, source: str) -> Entry:
    provenance = {column: line.cells[column] for column in PROVENANCE if column in line.cells}
    return {
        **dict(zip(("provider", "model", "mode", "region"), key, strict=True)),
        "meters": {},
        "tiers": [],
        "hours": [],
        "provenance": {"source": source, **provenance},
    }


def _put(entry: Entry, line: _Line, catalogue: MeterCatalogue) -> None:
    """Put a line's price where its conditions say."""
    meter = line.cells["meter"]
    if meter not in catalogue or catalogue[meter].kind is not MeterKind.INFERENCE:
        raise line.error(
            "meter", f"{meter!r} is no inference meter of the catalogue: correct the name, or declare the meter"
        )
    within = entry
    if "hours_from" in line.cells or "hours_to" in line.cells:
        hours: Entry = {
            "from": line.cells.get("hours_from"),
            "to": line.cells.get("hours_to"),
            "zone": line.cells.get("zone", "UTC"),
        }
        for column in ("hours_from", "hours_to"):
            if column not in line.cells:
                raise line.error(column, "is empty: hours have a beginning and an end")
        if "days" in line.cells:
            hours["days"] = line.cells["days"].lower().split()
        within = _condition(within, "hours", hours)
    elif {"zone", "days"} & line.cells.keys():
        raise line.error("hours_from", "is empty: a zone and days belong to hours")
    above, start = line.whole("above"), line.whole("from")
    if above is not None and start is not None:
        raise line.error("from", "a tier has either `above` (more than so many tokens) or `from` (so many or more)")
    if above is not None or start is not None:
        within = _condition(within, "tiers", {"above": above} if above is not None else {"from": start})
    meters = within["meters"]
    if not isinstance(meters, dict):
        raise TypeError("meters are a table")
    if meter in meters:
        raise line.error(
            "meter", f"{meter} of this model has a price already, under the same conditions: keep one line"
        )
    meters[meter] = _price(line)


def _condition(entry: Entry, kind: str, condition: Entry) -> Entry:
    """The table of a condition, made where it is not there yet."""
    listed = entry.setdefault(kind, [])
    if not isinstance(listed, list):
        raise TypeError(f"{kind} are a list")
    for each in listed:
        if all(each.get(name) == value for name, value in condition.items()) and each.keys() - condition.keys() <= {
            "meters",
            "tiers",
        }:
            return each  # type: ignore[no-any-return]
    made: Entry = {**condition, "meters": {}}
    listed.append(made)
    return made


def _price(line: _Line) -> Price:
    per = line.whole("per")
    if per is not None and not 1 <= per <= PER_MAX:
        raise line.error("per", f"{per} is outside 1 to {PER_MAX}")
    try:
        return Price.model_validate({"price": line.cells["price"], "per": per or 1})
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise line.error("price", message.removeprefix("price: ")) from None


def _checked(entry: Entry, line: _Line) -> PriceEntry:
    """The entry; a table whose plain prices are all missing is one of conditions without anything to replace."""
    if not entry["meters"]:
        words = f"{entry['provider']} / {entry['model']}"
        raise line.error("price", f"{words} has prices under conditions only: add those that apply otherwise")
    try:
        return PriceEntry.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in first["loc"])
        raise BookError(
            f"{line.name}, lines from {line.number}: {where}: {first['msg'].removeprefix('Value error, ')}"
        ) from None

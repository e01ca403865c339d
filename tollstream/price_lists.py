"""Where price lists come from: the installed packages, or a file. Their data is read; nothing of theirs is imported.

litellm       the price map inside of its package, a JSON file
genai-prices  the data module inside of its package, read as text; a file may also be the project's data.json
CSV           a table of one's own (docs/importers.md)

A number of a list is a decimal from its text on: `parse_float=Decimal`, and what is no finite number is refused.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Never

from billing.prices.importers.contract import ImportedBook
from billing.prices.importers.csv_table import import_csv
from billing.prices.importers.genai import document_of_module, import_genai_prices
from billing.prices.importers.litellm import import_litellm
from tollstream.errors import UserError
from topics.meters import MeterCatalogue

PACKAGED = {
    "litellm": "litellm/model_prices_and_context_window_backup.json",
    "genai-prices": "genai_prices/data.py",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to import, and how."""

    source: str  # litellm, genai-prices, or the path of a table
    file: Path | None  # in place of the package's own list
    at: datetime
    free: bool
    vertex_regions: tuple[str, ...]


def import_list(wanted: Wanted, catalogue: MeterCatalogue) -> ImportedBook:
    """Read a list and import it; UserError or BookError says what is wrong with it."""
    if wanted.source not in PACKAGED:
        return _table(wanted, catalogue)
    path, source = (
        _packaged(wanted.source) if wanted.file is None else (wanted.file, f"{wanted.source}, {wanted.file.name}")
    )
    text = _text(path)
    if wanted.source == "litellm":
        document = _json(text, path)
        if not isinstance(document, Mapping):
            raise UserError(f"{path}: litellm's price map is a JSON object, a model for each key.")
        return import_litellm(document, source=source, free=wanted.free, vertex_regions=wanted.vertex_regions)
    found = document_of_module(text, str(path)) if path.suffix == ".py" else _json(text, path)
    return import_genai_prices(found, at=wanted.at.date(), source=source, free=wanted.free)


def _table(wanted: Wanted, catalogue: MeterCatalogue) -> ImportedBook:
    path = Path(wanted.source)
    if path.suffix.lower() != ".csv":
        raise UserError(f"{wanted.source!r} is neither {', nor '.join(PACKAGED)}, nor a file whose name ends in .csv.")
    if wanted.file is not None:
        raise UserError("--file is for litellm and genai-prices; a table is named itself.")
    return import_csv(_text(path), name=str(path), catalogue=catalogue, source=path.name)


def _packaged(name: str) -> tuple[Path, str]:
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"{name} is not installed beside tollstream: `pip install 'tollstream[importers]'` does that, "
            "or give its list with --file."
        ) from None
    path = Path(str(distribution.locate_file(PACKAGED[name])))
    if not path.is_file():
        raise UserError(f"{name} {distribution.version} has no {PACKAGED[name]}: give its list with --file.")
    return path, f"{name} {distribution.version}"


def _text(path: Path) -> str:
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8.") from None


def _json(text: str, path: Path) -> object:
    def refuse(constant: str) -> Never:
        raise UserError(f"{path}: {constant} is no price.")

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: is no valid JSON: {error.msg}.") from None
    except (ValueError, ArithmeticError):
        raise UserError(f"{path}: holds a number of more digits than any price has.") from None
    except RecursionError:
        raise UserError(f"{path}: is nested too deeply to be a price list.") from None

"""Tables in plain text, as golden files: a header line, a row a line, columns by two or more spaces, # for comments."""

from __future__ import annotations

import re
from pathlib import Path

GAP = re.compile(r"\s{2,}")


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows, each as header -> text; ValueError names the line whose columns do not fit."""
    rows: list[dict[str, str]] = []
    header: list[str] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = GAP.split(line.strip())
        if not header:
            header = cells
        elif len(cells) != len(header):
            raise ValueError(f"{path.name}:{number} has {len(cells)} columns, the header has {len(header)}")
        else:
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def write_table(path: Path, rows: list[dict[str, str]]) -> None:
    """Replace the rows of a table; comments above its header stay, those between rows go."""
    comments = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            break
        comments.append(line)
    header = list(rows[0])
    widths = [max(len(name), *(len(row[name]) for row in rows)) for name in header]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        for cells in [header, *([row[name] for name in header] for row in rows)]
    ]
    path.write_text("\n".join([*comments, *lines]) + "\n", encoding="utf-8")

"""A statement as CSV (RFC 4180): one header, then a row for each line, in the order of the statement.

Amounts  plain decimals, never grouped: `amount` as it is paid, `exact` and `charge` as they were before rounding.
Sums     `amount` over all rows is what is due; without kinds `tax` and `payment` it is the net.
Text     A spreadsheet would run a text that begins with = + - @ as a formula: such text gets a ' before it, which is
         how spreadsheets mark text. JSON has it as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tollstream.rendering import figures
from tollstream.rendering.document import StatementDocument

COLUMNS = (
    "number", "issued", "builder", "tenant", "period", "period_start", "period_end", "line", "kind", "key", "label",
    "unit", "quantity", "unit_price", "amount", "currency", "exact", "charge", "charge_currency", "reason", "refers_to",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def written(document: StatementDocument) -> bytes:
    """The whole file."""
    statement = document.statement
    period = statement.period
    who = [
        text(document.number), document.issued.isoformat() if document.issued else "", text(statement.builder),
        text(statement.tenant), text(period.label), moment(period.start), moment(period.end),
    ]  # fmt: skip
    rows = [
        [
            *who,
            str(place),
            line.kind,
            text(line.key),
            text(line.label),
            text(line.unit),
            "" if line.quantity is None else figures.plain(line.quantity),
            "" if line.unit_price is None else f"{line.unit_price:f}",
            figures.plain_money(line.amount, statement.currency),
            statement.currency,
            f"{line.exact:f}",
            f"{line.charge:f}",
            statement.charge_currency,
            text(line.reason),
            text(line.refers_to),
        ]
        for place, line in enumerate(statement.lines, 1)
    ]
    return file(COLUMNS, rows)


def file(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Rows end in CRLF; quotes stand where they have to."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue().encode()


def text(words: str) -> str:
    """Words that no spreadsheet takes for a formula."""
    return f"'{words}" if words.startswith(FORMULA) or words.lstrip(" '").startswith(FORMULA) else words


def moment(when: datetime) -> str:
    """2026-10-01T00:00:00Z."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

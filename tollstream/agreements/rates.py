"""Exchange rates: read from a file or the command line, and recorded, one for each pair and day."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

from billing.currencies import CODES
from billing.errors import BillingError
from billing.money import SCALE, parse_decimal
from sinks.agreements import RATES, RateRecord
from sinks.clickhouse.statement_store import ClickHouseStatementStore
from sinks.journals import append
from tollstream.errors import UserError

COLUMNS = ("day", "base", "quote", "rate")
RATE_MAX = Decimal(10) ** 9
Key = tuple[date, str, str]


class RateRefusedError(UserError):
    """Nothing was recorded."""


def rate(day: str, base: str, quote: str, text: str, source: str, by: str, reason: str, where: str = "") -> RateRecord:
    """A rate as it was written. Raises `RateRefusedError`, naming `where`."""
    at = f"{where}: " if where else ""
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise RateRefusedError(f"{at}{day!r} is no day: write 2026-10-31.") from None
    for code in (base, quote):
        if code not in CODES:
            raise RateRefusedError(f"{at}{code!r} is no currency code of ISO 4217, such as USD or EUR.")
    if base == quote:
        raise RateRefusedError(f"{at}one {base} is one {quote}: that needs no rate.")
    if not source.strip():
        raise RateRefusedError(f"{at}the source is missing: say who publishes the rate, such as ECB.")
    try:
        value = parse_decimal(text, what="rate", places=SCALE, least=Decimal(1).scaleb(-SCALE), most=RATE_MAX)
    except BillingError as error:
        raise RateRefusedError(f"{at}{error}.") from None
    return RateRecord(when, base, quote, value, source.strip(), by, reason)


def read_rates(path: Path, source: str, by: str, reason: str) -> list[RateRecord]:
    """From CSV with the columns day, base, quote, rate and, where `source` is not given, source."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_rows(path, csv.DictReader(file), source, by, reason))
    except UnicodeDecodeError:
        raise RateRefusedError(f"{path}: this is no UTF-8 text.") from None


def _rows(path: Path, reader: csv.DictReader[str], source: str, by: str, reason: str) -> Iterator[RateRecord]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise RateRefusedError(f"{path}: no column {', '.join(missing)}; the first line names day,base,quote,rate.")
    for row in reader:
        given = [(row[name] or "").strip() for name in COLUMNS]
        day, base, quote, text = given
        yield rate(
            day, base, quote, text, source or (row.get("source") or ""), by, reason, f"{path} line {reader.line_num}"
        )


async def record_rates(store: ClickHouseStatementStore, rates: Sequence[RateRecord]) -> list[RateRecord]:
    """Record those that are not there; answers them. Raises `RateRefusedError` where one has another value."""
    wanted: dict[Key, RateRecord] = {}
    for each in rates:
        other = wanted.setdefault(_key(each), each)
        if other.rate != each.rate:
            raise RateRefusedError(
                f"{each.base} to {each.quote} on {each.day} stands twice, as {other.rate} and {each.rate}."
            )

    def judge(standing: list[RateRecord]) -> list[RateRecord]:
        known = {_key(each): each for each in standing}
        new = []
        for key, each in sorted(wanted.items()):
            there = known.get(key)
            if there is None:
                new.append(each)
            elif there.rate != each.rate:
                raise RateRefusedError(
                    f"{each.base} to {each.quote} on {each.day} is {there.rate.normalize():f} on record, by "
                    f"{there.recorded_by} ({there.source}): a rate is never changed, for statements may be made with "
                    "it. Nothing was recorded."
                )
        return new

    return await append(store, RATES, {}, judge)


def _key(record: RateRecord) -> Key:
    return record.day, record.base, record.quote

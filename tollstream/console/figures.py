"""Figures for the console: rounded half-even for reading, exact on hover and where somebody asks for all places.

Money    at the currency's places (ISO 4217); an amount that would read as 0 and is none keeps two digits that count.
         Every figure carries its exact value in all twelve places.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal

from billing.currencies import exponent

CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)
MINUS, NONE = "−", "–"
ZERO = Decimal(0)
_DIGITS = 2  # that count, of an amount below the smallest unit


def money(amount: Decimal, currency: str) -> str:
    """1,234.50, −0.0031."""
    places = exponent(currency)
    rounded = amount.quantize(Decimal(1).scaleb(-places), context=CONTEXT)
    if not rounded and amount:
        places = _DIGITS - 1 - amount.adjusted()
        rounded = amount.quantize(Decimal(1).scaleb(-places), context=CONTEXT)
    return _signed(rounded, f"{rounded.copy_abs():,.{places}f}")


def exact(amount: Decimal) -> str:
    """All twelve places: 0.012345678900."""
    return _signed(amount, f"{amount.copy_abs():,.12f}")


def priced(amount: Decimal, currency: str) -> str:
    """A price of one unit: the currency's places, and more where it has more."""
    shown = max(exponent(currency), -_exponent(amount))
    return _signed(amount, f"{amount.copy_abs():,.{shown}f}")


def quantity(number: Decimal | int) -> str:
    """1,234.5: no zeros at the end."""
    size = Decimal(number).copy_abs()
    return _signed(Decimal(number), f"{size:,.{max(0, -_exponent(size))}f}")


def percent(part: Decimal, whole: Decimal) -> str:
    """12.5 %; a dash where nothing is divided."""
    if whole <= 0:
        return NONE
    found = CONTEXT.divide(part * 100, whole).quantize(Decimal("0.1"), context=CONTEXT)
    return f"{_signed(found, f'{found.copy_abs():,f}')} %"


def counted(number: int, noun: str) -> str:
    """1 event; 2,000 events."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def time(moment: datetime) -> str:
    """2026-10-03 14:00:05 UTC, without seconds that are 0."""
    shown = moment.astimezone(UTC)
    clock = shown.strftime("%H:%M:%S" if shown.second or shown.microsecond else "%H:%M")
    return f"{shown:%Y-%m-%d} {clock} UTC"


def machine_time(moment: datetime) -> str:
    """RFC 3339, for programs and addresses."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def words(name: str) -> str:
    """`output_tokens` as "output tokens"."""
    return name.replace("_", " ")


def _signed(number: Decimal, text: str) -> str:
    return f"{MINUS}{text}" if number < 0 else text


def _exponent(number: Decimal) -> int:
    found = number.normalize(CONTEXT).as_tuple().exponent
    return found if isinstance(found, int) else 0

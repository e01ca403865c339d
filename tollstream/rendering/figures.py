"""Figures, dates and words for people. Amounts are not rounded here: a statement's amounts are rounded already.

Money    grouped, as many places as the currency has, a true minus: −1,234.50.
Prices   of one unit: at least the currency's places, at most six; below a thousandth four digits that count.
Days     1–31 October 2026; in English whatever the machine's language is.
"""

from __future__ import annotations

import unicodedata
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal

from billing.currencies import exponent
from billing.periods import Period

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
# Signs that a reader of the currency knows; the code always stands beside them, for some name more than one currency.
SIGNS = {
    "EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "CNY": "¥", "KRW": "₩", "NGN": "₦", "PHP": "₱", "PLN": "zł",
    "TRY": "₺", "UAH": "₴", "USD": "$", "VND": "₫",
}  # fmt: skip
ZERO = Decimal(0)
PRICE_PLACES = 6
PRICE_DIGITS = 4
_PRICES = Context(prec=80, rounding=ROUND_HALF_EVEN)
_SMALL = Decimal("0.001")
# What turns the direction of text around, so that an amount could be read backwards.
_TURNS = frozenset(map(chr, (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))))


def money(amount: Decimal, currency: str) -> str:
    """1,234.50 of a currency with two places; zero has no sign."""
    return _signed(amount, f"{amount.copy_abs():,.{_places(amount, currency)}f}")


def about(amount: Decimal, currency: str) -> str:
    """As `money`, rounded half-even for reading: for what is no amount of a statement."""
    return money(amount.quantize(Decimal(1).scaleb(-exponent(currency)), context=_PRICES), currency)


def plain_money(amount: Decimal, currency: str) -> str:
    """-1234.50, for programs."""
    return f"{amount or ZERO:.{_places(amount, currency)}f}"


def _places(amount: Decimal, currency: str) -> int:
    """Never fewer than the amount has, so that nothing is rounded by writing it."""
    return max(exponent(currency), -_exponent(amount))


def _exponent(amount: Decimal) -> int:
    found = amount.normalize(_PRICES).as_tuple().exponent
    return found if isinstance(found, int) else 0


def sign_of(currency: str) -> str:
    """€ for EUR; "" where there is none."""
    return SIGNS.get(currency, "")


def quantity(number: Decimal) -> str:
    """1,234.5: no zeros at the end."""
    return _signed(number, f"{number.copy_abs():,.{max(0, -_exponent(number))}f}")


def plain(number: Decimal) -> str:
    """-1234.5, for programs."""
    return f"{number or ZERO:.{max(0, -_exponent(number))}f}"


def unit_price(price: Decimal, currency: str) -> str:
    """Rounded half-even for reading, where it has more places than a reader wants."""
    size = price.copy_abs()
    places = PRICE_PLACES
    if size and size < _SMALL:
        places = PRICE_DIGITS - 1 - size.adjusted()
    rounded = size.quantize(Decimal(1).scaleb(-places), context=_PRICES)
    return _signed(price, f"{rounded:,.{max(exponent(currency), -_exponent(rounded))}f}")


def _signed(number: Decimal, text: str) -> str:
    return f"−{text}" if number < 0 else text


def day(when: date) -> str:
    """1 October 2026."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def days(first: date, last: date) -> str:
    """From the first to the last day, both included: 1–31 October 2026."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    if first.year == last.year:
        return f"{first.day} {MONTHS[first.month - 1]} – {day(last)}"
    return f"{day(first)} – {day(last)}"


def period_days(period: Period) -> str:
    """The days of a period, in the Builder's time zone."""
    return days(period.first_day, period.last_day)


def period_name(period: Period) -> str:
    """October 2026; Week 41 of 2026; else the days."""
    year, _, rest = period.label.partition("-")
    if rest.startswith("W"):
        return f"Week {int(rest[1:])} of {year}"
    if len(rest) == 2:
        return f"{MONTHS[period.first_day.month - 1]} {year}"
    return period_days(period)


def meter_words(unit: str) -> str:
    """`premium_tasks` as "premium tasks"."""
    return unit.replace("_", " ")


def tidy(text: str) -> str:
    """On one line, without what a terminal or a browser would obey rather than show: each such sign becomes �."""
    return " ".join("".join(_shown(sign) for sign in text).split())


def tidy_lines(text: str) -> list[str]:
    """The same for text of several lines; empty ones are left out."""
    return [line for line in map(tidy, text.splitlines()) if line]


def _shown(sign: str) -> str:
    if sign in "\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        return " "
    if sign in _TURNS or unicodedata.category(sign) in ("Cc", "Cs"):
        return "\N{REPLACEMENT CHARACTER}"
    return sign

"""A statement as JSON, and back: keys in one order, amounts as strings, times in UTC, no spaces.

Shapes  written(document) -> bytes is for the tenant: all of it but the postings, for what a provider or a Builder is
        owed is not the tenant's. `everything` has the postings, too. parse(bytes) -> StatementDocument reads both.
Laws    parse(everything(document)) == document; written(parse(written(document))) == written(document).
Errors  `RecordError` says what is wrong with a text that is no statement of this format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from billing.credits import Draw, Grant
from billing.periods import Period
from billing.postings import Posting
from billing.statements import Standing, Statement, StatementLine, Totals
from tollstream.errors import UserError
from tollstream.rendering.document import Party, StatementDocument

FORMAT = "tollstream.statement/1"


class RecordError(UserError):
    """JSON that is no statement, or one of another format."""


def written(document: StatementDocument) -> bytes:
    """For the tenant: without postings."""
    return _bytes(_document(document))


def everything(document: StatementDocument) -> bytes:
    """For the books: with postings."""
    return _bytes({**_document(document), "postings": [_plain(each) for each in document.statement.postings]})


def parse(content: bytes | str) -> StatementDocument:
    """The document that was written; without postings where it was written without."""
    try:
        given = json.loads(content)
    except ValueError as error:
        raise RecordError(f"no statement: this is not JSON ({error})") from None
    named = given.get("format") if isinstance(given, dict) else None
    if named != FORMAT:
        raise RecordError(f'no statement of this version: "format" is {named!r}, and {FORMAT!r} is read here')
    try:
        return _parsed(given)
    except KeyError as error:
        raise RecordError(f"no whole statement: {error} is missing") from None
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise RecordError(f"no whole statement: {error}") from None


def _bytes(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _document(document: StatementDocument) -> dict[str, object]:
    statement = document.statement
    return {
        "format": FORMAT,
        "number": document.number,
        "issued": _text(document.issued),
        "pay_by": _text(document.pay_by),
        "builder": {"id": statement.builder, **_plain(document.builder)},
        "tenant": {"id": statement.tenant, **_plain(document.tenant)},
        "note": document.note,
        "period": _plain(statement.period),
        "currency": statement.currency,
        "charge_currency": statement.charge_currency,
        "lines": [dict(zip(StatementLine._fields, map(_text, line), strict=True)) for line in statement.lines],
        "totals": _plain(statement.totals),
        "standings": [_plain(standing) for standing in statement.standings],
        "draws": [_plain(draw) for draw in statement.draws],
        "carried_over": [_plain(grant) for grant in statement.carried_over],
    }


def _plain(value: Any) -> dict[str, object]:
    """A dataclass, or a tuple with names, field by field."""
    names = value._fields if hasattr(value, "_fields") else [field.name for field in fields(value)]
    return {name: _text(getattr(value, name)) for name in names}


def _text(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _parsed(given: Mapping[str, Any]) -> StatementDocument:
    builder, tenant = dict(given["builder"]), dict(given["tenant"])
    period = dict(given["period"])
    statement = Statement(
        builder.pop("id"),
        tenant.pop("id"),
        Period(
            period["label"],
            datetime.fromisoformat(period["start"]),
            datetime.fromisoformat(period["end"]),
            date.fromisoformat(period["first_day"]),
            date.fromisoformat(period["end_day"]),
        ),
        given["currency"],
        given["charge_currency"],
        tuple(_line(each) for each in given["lines"]),
        Totals(**{name: Decimal(text) for name, text in given["totals"].items()}),
        tuple(Posting(**_decimals(each, "amount")) for each in given.get("postings", ())),
        tuple(Draw(**_decimals(each, "quantity", "amount", "earned")) for each in given["draws"]),
        tuple(_grant(each) for each in given["carried_over"]),
        tuple(Standing(**_decimals(each, "used", "limit")) for each in given["standings"]),
    )
    return StatementDocument(
        statement,
        given["number"],
        _date(given["issued"]),
        _date(given["pay_by"]),
        Party(**builder),
        Party(**tenant),
        given["note"],
    )


def _line(given: Mapping[str, Any]) -> StatementLine:
    decimals = _decimals(given, "amount", "exact", "charge")
    for name in ("quantity", "unit_price"):
        decimals[name] = None if given[name] is None else Decimal(given[name])
    return StatementLine(**decimals)


def _grant(given: Mapping[str, Any]) -> Grant:
    moments = {name: given[name] and datetime.fromisoformat(given[name]) for name in ("granted_at", "expires_at")}
    return Grant(**{**_decimals(given, "quantity", "price_paid"), **moments})


def _decimals(given: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """As the dataclasses have it: decimals of these texts, tuples of lists."""
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return {**plain, **{name: Decimal(given[name]) for name in names}}


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)

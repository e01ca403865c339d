"""CSV: RFC 4180, sums that are the totals, and no text that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal

import pytest

from billing.statements import NET_KINDS
from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, render, table

PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def rows(name: str, form: Form = Form.CSV) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(SAMPLES[name], form).decode(), newline=""), strict=True))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_row_for_each_line_adds_up_to_the_totals(name: str) -> None:
    statement = SAMPLES[name].statement
    found = rows(name)
    assert [row["key"] for row in found] == [table.text(line.key) for line in statement.lines]
    assert [row["line"] for row in found] == [str(place) for place in range(1, len(found) + 1)]
    amounts = [(row["kind"], Decimal(row["amount"])) for row in found]
    assert sum(amount for _, amount in amounts) == statement.totals.due
    assert sum(amount for kind, amount in amounts if kind in NET_KINDS) == statement.totals.net
    assert sum(amount for kind, amount in amounts if kind == "tax") == statement.totals.tax
    assert sum(Decimal(row["exact"]) for row in found if row["kind"] in NET_KINDS) == statement.totals.exact


@pytest.mark.parametrize("name", SAMPLES)
def test_figures_are_plain_decimals(name: str) -> None:
    for row in rows(name):
        for column in ("quantity", "unit_price", "amount", "exact", "charge"):
            assert PLAIN.fullmatch(row[column]) or (not row[column] and column in ("quantity", "unit_price")), row


def test_rows_end_as_rfc_4180_says_and_have_equally_many_fields() -> None:
    for name in SAMPLES:
        text = render(SAMPLES[name], Form.CSV).decode()
        assert text.startswith(",".join(table.COLUMNS) + "\r\n")
        assert text.endswith("\r\n")
        read = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        assert {len(row) for row in read} == {len(table.COLUMNS)}


@pytest.mark.parametrize("form", [Form.CSV, Form.FOCUS])
def test_no_text_of_a_hostile_statement_is_a_formula(form: Form) -> None:
    figures = 0
    for row in rows("hostile", form):
        for column, text in row.items():
            if text.startswith(table.FORMULA):
                assert PLAIN.fullmatch(text), (column, text)
                figures += 1
    assert figures  # amounts below 0 are figures and stay figures


@pytest.mark.parametrize(
    ("words", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@name", "'@name"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("'=1", "''=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("", ""),
        ("'twas", "'twas"),
    ],
)
def test_a_text_that_looks_like_a_formula_is_marked_as_text(words: str, written: str) -> None:
    assert table.text(words) == written

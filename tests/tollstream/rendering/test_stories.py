"""Every golden statement, as it really comes about: each form renders it, and its figures are the statement's."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

from billing.statements import Statement
from tests.support.statement_stories import Story
from tollstream.rendering import Form, StatementDocument, figures, record, render

STORIES = sorted((Path(__file__).parents[2] / "golden" / "statements").glob("*.txt"))


def told(path: Path) -> list[Statement]:
    story = Story(path)
    story.told()
    return story.statements


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_golden_statement_reads_the_same_in_every_form(path: Path) -> None:
    statements = told(path)
    assert statements
    for number, statement in enumerate(statements, 1):
        document = StatementDocument(statement, f"S-{number:06d}")
        forms = {form: render(document, form) for form in Form}
        assert record.parse(record.everything(document)) == document
        amounts = [figures.money(line.amount, statement.currency) for line in statement.lines]
        due = f"{figures.money(statement.totals.due, statement.currency)} {statement.currency}"
        pdf = "".join(page.extract_text() for page in PdfReader(BytesIO(forms[Form.PDF])).pages)
        for text in (forms[Form.HTML].decode(), forms[Form.TEXT].decode(), pdf):
            packed = re.sub(r"\s", "", text)
            assert all(amount in packed for amount in amounts)
            assert re.sub(r"\s", "", due) in packed
        for form, column, total in (
            (Form.CSV, "amount", statement.totals.due), (Form.FOCUS, "BilledCost", statement.totals.total),
        ):  # fmt: skip
            rows = list(csv.DictReader(io.StringIO(forms[form].decode(), newline="")))
            assert sum(Decimal(row[column]) for row in rows) == total


def test_there_are_stories_of_the_four_offers() -> None:
    offers = {"agency-margin", "hybrid-subscription", "included-with-top-ups", "premium-features"}
    assert {path.stem for path in STORIES} >= offers

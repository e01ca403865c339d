"""Laws that hold whatever stands in a statement: any text, any amount, any currency, any number of lines."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from decimal import Decimal
from io import BytesIO

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader
from rich.cells import cell_len

from billing.currencies import CODES, exponent
from billing.statements import KINDS, Standing, StatementLine
from tests.support.rendered.making import Made
from tests.tollstream.rendering.test_page import Tree
from tollstream.rendering import Form, Party, StatementDocument, figures, record, render
from tollstream.rendering.terminal import WIDTH

SIGNS = st.one_of(
    st.characters(exclude_categories=["Cs"]), st.sampled_from("=+-@\t\r\n\"',;<>&\x00\x1b\u202e\u2028−€東ก😀 ")
)
TEXTS = st.text(SIGNS, max_size=60)
WHOLE = st.integers(-(10**15), 10**15)


@st.composite
def documents(draw: st.DrawFn) -> StatementDocument:
    currency = draw(st.sampled_from(sorted(CODES)))
    places = exponent(currency)
    lines = []
    for place in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(KINDS))
        amount = Decimal(draw(WHOLE)).scaleb(-places)
        counted = draw(st.booleans())
        lines.append(
            StatementLine(
                f"{kind}/{place}",
                kind,
                draw(TEXTS),
                draw(TEXTS),
                Decimal(draw(WHOLE)).scaleb(-6) if counted else None,
                Decimal(draw(WHOLE)).scaleb(-12) if counted else None,
                amount,
                Decimal(draw(WHOLE)).scaleb(-12),
                Decimal(draw(WHOLE)).scaleb(-12),
                draw(TEXTS),
                draw(TEXTS),
            )
        )
    lines.sort(key=lambda line: KINDS.index(line.kind))
    unit = draw(st.sampled_from(["tasks", "a_b", "EUR", "JPY"]))
    used, limit = Decimal(draw(WHOLE)).scaleb(-6), Decimal(draw(st.integers(0, 10**15))).scaleb(-6)
    made = Made(
        draw(TEXTS), draw(TEXTS), currency, lines, charge_currency=draw(st.sampled_from([currency, "USD"])),
        standings=(Standing("allowance", "k", draw(TEXTS), unit, used, limit),),
    )  # fmt: skip
    return StatementDocument(
        made.statement(), draw(TEXTS), None, None, Party(draw(TEXTS), draw(TEXTS)), Party(draw(TEXTS), draw(TEXTS)),
        draw(TEXTS),
    )  # fmt: skip


EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@EXAMPLES
@given(documents())
def test_json_comes_back(document: StatementDocument) -> None:
    assert record.parse(record.everything(document)) == document


@EXAMPLES
@given(documents())
def test_rows_add_up_to_the_totals(document: StatementDocument) -> None:
    totals = document.statement.totals
    for form, column, expected in ((Form.CSV, "amount", totals.due), (Form.FOCUS, "BilledCost", totals.total)):
        rows = list(csv.DictReader(io.StringIO(render(document, form).decode(), newline=""), strict=True))
        assert sum(Decimal(row[column]) for row in rows) == expected
        assert all(None not in row and None not in row.values() for row in rows)


@EXAMPLES
@given(documents())
def test_html_is_well_formed_and_has_no_element_of_others(document: StatementDocument) -> None:
    page = render(document, Form.HTML).decode()
    tree = Tree(page)
    assert (tree.wrong, tree.open) == ([], [])
    assert len(tree.all("tr")) <= 3 * len(document.statement.lines) + 12
    assert not tree.all("script")
    for line in document.statement.lines:
        assert figures.money(line.amount, document.statement.currency) in tree.words


@EXAMPLES
@given(documents())
def test_text_fits_a_terminal_and_does_not_steer_it(document: StatementDocument) -> None:
    text = render(document, Form.TEXT).decode()
    assert max(map(cell_len, text.splitlines())) <= WIDTH
    assert {sign for sign in text if unicodedata.category(sign) == "Cc"} == {"\n"}


@EXAMPLES
@given(documents())
def test_the_pdf_holds_every_amount(document: StatementDocument) -> None:
    content = render(document, Form.PDF)
    text = re.sub(r"\s+", "", "".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages))
    for line in document.statement.lines:
        assert figures.money(line.amount, document.statement.currency) in text
    assert render(document, Form.PDF) == content

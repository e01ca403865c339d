"""What is told of a statement: sections, totals and remarks that are true of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing.statements import KINDS, NET_KINDS, Standing
from tests.support.rendered.making import Made, line
from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Party, StatementDocument, sections


def made(*lines: str, currency: str = "EUR") -> StatementDocument:
    """A document of usage lines with these amounts."""
    return StatementDocument(
        Made("b", "t", currency, [line("usage", f"l{n}", a) for n, a in enumerate(lines)]).statement()
    )


def test_every_kind_of_line_stands_in_one_section_or_in_the_totals() -> None:
    placed = [kind for _, kinds in sections.SECTIONS for kind in kinds]
    assert sorted(placed) == sorted(NET_KINDS)
    assert [kind for kind in KINDS if kind in placed] == placed  # in the order of a statement


@pytest.mark.parametrize("name", SAMPLES)
def test_sections_add_up_to_the_net_and_totals_to_what_is_due(name: str) -> None:
    document = SAMPLES[name]
    totals = document.statement.totals
    found = sections.sections(document)
    assert sum(section.sum for section in found) == totals.net
    assert [each for section in found for each in section.lines] == [
        each for each in document.statement.lines if each.kind in NET_KINDS
    ]
    *steps, last = sections.totals(document)
    taxes = [each.amount for each in document.statement.lines if each.kind == "tax"]
    payments = [each.amount for each in document.statement.lines if each.kind == "payment"]
    assert [step.amount for step in steps] == [
        *([totals.net, *taxes] if taxes else []), *([totals.total, *payments] if payments else []),
    ]  # fmt: skip
    assert last.amount == totals.due


@pytest.mark.parametrize(
    ("amount", "heading", "shown", "sentence"),
    [
        ("0.01", "Amount due", "0.01", "For October 2026. Please pay by 9 November 2026."),
        ("0.00", "Nothing to pay", "0", "For October 2026."),
        ("-0.01", "In your favour", "0.01", "For October 2026. There is nothing to pay: this amount is yours."),
    ],
)
def test_who_owes_whom_is_said_in_words(amount: str, heading: str, shown: str, sentence: str) -> None:
    document = replace(made(amount), pay_by=date(2026, 11, 9))
    due = sections.due(document)
    assert (due.heading, due.amount, due.sentence) == (heading, Decimal(shown), sentence)
    assert ("Pay by" in dict(sections.facts(document))) == (heading == "Amount due")


@pytest.mark.parametrize(
    ("unit", "used", "limit", "words", "part"),
    [
        ("premium_tasks", "97", "100", "97 of 100 premium tasks used, 3 left", 970),
        ("tasks", "20", "20", "20 of 20 tasks used, all of it", 1000),
        ("tasks", "0", "12.5", "0 of 12.5 tasks used, 12.5 left", 0),
        ("USD", "137.825", "100", "137.82 of 100.00 USD used, 37.82 more than that", 1000),
        ("JPY", "99.5", "1000", "100 of 1,000 JPY used, 900 left", 99),
        ("tasks", "-3", "10", "−3 of 10 tasks used, 13 left", 0),
        ("tasks", "0", "0", "0 of 0 tasks used, all of it", 1000),
    ],
)
def test_what_is_left_is_said_in_words_and_as_a_part(unit: str, used: str, limit: str, words: str, part: int) -> None:
    standing = Standing("allowance", "k", "Tasks", unit, Decimal(used), Decimal(limit))
    statement = replace(made("1.00").statement, standings=(standing,))
    [left] = sections.left(StatementDocument(statement))
    assert (left.label, left.words, left.part) == ("Tasks", words, part)


def test_remarks_are_about_this_statement() -> None:
    def said(document: StatementDocument) -> list[str]:
        return [remark.split()[0] for remark in sections.remarks(document)]

    assert said(replace(made("1.00"), number="1")) == []
    assert said(made("1.00")) == ["This"]  # a draft
    assert said(SAMPLES["hybrid-subscription"]) == ["Prices", "A"]  # another currency; unit prices
    assert said(SAMPLES["included-with-top-ups"]) == ["A", "13"]  # unit prices; carried over
    [converted, _] = sections.remarks(SAMPLES["hybrid-subscription"])
    assert "the lines come to 129.00 USD, converted to JPY" in converted


def test_a_name_of_spaces_is_no_name() -> None:
    document = replace(made("1.00"), builder=Party("Builder & Sons"), tenant=Party(" \t"))
    assert (document.builder_name, document.tenant_name) == ("Builder & Sons", "t")

"""Statements as JSON: all of it comes back; the tenant's has no postings; what is no statement is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, record, render


@pytest.mark.parametrize("name", SAMPLES)
def test_everything_comes_back(name: str) -> None:
    document = SAMPLES[name]
    assert record.parse(record.everything(document)) == document
    assert record.everything(record.parse(record.everything(document))) == record.everything(document)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tenants_json_lacks_the_postings_and_nothing_else(name: str) -> None:
    document = SAMPLES[name]
    written = render(document, Form.JSON)
    read = record.parse(written)
    assert read == replace(document, statement=replace(document.statement, postings=()))
    assert render(read, Form.JSON) == written
    assert b"builder_payable" not in written
    assert document.statement.postings


def test_what_was_read_renders_to_the_same_documents() -> None:
    for document in SAMPLES.values():
        read = record.parse(render(document, Form.JSON))
        assert [render(read, form) for form in Form] == [render(document, form) for form in Form]


def test_amounts_are_strings_and_keys_stand_in_one_order() -> None:
    found = json.loads(render(SAMPLES["premium-features"], Form.JSON))
    assert list(found) == [
        "format", "number", "issued", "pay_by", "builder", "tenant", "note", "period", "currency", "charge_currency",
        "lines", "totals", "standings", "draws", "carried_over",
    ]  # fmt: skip
    assert found["totals"] == {
        "exact": "36.38716920", "net": "36.39", "tax": "7.28", "total": "43.67", "paid": "0", "due": "43.67",
    }  # fmt: skip
    assert found["period"] == {
        "label": "2026-10", "start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z", "first_day": "2026-10-01",
        "end_day": "2026-11-01",
    }  # fmt: skip
    assert found["lines"][1]["unit_price"] == "0.261000000000"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", r"no statement: this is not JSON"),
        ("[]", r'no statement of this version: "format" is None'),
        (
            '{"format": "tollstream.statement/2"}',
            r"'tollstream.statement/2', and 'tollstream.statement/1' is read here",
        ),
        ('{"format": "tollstream.statement/1"}', r"no whole statement: 'builder' is missing"),
    ],
)
def test_what_is_no_statement_is_refused_with_a_sentence(content: str, sentence: str) -> None:
    with pytest.raises(record.RecordError, match=sentence):
        record.parse(content)


@pytest.mark.parametrize(
    ("key", "value"), [("lines", [{}]), ("lines", 7), ("totals", {"net": "1"}), ("issued", "tomorrow"), ("period", {})]
)
def test_a_part_that_is_wrong_is_refused_with_a_sentence(key: str, value: object) -> None:
    content = json.loads(render(SAMPLES["premium-features"], Form.JSON))
    with pytest.raises(record.RecordError, match="no whole statement"):
        record.parse(json.dumps({**content, key: value}))


def test_an_amount_that_is_no_number_is_refused() -> None:
    content = json.loads(render(SAMPLES["premium-features"], Form.JSON))
    content["lines"][0]["amount"] = "a lot"
    with pytest.raises(record.RecordError, match="no whole statement"):
        record.parse(json.dumps(content))

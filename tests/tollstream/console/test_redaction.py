"""What an explanation keeps for itself: rules and words about others, and from a tenant how its charge is split."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.golden.explanation.pages import answer, billed, cases
from tollstream.console.access import Access, Role
from tollstream.console.redaction import charges_only, for_reader
from tollstream.explanation.answers import EventAnswer
from tollstream.explanation.document import event_document

OPERATOR, ACME, GLOBEX = Access(Role.OPERATOR), Access(Role.BUILDER, "acme"), Access(Role.TENANT, "acme", "globex")


def of(rules: str, answered: EventAnswer, access: Access) -> list[str]:
    [row] = event_document(for_reader(answered, access))["rows"]
    return [each["id"] for each in row["explained"]["arithmetic"][rules]]


def test_an_operator_reads_everything() -> None:
    for each in cases().values():
        assert for_reader(each, OPERATOR) is each


def test_a_builder_reads_rules_about_itself_and_about_everybody() -> None:
    pages = answer("call-3", [billed(3, {"input_tokens": "1000", "pages": "20"}, tenant="initech", feature="pages")])
    assert "globex-pages" in of("rules_that_nearly_match", pages, OPERATOR)
    assert "globex-pages" not in of("rules_that_nearly_match", pages, ACME)  # names a tenant, of no Builder
    assert of("rules_that_nearly_match", pages, ACME)
    assert of("rules_that_nearly_match", pages, replace(ACME, builder="brio")) == []


def test_why_a_book_was_published_is_nobodys_business_outside() -> None:
    for each in cases().values():
        for row in event_document(for_reader(each, ACME))["rows"]:
            for book in ("price_book", "rule_book"):
                told = row["explained"][book] if row["explained"] else None
                assert told is None or (told["published_by"], told["reason"]) == ("", "")


@pytest.mark.parametrize("name", cases())
def test_a_tenant_reads_its_charge_and_no_split(name: str) -> None:
    for row in event_document(for_reader(cases()[name], GLOBEX))["rows"]:
        kept = charges_only(row)
        assert kept["amounts"].keys() == {"customer_charge"}
        assert not {"base_cost", "provider_reward", "platform_fee", "builder_earnings", "price_version"} & kept.keys()

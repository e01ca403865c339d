"""FOCUS 1.2: the columns it wants, the values it allows, nulls where it wants them, and costs that are the statement's.

The table below is written from the specification's column definitions: its rules are checked on every row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.support.rendered.making import Made, line
from tests.support.rendered.samples import SAMPLES
from tollstream.rendering import Form, StatementDocument, focus, render

Row = dict[str, str]
NUMERIC = re.compile(r"-?[0-9]+(\.[0-9]+)?")
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
CURRENCY = re.compile(r"[A-Z]{3}")
# Column: its level in FOCUS 1.2, whether it may be null, and what a value looks like.
SPECIFIED: dict[str, tuple[str, bool, re.Pattern[str] | tuple[str, ...] | None]] = {
    "BilledCost": ("Mandatory", False, NUMERIC),
    "BillingAccountId": ("Mandatory", False, None),
    "BillingAccountName": ("Mandatory", True, None),
    "BillingAccountType": ("Conditional", False, None),
    "BillingCurrency": ("Mandatory", False, CURRENCY),
    "BillingPeriodEnd": ("Mandatory", False, MOMENT),
    "BillingPeriodStart": ("Mandatory", False, MOMENT),
    "ChargeCategory": ("Mandatory", False, ("Usage", "Purchase", "Tax", "Credit", "Adjustment")),
    "ChargeClass": ("Mandatory", True, ("Correction",)),
    "ChargeDescription": ("Mandatory", True, None),
    "ChargeFrequency": ("Recommended", False, ("One-Time", "Recurring", "Usage-Based")),
    "ChargePeriodEnd": ("Mandatory", False, MOMENT),
    "ChargePeriodStart": ("Mandatory", False, MOMENT),
    "ConsumedQuantity": ("Conditional", True, NUMERIC),
    "ConsumedUnit": ("Conditional", True, None),
    "ContractedCost": ("Mandatory", False, NUMERIC),
    "ContractedUnitPrice": ("Conditional", True, NUMERIC),
    "EffectiveCost": ("Mandatory", False, NUMERIC),
    "InvoiceId": ("Recommended", True, None),
    "InvoiceIssuerName": ("Mandatory", False, None),
    "ListCost": ("Mandatory", False, NUMERIC),
    "ListUnitPrice": ("Conditional", True, NUMERIC),
    "PricingCategory": ("Conditional", True, ("Standard", "Dynamic", "Committed", "Other")),
    "PricingCurrency": ("Conditional", False, CURRENCY),
    "PricingQuantity": ("Mandatory", True, NUMERIC),
    "PricingUnit": ("Mandatory", True, None),
    "ProviderName": ("Mandatory", False, None),
    "PublisherName": ("Mandatory", False, None),
    "ServiceCategory": ("Mandatory", False, ("AI and Machine Learning",)),
    "ServiceName": ("Mandatory", False, None),
    "ServiceSubcategory": ("Recommended", False, ("Generative AI",)),
    "SkuId": ("Conditional", True, None),
    "SkuPriceId": ("Conditional", True, None),
    "SubAccountId": ("Conditional", True, None),
    "SubAccountName": ("Conditional", True, None),
    "SubAccountType": ("Conditional", True, None),
    "Tags": ("Conditional", True, None),
}


def rows(document: StatementDocument) -> list[Row]:
    text = render(document, Form.FOCUS).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def fresh(row: Row) -> bool:
    return row["ChargeClass"] != "Correction"


def sold(row: Row) -> bool:
    return row["ChargeCategory"] in ("Usage", "Purchase")


def product(row: Row, price: str) -> Decimal:
    return Decimal(row[price]) * Decimal(row["PricingQuantity"])


# What the specification says of columns together.
RULES: dict[str, Callable[[Row], bool]] = {
    "a quantity has a unit, and only a quantity": lambda row: (
        bool(row["PricingQuantity"]) == bool(row["PricingUnit"])
        and bool(row["ConsumedQuantity"]) == bool(row["ConsumedUnit"])
    ),
    "what is used or bought has a quantity, a category and a SKU": lambda row: (
        not (sold(row) and fresh(row))
        or all(row[name] for name in ("PricingQuantity", "PricingCategory", "SkuId", "SkuPriceId"))
    ),
    "only usage is consumed": lambda row: (
        bool(row["ConsumedQuantity"]) == (row["ChargeCategory"] == "Usage")
    ),
    "a tax has no quantity, price, category or SKU": lambda row: (
        row["ChargeCategory"] != "Tax"
        or not any(
            row[name]
            for name in (
                "PricingQuantity", "ListUnitPrice", "ContractedUnitPrice", "PricingCategory", "SkuId", "SkuPriceId",
            )
        )
    ),
    "price times quantity is the list cost": lambda row: (
        not row["ListUnitPrice"] or product(row, "ListUnitPrice") == Decimal(row["ListCost"])
    ),
    "price times quantity is the contracted cost": lambda row: (
        not row["ContractedUnitPrice"] or product(row, "ContractedUnitPrice") == Decimal(row["ContractedCost"])
    ),
    "no price is below 0": lambda row: not row["ListUnitPrice"].startswith("-"),
    "without a price, list and contracted cost are what is billed": lambda row: (
        bool(row["ListUnitPrice"]) or row["ListCost"] == row["ContractedCost"] == row["BilledCost"]
    ),
    "a purchase is not by usage": lambda row: (
        row["ChargeCategory"] != "Purchase" or row["ChargeFrequency"] != "Usage-Based"
    ),
    "units are capitalised": lambda row: row["PricingUnit"][:1] == row["PricingUnit"][:1].upper(),
    "tags are an object of plain values": lambda row: (
        not row["Tags"] or all(isinstance(value, str) for value in json.loads(row["Tags"]).values())
    ),
}  # fmt: skip


def test_all_mandatory_columns_are_there_and_custom_ones_come_last() -> None:
    columns = next(csv.reader(io.StringIO(render(SAMPLES["empty"], Form.FOCUS).decode(), newline="")))
    ours = [column for column in columns if not column.startswith("x_")]
    assert set(ours) == set(SPECIFIED)
    assert ours == sorted(ours)
    assert columns[len(ours) :] == list(focus.CUSTOM)
    assert {name for name, (level, _, _) in SPECIFIED.items() if level == "Mandatory"} == set(focus.MANDATORY)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_value_is_one_that_the_column_allows(name: str) -> None:
    for row in rows(SAMPLES[name]):
        for column, (_, nullable, allowed) in SPECIFIED.items():
            value = row[column]
            if not value:
                assert nullable, column
            elif isinstance(allowed, tuple):
                assert value in allowed, column
            elif allowed is not None:
                assert allowed.fullmatch(value), (column, value)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", SAMPLES)
def test_columns_agree_with_each_other(name: str, rule: str) -> None:
    broken = [row for row in rows(SAMPLES[name]) if not RULES[rule](row)]
    assert not broken


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_billed_adds_up_to_what_the_statement_asks_for(name: str) -> None:
    statement = SAMPLES[name].statement
    found = rows(SAMPLES[name])
    assert sum(Decimal(row["BilledCost"]) for row in found) == statement.totals.total
    assert {row["InvoiceId"] for row in found} <= {SAMPLES[name].number}
    charges = [each for each in statement.lines if each.kind != "payment"]
    assert [Decimal(row["BilledCost"]) for row in found] == [each.amount for each in charges]


def test_a_top_up_costs_when_it_is_used() -> None:
    """Bought for 7.00, worth 8.00; 97 of 100 tasks used: 6.79 of the 7.00 are used up, whatever they were worth."""
    found = {row["x_LineKind"]: row for row in rows(SAMPLES["included-with-top-ups"])}
    bought, used = found["top_up"], found["credit"]
    assert (bought["BilledCost"], bought["EffectiveCost"], bought["ChargeCategory"]) == ("7.00", "0", "Purchase")
    assert (used["BilledCost"], used["EffectiveCost"], used["ChargeCategory"]) == ("-7.76", "-0.97", "Credit")
    effective = sum(Decimal(row["EffectiveCost"]) for row in rows(SAMPLES["included-with-top-ups"]))
    assert effective == Decimal("12.00") + Decimal("13.81") - Decimal("1.60") - Decimal("7.76") + Decimal("6.79")


def test_a_gift_costs_nothing() -> None:
    [gift] = [row for row in rows(SAMPLES["corrections"]) if row["x_LineKind"] == "credit"]
    assert gift["EffectiveCost"] == "-2.4"


def test_a_correction_names_what_it_corrects() -> None:
    found = [row for row in rows(SAMPLES["corrections"]) if row["ChargeClass"]]
    assert [(row["ChargeCategory"], row["x_RefersTo"]) for row in found] == [
        ("Usage", "2026-09"), ("Usage", "2026-09"), ("Usage", "2026-08"),
    ]  # fmt: skip
    assert [row["SkuId"] for row in found] == ["quill-premium", "quill-premium", "quill-standard"]
    assert [json.loads(row["Tags"]) for row in found][2] == {"tollstream/corrects": "2026-08"}


def test_an_adjustment_of_an_allowance_is_no_usage() -> None:
    adjusted = line(
        "adjustment", "Tasks (2026-09)", "-1.00", key="adjustment/2026-09/allowance/plan/tasks", about="2026-09"
    )
    [row] = rows(StatementDocument(Made("b", "t", "EUR", [adjusted]).statement()))
    assert (row["ChargeCategory"], row["ChargeClass"], row["PricingQuantity"]) == ("Adjustment", "Correction", "")
    assert row["SkuId"] == "plan/tasks"


@pytest.mark.parametrize(
    ("unit", "count", "written"),
    [("task", "1", "Tasks"), ("tasks", "3", "Tasks"), ("", "2", "Unit"), ("days", "1", "Days")],
)
def test_units_are_plural_and_capitalised(unit: str, count: str, written: str) -> None:
    used = line("usage", "Tasks", "1.00", count=count, unit=unit)
    [row] = rows(StatementDocument(Made("b", "t", "EUR", [used]).statement()))
    assert row["PricingUnit"] == row["ConsumedUnit"] == written


def test_what_counts_nothing_is_one_unit_at_its_amount() -> None:
    [row] = rows(StatementDocument(Made("b", "t", "EUR", [line("usage", "Other", "0.11", exact="0.109")]).statement()))
    assert [row[name] for name in ("PricingQuantity", "PricingUnit", "ListUnitPrice", "ListCost", "BilledCost")] == [
        "1", "Units", "0.11", "0.11", "0.11",
    ]  # fmt: skip


def test_another_pricing_currency_is_named_with_what_was_charged_in_it() -> None:
    found = rows(SAMPLES["hybrid-subscription"])
    assert {(row["BillingCurrency"], row["PricingCurrency"]) for row in found} == {("JPY", "USD")}
    assert [row["x_ChargeInPricingCurrency"] for row in found[:2]] == ["29", "4.1205"]

"""A statement as charges with the column names of FOCUS 1.2 (FinOps Open Cost and Usage Specification), as CSV.

Rows     one for each line but payments, which are no charges: Σ BilledCost = net + tax, what the statement asks for.
Provider The Builder provides and issues; the tenant is the billing account. Models' providers are not named: which
         model answered is not what the tenant bought.
Effective  What was bought for later (a top-up) has EffectiveCost 0, and what a credit pays costs what was paid for it:
         so EffectiveCost is when it was used, BilledCost when it was asked for.
Prices   ListUnitPrice x PricingQuantity = ListCost, to the last place, as FOCUS wants it; so ListCost may differ from
         BilledCost by what rounding to the smallest unit did. A line that counts nothing is priced as 1 Unit.
Null     is an empty field. Custom columns begin with x_ and come last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal

from billing.money import EXACT, ROUNDING, STEP
from billing.statements import LineKind, Statement, StatementLine
from tollstream.rendering import figures, table
from tollstream.rendering.document import StatementDocument

VERSION = "1.2"
# What FOCUS 1.2 wants present in every dataset.
MANDATORY = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart",
    "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd", "ChargePeriodStart", "ContractedCost",
    "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName",
    "ServiceCategory", "ServiceName",
)  # fmt: skip
# Conditional or recommended columns whose condition holds here.
OTHERS = (
    "BillingAccountType", "ChargeFrequency", "ConsumedQuantity", "ConsumedUnit", "ContractedUnitPrice", "InvoiceId",
    "ListUnitPrice", "PricingCategory", "PricingCurrency", "ServiceSubcategory", "SkuId", "SkuPriceId", "SubAccountId",
    "SubAccountName", "SubAccountType", "Tags",
)  # fmt: skip
CUSTOM = ("x_ChargeInPricingCurrency", "x_LineKey", "x_LineKind", "x_PeriodLabel", "x_RefersTo")
COLUMNS = (*sorted((*MANDATORY, *OTHERS)), *CUSTOM)

# Category and frequency of each kind of line.
_KINDS: Mapping[LineKind, tuple[str, str]] = {
    "subscription": ("Purchase", "Recurring"),
    "usage": ("Usage", "Usage-Based"),
    "tier": ("Adjustment", "Usage-Based"),
    "allowance": ("Credit", "Usage-Based"),
    "minimum": ("Adjustment", "Recurring"),
    "cap": ("Credit", "Usage-Based"),
    "credit": ("Credit", "Usage-Based"),
    "adjustment": ("Adjustment", "One-Time"),
    "top_up": ("Purchase", "One-Time"),
    "tax": ("Tax", "Recurring"),
}
_CORRECTED_USAGE = ("late", "void", "rerate")  # what stands in the key of an adjustment that is usage
_ZERO = Decimal(0)
Row = dict[str, str]


def written(document: StatementDocument) -> bytes:
    """The whole file."""
    rows = rows_of(document)
    return table.file(COLUMNS, [[row[column] for column in COLUMNS] for row in rows])


def rows_of(document: StatementDocument) -> list[Row]:
    """The charges, by column."""
    every = _every(document)
    earned = _earned(document.statement)
    return [
        {**every, **_charge(line, document.statement, earned)}
        for line in document.statement.lines
        if line.kind in _KINDS
    ]


def _every(document: StatementDocument) -> Row:
    """What all rows have in common."""
    statement = document.statement
    period = statement.period
    builder = table.text(figures.tidy(document.builder_name))
    return {
        "BillingAccountId": table.text(statement.tenant),
        "BillingAccountName": table.text(figures.tidy(document.tenant_name)),
        "BillingAccountType": "Tenant",
        "BillingCurrency": statement.currency,
        "BillingPeriodEnd": table.moment(period.end),
        "BillingPeriodStart": table.moment(period.start),
        "ChargePeriodEnd": table.moment(period.end),
        "ChargePeriodStart": table.moment(period.start),
        "InvoiceId": table.text(document.number),
        "InvoiceIssuerName": builder,
        "PricingCurrency": statement.charge_currency,
        "ProviderName": builder,
        "PublisherName": builder,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": builder,
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": "",
        "SubAccountName": "",
        "SubAccountType": "",
        "Tags": "",
        "x_PeriodLabel": table.text(period.label),
    }


def _charge(line: StatementLine, statement: Statement, earned: Mapping[str, Decimal]) -> Row:
    category, frequency = _KINDS[line.kind]
    correction = line.kind == "adjustment"
    if correction and _is_usage(line):
        category = "Usage"
    billed = figures.plain_money(line.amount, statement.currency)
    sku = "" if category == "Tax" else table.text(_sku(line))
    row = {
        "BilledCost": billed,
        "ChargeCategory": category,
        "ChargeClass": "Correction" if correction else "",
        "ChargeDescription": table.text(figures.tidy(f"{line.label}. {line.reason}" if line.reason else line.label)),
        "ChargeFrequency": frequency,
        "ConsumedQuantity": "",
        "ConsumedUnit": "",
        "ContractedCost": billed,
        "ContractedUnitPrice": "",
        "EffectiveCost": figures.plain(_effective(line, earned)),
        "ListCost": billed,
        "ListUnitPrice": "",
        "PricingCategory": "" if category == "Tax" else "Standard",
        "PricingQuantity": "",
        "PricingUnit": "",
        "SkuId": sku,
        "SkuPriceId": sku,
        "x_ChargeInPricingCurrency": figures.plain(line.charge),
        "x_LineKey": table.text(line.key),
        "x_LineKind": line.kind,
        "x_RefersTo": table.text(line.refers_to),
    }
    if category in ("Usage", "Purchase"):
        _price(row, line)
    if correction:  # its own period is the one that it corrects; which has no bounds on this statement
        row["Tags"] = json.dumps({"tollstream/corrects": line.refers_to}, ensure_ascii=False)
    return row


def _price(row: Row, line: StatementLine) -> None:
    """Quantity, unit and price of what is used or bought."""
    if line.quantity is None or line.unit_price is None:
        quantity, price, unit = Decimal(1), line.amount, "Units"
    else:
        quantity, price, unit = line.quantity, line.unit_price, _unit(line.unit, line.quantity)
    row["PricingQuantity"], row["PricingUnit"] = figures.plain(quantity), table.text(unit)
    if price >= 0:  # FOCUS knows no price below 0
        cost = figures.plain(EXACT.multiply(price, quantity))
        row["ListUnitPrice"] = row["ContractedUnitPrice"] = figures.plain(price)
        row["ListCost"] = row["ContractedCost"] = cost
    if row["ChargeCategory"] == "Usage":
        row["ConsumedQuantity"], row["ConsumedUnit"] = row["PricingQuantity"], row["PricingUnit"]


def _unit(unit: str, quantity: Decimal) -> str:
    """Units of FOCUS are plural and capitalised: Tasks."""
    word = figures.tidy(unit) or "unit"
    plural = word if quantity != 1 or word.endswith("s") else f"{word}s"
    return plural[:1].upper() + plural[1:]


def _sku(line: StatementLine) -> str:
    """The rule, plan, allowance or credit; a correction's stands in its key, `adjustment/<period>/<why>/<of what>`."""
    return line.key.split("/", 3)[-1] if line.kind == "adjustment" else line.refers_to


def _is_usage(line: StatementLine) -> bool:
    parts = line.key.split("/")
    return len(parts) > 2 and parts[2] in _CORRECTED_USAGE


def _earned(statement: Statement) -> dict[str, Decimal]:
    """Of each credit, what part of what it paid had been paid for: 0 for a gift, 1 for money at its worth."""
    amounts: dict[str, tuple[Decimal, Decimal]] = {}
    for draw in statement.draws:
        if draw.kind == "drawn" and draw.period == statement.period.label:
            amount, paid = amounts.get(draw.grant_id, (_ZERO, _ZERO))
            amounts[draw.grant_id] = EXACT.add(amount, draw.amount), EXACT.add(paid, draw.earned)
    return {grant_id: ROUNDING.divide(paid, amount) for grant_id, (amount, paid) in amounts.items() if amount}


def _effective(line: StatementLine, earned: Mapping[str, Decimal]) -> Decimal:
    """What the line costs when it is used; half-even at 12 places where a credit cost another price than its worth."""
    if line.kind == "top_up":
        return _ZERO
    part = earned.get(line.refers_to, _ZERO) if line.kind == "credit" else _ZERO
    if not part:
        return line.amount
    return EXACT.subtract(line.amount, ROUNDING.multiply(line.amount, part).quantize(STEP, context=ROUNDING))

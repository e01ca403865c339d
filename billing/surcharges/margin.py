"""Margin: a percentage of the price that the customer pays. A margin of 20 % is base / 0.8, 1.25 times the base."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.money import EXACT
from billing.surcharges.kind import SurchargeKind

# At 100 % no price is high enough; below, 99.99 keeps the charge within 10,000 times the base.
MARGIN_MAX = Decimal("99.99")


def _divisor(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return None if percent is None else EXACT.subtract(Decimal(1), percent.scaleb(-2, EXACT))


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return base / parameter


KIND = SurchargeKind(
    "margin", ("percent",), _divisor, _charge,
    percent_bounds=(Decimal(0), MARGIN_MAX),
    percent_of="the price, and no price has a margin of all of it: what comes on top of the base is a markup",
)  # fmt: skip

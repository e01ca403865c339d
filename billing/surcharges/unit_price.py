"""Unit price: a fixed price for each unit of a business meter, whatever the AI costs; earnings may be negative.

Usage without that meter is unpriced (`no_unit`): its charge would be 0, and nobody said that it is free.
"""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.surcharges.kind import SurchargeKind


def _amount(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return amount


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return units * parameter


KIND = SurchargeKind("unit_price", ("amount", "meter"), _amount, _charge, needs_units=True)

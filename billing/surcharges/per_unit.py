"""Per unit: the base, and an amount for each unit of a business meter. Usage without that meter costs the base."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.surcharges.kind import SurchargeKind


def _amount(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return amount


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return base + units * parameter


KIND = SurchargeKind("per_unit", ("amount", "meter"), _amount, _charge)

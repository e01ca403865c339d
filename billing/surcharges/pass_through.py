"""Pass-through: the customer pays what the AI costs; the Builder earns nothing and loses nothing."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.surcharges.kind import SurchargeKind


def _nothing(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return None


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return base


KIND = SurchargeKind("pass_through", (), _nothing, _charge)

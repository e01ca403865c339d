"""Included: the customer pays nothing for the event, the Builder funds the base: earnings are minus the base."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.surcharges.kind import SurchargeKind


def _nothing(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return None


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return base * 0


KIND = SurchargeKind("included", (), _nothing, _charge)

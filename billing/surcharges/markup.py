"""Markup: a percentage of the base on top of it. 25 % makes 1.25 times the base; a negative one is a discount."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from billing.money import EXACT
from billing.surcharges.kind import SurchargeKind


def _factor(percent: Decimal | None, amount: Decimal | None) -> Decimal | None:
    return None if percent is None else EXACT.add(Decimal(1), percent.scaleb(-2, EXACT))


def _charge(base: pl.Expr, parameter: pl.Expr, units: pl.Expr) -> pl.Expr:
    return base * parameter


KIND = SurchargeKind("markup", ("percent",), _factor, _charge)

"""What a kind of surcharge is: which fields its rules have, and how a charge comes from the base.

A kind is one file with one `KIND`, listed in kinds.py. `charge` works on whole columns: base cost, the rule's parameter
(null where the event has a rule of another kind) and the quantity of the rule's meter (0 where the event has none).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl


@dataclass(frozen=True, slots=True)
class SurchargeKind:
    """One way to come from base cost to customer charge; `charge` rounds once, half-even, 12 places."""

    name: str
    fields: tuple[str, ...]  # of percent, amount, meter: those that a rule of this kind has
    parameter: Callable[[Decimal | None, Decimal | None], Decimal | None]  # of (percent, amount)
    charge: Callable[[pl.Expr, pl.Expr, pl.Expr], pl.Expr]  # (base, parameter, units)
    percent_bounds: tuple[Decimal, Decimal] = (Decimal(-100), Decimal(10) ** 6)
    percent_of: str = "the base: at -100 nothing is left of it"  # for whoever is out of bounds
    needs_units: bool = False  # usage without the rule's meter is unpriced, for its charge would silently be 0

"""Rating past usage again: what it was billed so far, what it comes to now, and the signed difference.

    billed = billed_so_far(rows, dimensions)       # from ledger rows: of each event, what stands
    rated = Rerater(prices, rules, selection).rate(billed, dimensions)
    changes = differences(billed, rated, by_hand)  # an outcome for each, and exact amounts to add

Everything is columns in, columns out, so a range of any length is done a portion at a time.
"""

from __future__ import annotations

from billing.rerating.billed import COLUMNS, billed_so_far
from billing.rerating.differences import CHANGES, ByHand, Outcome, differences
from billing.rerating.rerater import RerateError, Rerater, Selection

__all__ = [
    "CHANGES",
    "COLUMNS",
    "ByHand",
    "Outcome",
    "RerateError",
    "Rerater",
    "Selection",
    "billed_so_far",
    "differences",
]

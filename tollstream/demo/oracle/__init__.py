"""An independent recomputation of the money, from what was published alone.

It shares no code with what it judges (a test reads its imports): its own reading of events and books, its own rating
in plain `decimal`, one event after the other. Slow, and meant to be read beside the contract.

    result = recompute(read_published(path), prices, rules, window_seconds=3600)
    comparison = compare(result, totals=rows_of_usage_totals, ledger=rows_of_usage_ledger)
    assert comparison.equal, comparison.differences
"""

from __future__ import annotations

from tollstream.demo.oracle.comparison import Comparison, compare
from tollstream.demo.oracle.ledger import OracleResult, recompute
from tollstream.demo.oracle.published import Published, read_published, write_published

__all__ = ["Comparison", "OracleResult", "Published", "compare", "read_published", "recompute", "write_published"]

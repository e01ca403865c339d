"""Rating past usage again: what would change, and the adjustments that change it. See docs/rerating.md.

1 compute    a portion of the ledger at a time, from rows below the cut (`computing.py`), added up (`summary.py`)
2 plan       recorded before anything is published, at a place that one writer gets (`plans.py`)
3 publish    signed adjustments into the log, computed once more from the same rows (`publishing.py`)
4 close      recorded with the offsets below which they all stand

Killed anywhere, the same command goes on with the plan on record: same rows, same books, same ids, same time, so what
was published before the crash is published again as a duplicate.
"""

from __future__ import annotations

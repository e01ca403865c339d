"""Payouts of Builders and rewards of providers: decided, exported, paid once. See docs/payouts.md.

1 decide   a closed period becomes a numbered statement of payout, recorded at a place that one writer gets; run again
           it answers the same (`deciding.py`, `rewarding.py`)
2 post     its postings clear the accounts that it pays; whoever comes next mends what a crash left out (`posting.py`)
3 send     the attempt is recorded before money can leave (`sending.py`), by a command or by hand
4 mark     paid once, with the reference of whoever paid (`marking.py`)
"""

from __future__ import annotations

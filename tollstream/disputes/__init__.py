"""Notes on closed statements: credit notes, refunds, write-offs, chargebacks, payments. See docs/payouts.md.

A closed statement never changes. What happens to it afterwards is a note: numbered without gaps for each Builder,
recorded once, posted in balance, and never larger than what the statement still takes (`billing/settled.py`).
"""

from __future__ import annotations

"""Closing a period: from totals to numbered statements, draws and balanced postings. See docs/closing.md.

1 look      which period is next, and what stands in its way (`periods.py`, `checks.py`)
2 planned   somebody closes it: the entry is theirs, whoever is overtaken stops (`steps.py`)
3 frozen    a copy of the usage below a cut, and the places of everything agreed (`freezing.py`)
4 numbered  the first number, behind the last one of the Builder
5 written   a portion of tenants at a time: input, statement, rows (`inputs.py`, `portions.py`, `rows.py`)
6 closed    what stands is what was computed

Everything after 3 is a function of what was frozen, so it may break off and be repeated, by anybody, at any point.
"""

from __future__ import annotations

"""Live balances: the statement of a period that still runs, by the very arithmetic that will close it.

`outlook.py` says of which periods it is made, `reading.py` reads and computes, `document.py` and `text.py` tell it,
`kept.py` makes the rows that analysts read.
"""

"""`tollstream rules simulate`: the ledger's usage under other books, and who wins and who loses.

`billing.simulation` compares; here are the books to compare with, the reading, and three ways to tell it: a table, a
page and JSON.
"""
